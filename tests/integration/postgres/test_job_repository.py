"""Jobs in a real PostgreSQL: what the simulation cannot show of locks, keys, fairness and sweeping."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitOfWork, PostgresUnitsOfWork
from shoald.application.job_moves import JobMoves
from shoald.application.job_reconciling import OutboxRelay
from shoald.application.object_sweep import ObjectSweep
from shoald.application.ports.repositories.jobs import JobFilter, NewJob, OutboxEvent
from shoald.domain.failures import JobFenced, Unavailable
from shoald.domain.identifiers import new_uuid
from shoald.domain.job_states import (
    CancelRequested,
    Claimed,
    Completed,
    Dispatched,
    Interrupted,
    JobEvent,
    LeaseExpired,
    Progressed,
)
from shoald.domain.records.job import Job, Progress
from shoald.domain.vocabulary import JobState

pytestmark = pytest.mark.integration

LEASE = timedelta(seconds=30)
NO_TIME = timedelta(0)


@pytest.fixture
def opens(postgres_database: str) -> Iterator[PostgresUnitsOfWork]:
    engine = make_engine(postgres_database)
    yield PostgresUnitsOfWork(engine)
    engine.dispose()


def add(opens: PostgresUnitsOfWork, *, namespace: str = "ns_a", key: str | None = None, listed: bool = True) -> str:
    job_id = new_uuid()
    with opens() as uow:
        _add(uow, job_id, namespace=namespace, key=key, listed=listed)
        uow.commit()
    return job_id


def _add(uow: PostgresUnitOfWork, job_id: str, *, namespace: str, key: str | None, listed: bool) -> Job:
    new = NewJob(
        job_id=job_id,
        namespace_id=namespace,
        project_id="p1",
        job_type="trial",
        queue="short",
        listed=listed,
        payload={"run_id": "run_1"},
        max_failures=3,
        limit_seconds=None,
        idempotency_key=key,
        request_hash=b"hash",
        request_id="r1",
        trace_parent=None,
    )
    return uow.jobs.add(new)


def step(opens: PostgresUnitsOfWork, job_id: str, *events: JobEvent) -> Job:
    with opens() as uow:
        for event in events:
            moved = uow.jobs.apply(job_id, event)
        uow.commit()
    assert moved is not None
    return moved.job


def test_a_job_keeps_what_it_was_accepted_with(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    with opens() as uow:
        job = uow.jobs.get(job_id)
        assert uow.jobs.get("nobody") is None
    assert job is not None
    assert (job.state, job.payload, job.request_id, job.attempt) == (JobState.PENDING, {"run_id": "run_1"}, "r1", 0)
    assert job.created_at.tzinfo is not None


def test_progress_and_result_are_stored_with_their_step(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched(), Claimed("w1", LEASE))
    progress = Progress(stage="embed", fraction=0.5, message="half")
    with opens() as uow:
        uow.jobs.apply(job_id, Progressed(1), progress=progress)
        uow.jobs.apply(job_id, Completed(1), result={"n": 1})
        uow.commit()
        job = uow.jobs.get(job_id)
    assert job is not None
    assert (job.progress, job.result, job.state) == (progress, {"n": 1}, JobState.COMPLETED)


def test_nothing_of_a_transaction_that_is_not_committed_remains(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched(), Claimed("w1", LEASE))
    with opens() as uow:
        uow.jobs.apply(job_id, Completed(1), result={"n": 1})
    with opens() as uow:
        job = uow.jobs.get(job_id)
    assert job is not None
    assert (job.state, job.result) == (JobState.IN_PROGRESS, {})


def test_the_second_to_claim_gets_nothing(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched())
    claimed = []
    ready = threading.Barrier(8)

    def claim(name: str) -> None:
        with opens() as uow:
            ready.wait()
            moved = uow.jobs.apply(job_id, Claimed(name, LEASE))
            uow.commit()
        if moved is not None:
            claimed.append(name)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 1


def test_an_old_attempt_is_fenced(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched(), Claimed("w1", NO_TIME))
    step(opens, job_id, LeaseExpired(), Dispatched(), Claimed("w2", LEASE))
    with opens() as uow, pytest.raises(JobFenced):
        uow.jobs.apply(job_id, Completed(1))


def test_a_locked_job_is_passed_over_by_those_who_will_not_wait(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    with opens() as holder, opens() as other:
        holder.jobs.apply(job_id, Dispatched())
        assert other.jobs.apply(job_id, CancelRequested(), skip_locked=True) is None


def test_two_calls_with_one_key_make_one_job(opens: PostgresUnitsOfWork) -> None:
    first = add(opens, key="k")
    with pytest.raises(Unavailable):
        add(opens, key="k")
    other = add(opens, namespace="ns_b", key="k")
    with opens() as uow:
        assert uow.jobs.accepted_under("ns_a", "k") == (first, b"hash")
        assert uow.jobs.accepted_under("ns_b", "k") == (other, b"hash")
        assert uow.jobs.accepted_under("ns_a", "other") is None


def test_jobs_are_listed_newest_first_and_only_ones_own(opens: PostgresUnitsOfWork) -> None:
    ids = [add(opens) for _ in range(3)]
    add(opens, namespace="ns_b")
    hidden = add(opens, listed=False)
    with opens() as uow:
        everything = uow.jobs.find(JobFilter(namespace_id="ns_a"))
        listed = JobFilter(namespace_id="ns_a", project_id="p1", listed_only=True)
        assert [job.job_id for job in everything] == [hidden, *reversed(ids)]
        assert [job.job_id for job in uow.jobs.find(listed, limit=1, offset=1)] == [ids[1]]
        assert uow.jobs.count(listed) == 3
        assert uow.jobs.count(JobFilter(namespace_id="ns_a", states=[JobState.QUEUED])) == 0


def test_the_backlog_is_taken_from_fairly(opens: PostgresUnitsOfWork) -> None:
    crowd = [add(opens, namespace="ns_a") for _ in range(5)]
    few = [add(opens, namespace="ns_b") for _ in range(2)]
    step(opens, crowd[0], Dispatched())
    with opens() as uow:
        assert uow.jobs.next_waiting("short", 4) == [few[0], crowd[1], few[1], crowd[2]]
        assert uow.jobs.queues_waiting() == ["short"]
        assert uow.jobs.queued("short") == 1
        assert (uow.jobs.position(crowd[2]), uow.jobs.position(few[1])) == (3, 7)


def test_a_retry_waits_its_time(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    delay = timedelta(minutes=1)
    step(opens, job_id, Dispatched(), Claimed("w1", LEASE), Interrupted(1, "ERROR", "x", delay=delay))
    with opens() as uow:
        assert uow.jobs.next_waiting("short", 10) == []
        assert uow.jobs.apply(job_id, Dispatched()) is None


def test_what_the_queue_may_have_lost_is_found(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched())
    with opens() as uow:
        assert uow.jobs.to_dispatch_again(LEASE, 10) == []
        assert uow.jobs.to_dispatch_again(NO_TIME, 10) == [job_id]
        assert uow.jobs.superseded([(job_id, 1), (job_id, 0), ("gone", 1)]) == [(job_id, 0), ("gone", 1)]


def test_workers_are_counted_while_they_are_seen(opens: PostgresUnitsOfWork, postgres_database: str) -> None:
    with opens() as uow:
        uow.jobs.announce("a", {"short": 2, "heavy": 1})
        uow.jobs.announce("b", {"short": 1})
        uow.jobs.announce("b", {"short": 3})
        assert (uow.jobs.slots("short"), uow.jobs.slots("heavy")) == (5, 1)
        uow.jobs.announce("b", {})
        assert uow.jobs.slots("short") == 2
        uow.commit()
    with psycopg.connect(postgres_database) as connection:
        connection.execute("UPDATE workers SET seen_at = now() - interval '2 minutes'")
    with opens() as uow:
        assert uow.jobs.slots("short") == 0


def test_each_event_is_told_and_none_twice_at_once(opens: PostgresUnitsOfWork) -> None:
    job_id = add(opens)
    step(opens, job_id, Dispatched(), Claimed("w1", LEASE), Completed(1))
    told: list[OutboxEvent] = []
    moves = JobMoves(open_unit_of_work=opens, handlers={})
    with opens() as other_relay:
        assert len(other_relay.jobs.take_outbox(10)) == 2
        assert OutboxRelay(moves=moves, tell=told.append).run_pass() == 0
    assert OutboxRelay(moves=moves, tell=told.append).run_pass() == 2
    assert OutboxRelay(moves=moves, tell=told.append).run_pass() == 0
    assert [(event.kind, event.body["state"]) for event in told] == [
        ("job.accepted", "PENDING"),
        ("job.ended", "COMPLETED"),
    ]
    with opens() as uow:
        assert uow.jobs.remove_relayed(NO_TIME) == 2


def test_an_event_whose_telling_fails_is_told_again(opens: PostgresUnitsOfWork) -> None:
    add(opens)
    moves = JobMoves(open_unit_of_work=opens, handlers={})

    def fail(_event: OutboxEvent) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        OutboxRelay(moves=moves, tell=fail).run_pass()
    told: list[OutboxEvent] = []
    assert OutboxRelay(moves=moves, tell=told.append).run_pass() == 1


def test_old_jobs_are_forgotten_and_others_kept(opens: PostgresUnitsOfWork) -> None:
    ended, open_one = add(opens, key="k"), add(opens)
    step(opens, ended, CancelRequested())
    with opens() as uow:
        assert uow.jobs.remove_ended(timedelta(hours=1), 10) == 0
        assert uow.jobs.remove_ended(NO_TIME, 10) == 1
        uow.commit()
        assert uow.jobs.get(ended) is None
        assert uow.jobs.get(open_one) is not None


class Tomorrow:
    """A clock that is a day and a little ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=25)


