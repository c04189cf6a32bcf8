"""Triggers over a real PostgreSQL: made, fired, followed and counted; exactly once a slot, whoever tries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from shoald.application.collection_documents import Import
from shoald.application.document_vectors import IncomingDocument, batch_of
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.trigger_firing import TriggerFiring
from shoald.application.trigger_following import EventCounting, FiringEnds
from shoald.application.trigger_measuring import TriggerMeasuring
from shoald.application.trigger_requests import definition_of
from shoald.application.trigger_starts import TriggerStarts
from shoald.application.trigger_sweep import TriggerSweep
from shoald.application.triggers import TriggerChanges, TriggerQuery, TriggerRequest
from shoald.domain.failures import (
    ClusterNotFound,
    CollectionNotFound,
    Conflict,
    InvalidFields,
    TooManyTriggers,
    TriggerNotFound,
)
from shoald.domain.records.api_key import ApiKey
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration

DAILY = {"cron_expression": "0 2 * * *", "timezone": "America/New_York"}
HOURLY = {"interval_seconds": 3600}


class Scheduler:
    """What the scheduler process does of triggers, one pass at a time, at a time that the test sets."""

    def __init__(self, world: ClusterWorld) -> None:
        self.world = world
        opens = world.adapters.open_unit_of_work
        self.ahead = timedelta()
        self.firing = TriggerFiring(
            open_unit_of_work=opens,
            starts=TriggerStarts(accept=world.use_cases.executions.accept),
            jobs=world.use_cases.jobs,
            measure=TriggerMeasuring(
                open_unit_of_work=opens, centroids=world.use_cases.artifacts.centroid_vectors
            ).measure,
            now=self.now,
        )
        self.counting = EventCounting(open_unit_of_work=opens, now=self.now)
        self.ends = FiringEnds(open_unit_of_work=opens, now=self.now)

    def now(self, uow: UnitOfWork) -> datetime:
        return uow.triggers.now() + self.ahead

    def round(self) -> int:
        self.counting.run_pass()
        fired = self.firing.run_pass()
        self.ends.run_pass()
        return fired


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


@pytest.fixture
def cluster(world: ClusterWorld) -> str:
    world.store(groups_of(10, 10))
    return world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2}, stability="none")


@pytest.fixture
def scheduler(world: ClusterWorld) -> Scheduler:
    return Scheduler(world)


def make(world: ClusterWorld, cluster: str, kind: str, schedule: dict[str, Any], **asked: Any) -> str:
    request = TriggerRequest(cluster=cluster, trigger_type=kind, schedule_config=schedule, **asked)
    return world.use_cases.triggers.create(world.caller, request).trigger.trigger_id


def state(world: ClusterWorld, trigger_id: str) -> Any:
    return world.use_cases.triggers.get(world.caller, trigger_id).trigger


def history(world: ClusterWorld, trigger_id: str) -> list[tuple[str, str | None]]:
    firings, _ = world.use_cases.triggers.history(world.caller, trigger_id)
    return [(str(one.status), one.error) for one in reversed(firings)]


def finish(world: ClusterWorld) -> None:
    """Do every job that waits."""
    for job in world.use_cases.jobs.list(world.caller, states=["PENDING", "QUEUED"])[0]:
        world.run(job)


def events(world: ClusterWorld, prefix: str = "trigger.") -> list[str]:
    with psycopg.connect(world.adapters.settings.database_url) as connection:
        rows = connection.execute("SELECT event_type FROM events ORDER BY event_no").fetchall()
    return [kind for (kind,) in rows if kind.startswith(prefix)]


def test_slots_missed_while_nobody_was_there_are_one_run(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    trigger = make(world, cluster, "interval", HOURLY)
    assert scheduler.round() == 0
    before = state(world, trigger)
    scheduler.ahead = timedelta(hours=5, minutes=1)
    assert (scheduler.round(), scheduler.round()) == (1, 0)
    finish(world)
    scheduler.round()
    present = state(world, trigger)
    assert present.due_at == before.due_at + timedelta(hours=5)
    assert (present.execution_count, present.last_execution_status) == (1, "completed")
    (firing,), total = world.use_cases.triggers.history(world.caller, trigger)
    assert (total, firing.due_since, firing.fired_for) == (1, before.due_at, before.due_at + timedelta(hours=4))
    assert (firing.num_clusters, firing.num_documents) == (2, 20)
    assert firing.execution_time_ms is not None
    assert events(world) == ["trigger.created", "trigger.fired", "trigger.execution.completed"]


def test_a_slot_that_comes_while_a_run_is_at_work_is_skipped_and_said(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    trigger = make(world, cluster, "interval", {"interval_seconds": 300, "start_immediately": True})
    assert scheduler.round() == 1
    scheduler.ahead = timedelta(seconds=301)
    assert scheduler.round() == 0
    finish(world)
    scheduler.ahead = timedelta(seconds=601)
    assert scheduler.round() == 1
    statuses = history(world, trigger)
    assert [status for status, _ in statuses] == ["completed", "skipped", "pending"]
    assert "still at work" in str(statuses[1][1])
    runs = world.use_cases.executions.list(world.caller, cluster, _query())[1]
    assert runs.total_executions == 2


def _query() -> Any:
    from shoald.application.listing import ListQuery

    return ListQuery()


def test_five_failures_in_a_row_take_a_trigger_out_of_use_until_it_is_resumed(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    # there is no run yet whose groups documents could be assigned to
    trigger = make(world, cluster, "interval", {"interval_seconds": 300}, changes={"mode": "assign"})
    for hour in range(1, 8):
        scheduler.ahead = timedelta(hours=hour)
        scheduler.round()
    present = state(world, trigger)
    assert (present.status, present.consecutive_failures, present.due_at) == ("failed", 5, None)
    assert [status for status, _ in history(world, trigger)] == ["failed"] * 5
    assert "no completed execution" in present.last_execution_error
    assert present.last_execution_job_id is None
    world.run(world.start(cluster))
    resumed = world.use_cases.triggers.resume(world.caller, trigger).trigger
    assert (resumed.status, resumed.consecutive_failures) == ("active", 0)
    scheduler.ahead = timedelta(seconds=301)
    assert scheduler.round() == 1
    finish(world)
    scheduler.round()
    assert state(world, trigger).last_execution_status == "completed"
    run = world.use_cases.executions.latest(world.caller, cluster)
    assert run is not None
    assert run.run.mode == "assign"
    assert events(world).count("trigger.execution.failed") == 5


def test_documents_that_come_start_a_run_that_assigns_them(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    world.run(world.start(cluster))
    schedule = {"event_type": "documents_added", "event_threshold": 5, "cooldown_seconds": 600}
    trigger = make(world, cluster, "event", schedule, changes={"mode": "assign"})
    scheduler.round()
    assert state(world, trigger).event_counter == 0  # what was there before counts for nothing
    add(world, 4, at=0)
    assert scheduler.round() == 0
    assert state(world, trigger).event_counter == 4
    add(world, 3, at=4)
    assert scheduler.round() == 1
    finish(world)
    scheduler.round()
    run = world.use_cases.executions.latest(world.caller, cluster)
    assert run is not None
    assert (run.run.mode, run.run.num_points, state(world, trigger).event_counter) == ("assign", 27, 0)
    add(world, 9, at=7)
    assert scheduler.round() == 0  # it cools down
    scheduler.ahead = timedelta(seconds=601)
    assert scheduler.round() == 1
    assert [status for status, _ in history(world, trigger)] == ["completed", "pending"]


def add(world: ClusterWorld, count: int, *, at: int) -> None:
    world.store(groups_of(count, seed=at + 1), ids=[f"n{at + one:05d}" for one in range(count)])


def test_what_was_counted_holds_for_a_lower_threshold_and_not_for_other_events(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    added = {"event_type": "documents_added", "event_threshold": 10, "cooldown_seconds": 0}
    lowered, other = make(world, cluster, "event", added), make(world, cluster, "event", added)
    add(world, 4, at=0)
    scheduler.round()
    change(world, other, {**added, "event_type": "documents_updated"})
    assert (state(world, other).event_counter, state(world, other).due_at) == (0, None)
    change(world, lowered, {**added, "event_threshold": 4})
    assert scheduler.round() == 1
    assert [status for status, _ in history(world, lowered)] == ["pending"]


def change(world: ClusterWorld, trigger_id: str, schedule: dict[str, Any]) -> None:
    world.use_cases.triggers.update(world.caller, trigger_id, TriggerChanges(schedule_config=schedule))


def test_a_trigger_that_waited_for_its_cooldown_when_it_was_paused_fires_after_it_is_resumed(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    schedule = {"event_type": "documents_added", "event_threshold": 2, "cooldown_seconds": 600}
    trigger = make(world, cluster, "event", schedule)
    add(world, 2, at=0)
    assert scheduler.round() == 1
    finish(world)
    add(world, 2, at=2)
    scheduler.round()
    world.use_cases.triggers.pause(world.caller, trigger)
    world.use_cases.triggers.resume(world.caller, trigger)
    scheduler.ahead = timedelta(seconds=601)
    assert scheduler.round() == 1


def test_a_batch_counts_for_triggers_that_were_made_while_it_was_streamed(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    made: list[str] = []

    def streamed() -> Iterator[DocumentBatch]:
        made.append(make(world, cluster, "event", {"event_type": "batch_completed", "cooldown_seconds": 0}))
        yield DocumentBatch(
            ids=["late"], payloads=[{}], vectors=[VectorColumn(name="v", values=groups_of(1).astype(np.float32))]
        )

    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), streamed())
    assert scheduler.round() == 1
    assert [status for status, _ in history(world, made[0])] == ["pending"]


def test_events_wait_for_the_run_that_may_not_have_seen_them(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    schedule = {"event_type": "batch_completed", "cooldown_seconds": 0}
    trigger = make(world, cluster, "event", schedule)
    add(world, 1, at=0)
    assert scheduler.round() == 1
    add(world, 1, at=1)
    assert scheduler.round() == 0
    finish(world)
    scheduler.ahead = timedelta(seconds=6)
    assert scheduler.round() == 1
    assert [status for status, _ in history(world, trigger)] == ["completed", "pending"]


def test_a_definition_that_says_so_is_run_after_batches(world: ClusterWorld, scheduler: Scheduler) -> None:
    world.store(groups_of(10, 10))
    asked = {
        "collection_ids": ["things"],
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}},
        "auto_execute_on_batch": True,
        "auto_execute_min_documents": 25,
        "auto_execute_cooldown_seconds": 600,
    }
    cluster = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    scheduler.round()
    add(world, 4, at=0)
    assert scheduler.round() == 0  # 24 documents
    add(world, 2, at=4)
    assert scheduler.round() == 1
    finish(world)
    add(world, 2, at=6)
    assert scheduler.round() == 0
    scheduler.ahead = timedelta(seconds=601)
    assert scheduler.round() == 1
    assert world.use_cases.executions.list(world.caller, cluster, _query())[1].total_executions == 2
    assert world.use_cases.triggers.list(world.caller, TriggerQuery())[1] == 0


def test_documents_of_an_import_that_was_open_when_a_run_began_are_new_to_it(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    growing = make(world, cluster, "conditional", {"condition_type": "volume", "threshold": 3})

    def batches() -> Iterator[DocumentBatch]:
        values = groups_of(3)
        yield DocumentBatch(ids=["i0", "i1", "i2"], payloads=[{}] * 3, vectors=[VectorColumn(name="v", values=values)])
        world.run(world.start(cluster))

    before = world.use_cases.collections.get(world.caller, "things").document_count
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), batches())
    run = world.use_cases.artifacts.run(world.caller, cluster)
    assert run.num_points == before
    scheduler.ahead = timedelta(hours=1, minutes=1)
    assert scheduler.round() == 1
    found = state(world, growing).measured["volume"]
    assert (found["value"], found["documents"], found["is_met"]) == (3, 3, True)


def test_what_a_condition_finds_is_shown_and_starts_a_run(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    world.run(world.start(cluster))
    drift = {"condition_type": "drift", "threshold": 0.3, "check_interval_seconds": 3600}
    drifting = make(world, cluster, "conditional", drift)
    growing = make(world, cluster, "conditional", {"condition_type": "volume", "threshold": 7})
    add(world, 5, at=0)
    scheduler.ahead = timedelta(hours=1, minutes=1)
    assert scheduler.round() == 0
    near = state(world, drifting).measured["drift"]
    assert (near["metric"], near["documents"], near["is_met"]) == ("cosine_drift", 5, False)
    assert near["value"] < 0.1
    far = groups_of(1, 1, 1, 4, seed=9)[3:]
    world.store(far, ids=[f"f{one}" for one in range(4)])
    scheduler.ahead = timedelta(hours=2, minutes=1)
    assert scheduler.round() == 1  # one of the two starts a run, which the other one finds at work
    found = state(world, drifting).measured["drift"], state(world, growing).measured["volume"]
    assert [one["is_met"] for one in found] == [True, True]
    assert found[0]["value"] > 0.3
    assert found[1]["value"] == 9
    assert min(history(world, drifting) + history(world, growing))[0] == "pending"
    finish(world)
    scheduler.ahead = timedelta(hours=3, minutes=1)
    assert scheduler.round() == 0  # nothing came since that run
    assert state(world, drifting).measured["baseline"]["document_count"] == 29


def test_two_schedulers_that_are_cut_off_at_any_moment_fire_each_slot_once(world: ClusterWorld, cluster: str) -> None:
    """Backends are ended while they fire; whoever comes next does what is left."""
    trigger = make(world, cluster, "interval", {"interval_seconds": 300})
    schedulers = [Scheduler(world) for _ in range(2)]
    done = threading.Event()

    def cut() -> None:
        with psycopg.connect(world.adapters.settings.database_url, autocommit=True) as connection:
            while not done.wait(0.004):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - interval '3 ms'"
                )

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        for slot in range(1, 31):
            tries = [threading.Thread(target=_try, args=(one, timedelta(seconds=300 * slot + 1))) for one in schedulers]
            for one in tries:
                one.start()
            for one in tries:
                one.join()
    finally:
        done.set()
        cutter.join()
    schedulers[0].ahead = timedelta(seconds=300 * 30 + 1)
    schedulers[0].round()
    with psycopg.connect(world.adapters.settings.database_url) as connection:
        rows = connection.execute("SELECT slot, status, run_id FROM trigger_firings").fetchall()
        runs = connection.execute("SELECT count(*), count(DISTINCT job_id) FROM cluster_runs").fetchone()
    started = [run_id for _, _, run_id in rows if run_id is not None]
    assert runs == (len(started), len(started)) == (1, 1)
    assert len({slot for slot, _, _ in rows}) == len(rows)
    present = state(world, trigger)
    assert present.due_at is not None
    assert max(slot for slot, _, _ in rows) == (present.due_at - timedelta(seconds=300)).isoformat()


def _try(scheduler: Scheduler, ahead: timedelta) -> None:
    scheduler.ahead = ahead
    for _ in range(3):
        try:
            scheduler.firing.run_pass()
        except Exception:  # noqa: BLE001, S112 - it was cut off, as the test wants it
            continue
        return


def test_a_namespace_has_fifty_active_triggers_at_most(world: ClusterWorld, cluster: str) -> None:
    made = [make(world, cluster, "interval", HOURLY) for _ in range(50)]
    with pytest.raises(TooManyTriggers):
        make(world, cluster, "cron", DAILY)
    paused = make(world, cluster, "cron", DAILY, status="paused")
    with pytest.raises(TooManyTriggers):
        world.use_cases.triggers.resume(world.caller, paused)
    world.use_cases.triggers.delete(world.caller, made[0])
    assert world.use_cases.triggers.resume(world.caller, paused).trigger.due_at is not None


def test_a_deleted_trigger_keeps_its_history_and_does_nothing_more(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    triggers = world.use_cases.triggers
    trigger = make(world, cluster, "interval", {"interval_seconds": 300, "start_immediately": True})
    scheduler.round()
    for _ in range(2):
        triggers.delete(world.caller, trigger)
    scheduler.ahead = timedelta(hours=1)
    assert scheduler.round() == 0
    assert (state(world, trigger).status, len(history(world, trigger))) == ("disabled", 1)
    calls: list[Callable[[], Any]] = [
        lambda: triggers.resume(world.caller, trigger),
        lambda: triggers.update(world.caller, trigger, TriggerChanges(description="again")),
        lambda: triggers.execute(world.caller, trigger),
    ]
    for call in calls:
        with pytest.raises(Conflict):
            call()
    assert events(world) == ["trigger.created", "trigger.fired", "trigger.deleted"]


def test_a_trigger_goes_with_its_cluster(world: ClusterWorld, cluster: str, scheduler: Scheduler) -> None:
    trigger = make(world, cluster, "interval", {"interval_seconds": 300, "start_immediately": True})
    scheduler.round()
    world.use_cases.clusters.delete(world.caller, cluster)
    with pytest.raises(TriggerNotFound):
        state(world, trigger)
    assert scheduler.round() == 0


def test_a_firing_leaves_the_history_some_time_after_its_run_ended(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    trigger = make(world, cluster, "interval", {"interval_seconds": 300})
    for slot in range(1, 5):
        scheduler.ahead = timedelta(seconds=301 * slot)
        scheduler.round()  # the first starts a run, the others find it at work
    sweep = TriggerSweep(
        open_unit_of_work=world.adapters.open_unit_of_work, keep=timedelta(days=90), batch=2, now=scheduler.now
    )
    scheduler.ahead = timedelta(days=89)
    assert sweep.run_pass() == 0
    scheduler.ahead = timedelta(days=91)
    assert sweep.run_pass() == 3
    assert history(world, trigger) == [("pending", None)]


def test_the_end_of_an_earlier_run_is_not_said_of_the_last_one(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    trigger = make(world, cluster, "interval", {"interval_seconds": 300, "start_immediately": True})
    scheduler.round()
    first = world.use_cases.jobs.list(world.caller, states=["PENDING", "QUEUED"])[0][0]
    last = world.use_cases.triggers.execute(world.caller, trigger)
    world.use_cases.jobs.cancel(world.caller, first.job_id)
    scheduler.round()
    present = state(world, trigger)
    assert [status for status, _ in history(world, trigger)] == ["canceled", "pending"]
    assert (present.last_execution_job_id, present.last_execution_status) == (last.job_id, "pending")


def test_triggers_that_cannot_be_fired_keep_no_others_waiting(
    world: ClusterWorld, cluster: str, scheduler: Scheduler
) -> None:
    broken = [make(world, cluster, "interval", {"interval_seconds": 300}) for _ in range(2)]
    good = make(world, cluster, "interval", HOURLY)
    with psycopg.connect(world.adapters.settings.database_url) as connection:
        connection.execute("UPDATE triggers SET schedule_config = '{}' WHERE trigger_id = ANY(%s)", [broken])
    scheduler.firing.batch = 2
    scheduler.ahead = timedelta(hours=1, minutes=1)
    assert [scheduler.firing.run_pass() for _ in range(3)] == [0, 1, 0]
    assert [status for status, _ in history(world, good)] == ["pending"]


def test_a_namespace_with_too_many_jobs_is_no_failure_of_its_triggers(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir, namespace_queued_jobs=1) as world:
        world.store(groups_of(5, 5))
        first, other = (world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2}) for _ in range(2))
        with world.adapters.open_unit_of_work() as uow:  # a job that waits, since nobody dispatches it
            waiting, _ = world.use_cases.executions.accept(uow, world.caller, first, {})
            uow.commit()
        trigger = make(world, other, "interval", {"interval_seconds": 300})
        scheduler = Scheduler(world)
        for slot in range(1, 7):
            scheduler.ahead = timedelta(seconds=301 * slot)
            assert scheduler.round() == 0
        assert (state(world, trigger).status, history(world, trigger)) == ("active", [])
        world.use_cases.jobs.cancel(world.caller, waiting.job_id)
        assert scheduler.round() == 1  # one run for all that was missed


@pytest.mark.parametrize(
    "vector", [[[1.0, 0.0], [0.0, 1.0]], {"indices": [1], "values": [1.0]}], ids=["multi-vectors", "sparse vectors"]
)
def test_drift_of_what_is_not_dense_is_refused(world: ClusterWorld, vector: Any) -> None:
    batch = batch_of([IncomingDocument("d0", {}, {"v": vector})])
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    drift = {"condition_type": "drift", "threshold": 0.3}
    with pytest.raises(InvalidFields) as met:
        make(world, cluster, "conditional", drift)
    assert met.value.problems[0].message == "drift is measured for clusters over one dense vector"
    growing = make(
        world, cluster, "conditional", {"condition_type": "custom", "metric": "new_documents", "threshold": 7}
    )
    with pytest.raises(InvalidFields):
        change(world, growing, {**drift, "condition_type": "custom", "metric": "unassigned_ratio"})


def test_a_trigger_may_bring_its_own_cluster(world: ClusterWorld, scheduler: Scheduler) -> None:
    world.store(groups_of(10, 10))
    config = {"collection_ids": ["things"], "config": {"algorithm": "kmeans", "n_clusters": 2}}
    trigger = make(world, "", "interval", HOURLY, definition=definition_of(config, None), execution_config=config)
    present = state(world, trigger)
    job = world.use_cases.triggers.execute(world.caller, trigger)
    assert world.run(job).state is JobState.COMPLETED
    scheduler.round()
    assert history(world, trigger) == [("completed", None)]
    run = world.use_cases.executions.latest(world.caller, present.cluster_id)
    assert run is not None
    assert run.run.num_clusters == 2
    with pytest.raises(InvalidFields):
        make(world, "", "interval", HOURLY)
    with pytest.raises(ClusterNotFound):
        make(world, "clust_00", "interval", HOURLY)


def test_a_trigger_that_cannot_be_made_leaves_no_cluster_behind(world: ClusterWorld) -> None:
    world.store(groups_of(10, 10))
    config: dict[str, Any] = {"collection_ids": ["things"], "config": {"algorithm": "kmeans", "n_clusters": 2}}
    waits = {"event_type": "documents_added", "collection_id": "col_0000000000"}
    with pytest.raises(CollectionNotFound):
        make(world, "", "event", waits, definition=definition_of(config, None))
    config["config"]["n_clusters"] = [2]
    with pytest.raises(InvalidFields) as met:
        make(world, "", "interval", HOURLY, definition=definition_of(config, None))
    (problem,) = met.value.problems
    assert problem.loc[:3] == ("body", "execution_config", "config")
    assert problem.loc[-1] == "n_clusters"
    with pytest.raises(InvalidFields) as met:
        make(world, "", "interval", HOURLY, changes={"filters": {"kind": {"$x": 1}}})
    assert met.value.problems[0].loc == ("body", "action_config", "filters", "kind")
    assert world.use_cases.clusters.list(world.caller, _query())[0].items == []
    assert events(world, "cluster.") == []


def test_a_trigger_says_with_which_key_it_was_made(world: ClusterWorld, cluster: str) -> None:
    key = ApiKey(
        key_id="key_0123456789",
        name="made it",
        secret_hash=b"",
        scopes=frozenset({"write"}),
        namespace_ids=(),
        project_ids=(),
        created_at=datetime.now(UTC),
    )
    request = TriggerRequest(cluster=cluster, trigger_type="interval", schedule_config=HOURLY)
    made = world.use_cases.triggers.create(replace(world.caller, key=key), request).trigger
    assert state(world, made.trigger_id).created_by == "key_0123456789"
    assert state(world, make(world, cluster, "interval", HOURLY)).created_by is None


def test_a_schedule_that_is_changed_begins_anew(world: ClusterWorld, cluster: str) -> None:
    triggers = world.use_cases.triggers
    trigger = make(world, cluster, "interval", HOURLY)
    paused = triggers.pause(world.caller, trigger).trigger
    assert (paused.status, paused.due_at) == ("paused", None)
    changed = triggers.update(world.caller, trigger, TriggerChanges(schedule_config={"interval_seconds": 600}))
    assert changed.trigger.due_at is None
    resumed = triggers.resume(world.caller, trigger).trigger
    assert resumed.due_at == resumed.anchor_at + timedelta(seconds=600)
    with pytest.raises(InvalidFields):
        triggers.update(world.caller, trigger, TriggerChanges(status="failed"))
    assert events(world) == ["trigger.created", "trigger.paused", "trigger.updated", "trigger.resumed"]


def test_what_a_definition_says_twice_is_not_dropped() -> None:
    config = {"algorithm": "kmeans", "collection_ids": ["things"], "description": "by topic"}
    asked = {"collection_ids": ["things"], "config": config}
    assert definition_of(asked, None)["description"] == "by topic"
    assert definition_of(asked, "each hour")["description"] == "each hour"
    with pytest.raises(InvalidFields, match="say otherwise") as caught:
        definition_of({**asked, "collection_ids": ["others"]}, None)
    assert caught.value.problems[0].loc[-2:] == ("config", "collection_ids")