class Today:
    """The right time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def test_objects_that_nothing_names_are_removed_when_they_are_old(opens: PostgresUnitsOfWork, tmp_path: Path) -> None:
    objects = LocalObjectStore(tmp_path)
    named, left = "runs/run_1/2/members.parquet", "runs/run_1/1/members.parquet"
    upload, orphan = "blobs/ab/abc", "builds/gone/a1/vectors.faiss"
    for key in (named, left, upload, orphan):
        objects.put(key, key.encode())
    with opens() as uow:
        uow._connection.execute(text("ALTER TABLE cluster_runs DISABLE TRIGGER ALL"))  # no need of a cluster
        uow._connection.execute(
            text(
                "INSERT INTO cluster_runs (run_id, cluster_id, namespace_id, job_id, status, mode, overrides, metrics,"
                " effective, revisions, artifacts, centroids, created_at, completed_at) VALUES ('run_1', 'c', 'n', 'j',"
                " 'completed', 'sync', '{}', '{}', '{}', '{}', jsonb_build_object('members', CAST(:key AS text)), '[]',"
                " now(), now())"
            ),
            {"key": named},
        )
        uow.commit()
    job_id = add(opens)

    def sweep(clock: Tomorrow | Today) -> int:
        return ObjectSweep(open_unit_of_work=opens, objects=objects, clock=clock).run_pass()

    assert sweep(Today()) == 0
    assert sweep(Tomorrow()) == 2  # the run's job is still at work: its objects may be published yet
    assert [objects.exists(key) for key in (orphan, upload)] == [False, False]
    step(opens, job_id, CancelRequested())
    assert sweep(Tomorrow()) == 1
    assert [objects.exists(key) for key in (named, left)] == [True, False]
