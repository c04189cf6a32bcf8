"""Groups over time, over a real PostgreSQL and object store: histories, drift and news of runs."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from shoald.adapters.postgres.collections import PostgresCollections
from shoald.application.collection_documents import Import
from shoald.application.group_histories import Answered, HistoryQuestion, NewsPage, NewsQuestion
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.object_sweep import ObjectSweep
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import ArtifactNotFound, InvalidFields
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration
SECONDS = 60


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


@dataclass(frozen=True)
class Small:
    """A world that no test changes, and the run of `a_small_world` in it."""

    world: ClusterWorld
    run: ClusterRun


@pytest.fixture(scope="module")
def small(database_maker: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    url = database_maker.make()
    with cluster_world(url, tmp_path_factory.mktemp("data")) as made:
        yield Small(made, a_small_world(made))
    database_maker.drop(url)


def store(
    world: ClusterWorld, vectors: npt.NDArray[np.float32], payloads: list[dict[str, Any]], *, first: int = 0
) -> None:
    batch = DocumentBatch(
        ids=[f"d{first + at:05d}" for at in range(len(vectors))],
        payloads=payloads,
        vectors=[VectorColumn(name="v", values=np.ascontiguousarray(vectors))],
    )
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])


def ran(world: ClusterWorld, cluster: str, **changes: Any) -> ClusterRun:
    job = world.run(world.start(cluster, changes))
    assert job.state is JobState.COMPLETED, job.error_message
    return world.use_cases.artifacts.run(world.caller, cluster, job.payload["run_id"])


def grouped(world: ClusterWorld, k: int = 2) -> str:
    return world.define(clustering_method="kmeans", algorithm_params={"n_clusters": k, "random_state": 0})


def history(world: ClusterWorld, run: ClusterRun, **asked: Any) -> Answered:
    question = HistoryQuestion(**{"field": "meta.at", **asked})
    return world.use_cases.group_histories.history(world.caller, run, question, seconds=SECONDS)


def news(
    world: ClusterWorld, run: ClusterRun, *, limit: int = 100, cursor: str | None = None, **asked: Any
) -> NewsPage:
    question = NewsQuestion(**{"field": "meta.at", **asked})
    return world.use_cases.group_histories.news(
        world.caller, run, question, limit=limit, cursor=cursor, seconds=SECONDS
    )


def rows(world: ClusterWorld, answered: Answered) -> list[dict[str, Any]]:
    found = []
    for batch in world.use_cases.group_histories.rows(answered):
        found += [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
    return found


def jobs_made(world: ClusterWorld) -> int:
    return world.use_cases.jobs.list(world.caller, job_types=["run_history"])[1]


def a_small_world(world: ClusterWorld) -> ClusterRun:
    """Ten documents in each of two groups: the first grows from month to month, the second was large once."""
    times = ["2024-01-10", "2024-02-10T08:00:00Z", 1707552000, 1707552000000, "2024-03-30T23:30:00Z"]
    times += ["2024-03-31", "2024-03-01", "2024-03-01", None, "soon"]
    times += [f"2024-01-{day:02}" for day in range(1, 9)] + ["2024-04-01", "2024-06-01"]
    payloads = [{"title": f"text {at}", "meta": {} if time is None else {"at": time}} for at, time in enumerate(times)]
    store(world, groups_of(10, 10), payloads)
    return ran(world, grouped(world))


def test_groups_grow_and_shrink(small: Small) -> None:
    world, run = small.world, small.run
    answered = history(world, run, time_zone="Europe/Berlin")
    by_group: dict[str, list[tuple[str, int, int, int]]] = {}
    for row in rows(world, answered):
        figures = (row["bucket"], row["documents"], row["change"], row["total"])
        by_group.setdefault(row["cluster_id"], []).append(figures)
    grown = [("2024-01", 1, 1, 1), ("2024-02", 3, 2, 4), ("2024-03", 4, 1, 8), ("2024-04", 0, -4, 8)]
    shrunk = [("2024-01", 8, 8, 8), ("2024-02", 0, -8, 8), ("2024-04", 1, 1, 9), ("2024-05", 0, -1, 9)]
    assert sorted(by_group.values()) == [grown, [*shrunk, ("2024-06", 1, 1, 10)]]
    times = answered.about["times"]
    assert (times["with_time"], times["without_time"], times["unreadable"], times["gone"]) == (18, 1, 1, 0)
    assert times["unreadable_example"] == '"soon"'
    assert times["latest"] == "2024-05-31T22:00:00+00:00"
    march = next(row for row in rows(world, answered) if row["bucket"] == "2024-03")
    assert march["ends_at"] - march["starts_at"] == timedelta(days=31, hours=-1)
    assert march["share"] == 1.0


def test_documents_that_are_gone_are_said_and_a_change_is_seen(world: ClusterWorld) -> None:
    run = a_small_world(world)
    before = history(world, run)
    assert history(world, run).job_id == before.job_id
    assert jobs_made(world) == 1
    assert history(world, run, field="updated_at").job_id != history(world, run, field="updated_at").job_id
    world.use_cases.document_changes.delete(world.caller, "things", "d00000")
    after = history(world, run)
    assert after.job_id != before.job_id
    assert (after.about["times"]["gone"], after.about["times"]["with_time"]) == (1, 17)


def test_without_a_field_it_is_when_documents_were_stored(small: Small) -> None:
    world, run = small.world, small.run
    found = rows(world, history(world, run, field="created_at", bucket="year"))
    assert [row["documents"] for row in found] == [10, 10]
    assert {row["bucket"] for row in found} == {f"{datetime.now(UTC).year}"}


def test_what_cannot_be_is_named(small: Small) -> None:
    world, run = small.world, small.run
    for asked, place, words in (
        ({"field": "meta.none"}, "field", "no document of this execution has a value there"),
        ({"field": "title"}, "field", 'values such as "text'),
        ({"field": "a..b"}, "field", "single dots"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "Europe/Berlin"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "Europe/Berlin"),
    ):
        with pytest.raises(InvalidFields, match=words) as caught:
            history(world, run, **asked)
        assert caught.value.problems[0].loc == ("query", place)
    with pytest.raises(InvalidFields, match="must be a time such as") as caught:
        news(world, run, since="yesterday")
    assert caught.value.problems[0].loc == ("query", "since")
    with pytest.raises(InvalidFields, match="of the years 2 to 9998"):
        news(world, run, since="0001-01-01")
    with pytest.raises(InvalidFields, match="id of a group") as caught:
        news(world, run, since="2024-01-01", group="cl_77")
    assert caught.value.problems[0].loc == ("query", "in_group")


def test_too_many_rows_name_the_bucket(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    world, run = small.world, small.run
    monkeypatch.setattr("shoald.domain.histories.group_counts.GroupCounts.is_too_fine", True)
    with pytest.raises(InvalidFields, match="more than 200000 rows") as caught:
        history(world, run, bucket="day")
    assert caught.value.problems[0].loc == ("query", "bucket")


def test_a_history_is_a_parquet_file_behind_an_address(small: Small) -> None:
    world, run = small.world, small.run
    answered = history(world, run)
    link = world.use_cases.group_histories.export(answered, "history")
    content = b"".join(world.use_cases.artifacts.open_file(link.url.rsplit("/", 1)[1]).parts)
    table = pq.read_table(io.BytesIO(content))
    assert (table.num_rows, link.rows, link.filename) == (link.rows, 9, f"history_{run.run_id}.parquet")
    assert str(table.schema.field("starts_at").type) == "timestamp[ms, tz=UTC]"
    assert table.to_pylist() == rows(world, answered)


def test_a_file_that_was_swept_is_made_again(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    world, run = small.world, small.run
    before = history(world, run)
    sweep = ObjectSweep(
        open_unit_of_work=world.adapters.open_as_system, objects=world.adapters.objects, clock=world.adapters.clock
    )
    later = world.adapters.clock.now() + timedelta(hours=25)
    monkeypatch.setattr(type(world.adapters.clock), "now", lambda _: later)
    sweep.run_pass()
    assert not world.adapters.objects.exists(before.file["key"])
    monkeypatch.undo()
    again = history(world, run)
    assert again.job_id != before.job_id
    assert rows(world, again)
    assert history(world, run).job_id == again.job_id, "what was made again is kept as well"


def test_the_same_question_at_the_same_moment_has_one_answer(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = history(small.world, small.run, bucket="week")
    looked, look = list[str](), Jobs.accepted_before

    def too_early(jobs: Jobs, uow: UnitOfWork, request: JobRequest) -> Job | None:
        """See nothing at first, as who asks while another's job is not committed."""
        looked.append(request.job_type)
        return None if len(looked) == 1 else look(jobs, uow, request)

    monkeypatch.setattr(Jobs, "accepted_before", too_early)
    assert history(small.world, small.run, bucket="week").job_id == before.job_id
    assert len(looked) == 2


def test_news_are_counted_by_group_and_listed_newest_first(small: Small) -> None:
    world, run = small.world, small.run
    first = news(world, run, since="2024-03-01", limit=3)
    about = first.answered.about
    assert (about["total"], [one["new_documents"] for one in about["groups"]]) == (6, [4, 2])
    assert first.columns["document_id"] == ["d00019", "d00018", "d00005"]
    second = news(world, run, since="2024-03-01", limit=3, cursor=first.next_cursor)
    assert second.columns["document_id"] == ["d00004", "d00006", "d00007"]
    assert (second.next_cursor, second.answered.job_id) == (None, first.answered.job_id)
    group = first.columns["cluster_id"][0]
    only = news(world, run, since="2024-03-01", group=group)
    assert (only.columns["document_id"], only.answered.about["total"]) == (["d00019", "d00018"], 6)
    nothing = news(world, run, since="2030-01-01")
    assert (nothing.answered.about["total"], list(nothing.answered.about["groups"])) == (0, [])
    assert not nothing.columns.get("document_id")


def test_pages_of_a_cursor_are_of_one_answer(world: ClusterWorld) -> None:
    run = a_small_world(world)
    first = news(world, run, since="2024-03-01", limit=3)
    world.use_cases.document_changes.delete(world.caller, "things", "d00019")
    second = news(world, run, since="2024-03-01", limit=3, cursor=first.next_cursor)
    assert second.columns["document_id"] == ["d00004", "d00006", "d00007"]
    assert news(world, run, since="2024-03-01", limit=3).columns["document_id"][0] == "d00018"


def drift(world: ClusterWorld, run: ClusterRun, earlier: str | None = None) -> tuple[Answered, list[dict[str, Any]]]:
    answered = world.use_cases.group_histories.drift(world.caller, run, earlier, seconds=SECONDS)
    return answered, rows(world, answered)


def test_drift_says_what_became_of_groups(world: ClusterWorld) -> None:
    vectors = groups_of(20, 20, 20)
    store(world, vectors[:40], [{} for _ in range(40)])
    cluster = world.define(clustering_method="dbscan", algorithm_params={"eps": 0.4, "min_samples": 3})
    first = ran(world, cluster)
    with pytest.raises(ArtifactNotFound, match="took up the groups of none"):
        drift(world, first)
    store(world, vectors[40:], [{} for _ in range(20)], first=40)
    world.use_cases.document_changes.delete(world.caller, "things", "d00000")
    second = ran(world, cluster)
    about, found = drift(world, second)
    assert [row["fate"] for row in found] == ["kept", "kept", "born"]
    assert [row["change"] for row in found] == [-1, 0, 20]
    assert [row["shared"] for row in found] == [19, 20, 0]
    assert [row["share_moved"] for row in found] == [0.0, 0.0, None]
    assert found[1]["centroid_cosine"] == pytest.approx(1.0)
    assert 0.99 < found[0]["centroid_cosine"] < 1.0
    assert (about.about["members_in_both"], about.about["members_moved"]) == (39, 0)
    assert (about.about["members_new"], about.about["members_gone"]) == (20, 1)
    third = ran(world, cluster, filters={"AND": [{"field": "document_id", "operator": "gte", "value": "d00020"}]})
    over_two, rows_of_two = drift(world, third, first.run_id)
    assert over_two.about["earlier_run_id"] == first.run_id
    assert sorted(row["fate"] for row in rows_of_two) == ["born", "died", "kept"]
    with pytest.raises(InvalidFields, match=f"the one before it is {second.run_id}") as caught:
        drift(world, third, third.run_id)
    assert caught.value.problems[0].loc == ("query", "earlier_run_id")


def test_members_that_moved_are_counted(world: ClusterWorld) -> None:
    vectors = groups_of(20, 20)
    store(world, vectors, [{} for _ in range(40)])
    cluster = grouped(world)
    ran(world, cluster)
    store(world, vectors[20:25], [{} for _ in range(5)])  # five documents of the first group are where the second is
    about, found = drift(world, ran(world, cluster))
    assert (about.about["members_in_both"], about.about["members_moved"]) == (40, 5)
    assert about.about["share_moved"] == 0.125
    assert sorted((row["share_moved"], row["change"]) for row in found) == [(0.0, 5), (0.25, -5)]
    assert 0 < about.about["mean_centroid_cosine"] <= 1


@pytest.mark.nightly
def test_memory_is_that_of_the_answer_and_not_of_the_members(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass, one query for each batch of members; what is held is a batch, the counts, and 20 bytes a member."""
    many, day = 200_000, 86_400
    vectors = groups_of(many // 4, many // 4, many // 4, many // 4, dimension=4)
    for first in range(0, many, 20_000):
        payloads = [{"meta": {"at": 1_700_000_000 + (at % 400) * day}} for at in range(first, first + 20_000)]
        store(world, vectors[first : first + 20_000], payloads, first=first)
    cluster = grouped(world, 4)
    runs = [ran(world, cluster, defer_visualization=True) for _ in range(2)]
    asked: list[int] = []
    values = PostgresCollections.values

    def counted(self: PostgresCollections, ids: Any, names: Any, path: Any) -> Any:
        asked.append(len(names))
        return values(self, ids, names, path)

    monkeypatch.setattr(PostgresCollections, "values", counted)
    tracemalloc.start()
    try:
        found = answered_at_length(lambda: history(world, runs[1], bucket="day"))
        at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        compared = answered_at_length(lambda: drift(world, runs[1])[0])
        of_drift = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(asked), sum(asked)) == (-(-many // 8192), many)
    assert found.about["times"]["with_time"] == many
    assert sum(row["documents"] for row in rows(world, found)) == many
    assert compared.about["members_in_both"] == many
    assert at_most < 48 * 2**20
    assert of_drift < 64 * 2**20 + 2 * many * 60


def answered_at_length(ask: Callable[[], Answered]) -> Answered:
    """Ask what takes longer than a call does at once: a worker would do it, here it is done beside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "dispatch", lambda jobs, job: jobs.runner.run(job.job_id, dispatch=True))
        return ask()


def test_a_run_that_assigned_goes_back_to_the_run_whose_groups_it_took(world: ClusterWorld) -> None:
    vectors = groups_of(20, 20)
    store(world, vectors[::2], [{} for _ in range(20)])
    cluster = grouped(world)
    first = ran(world, cluster)
    store(world, vectors[1::2], [{} for _ in range(20)], first=20)
    second = ran(world, cluster, mode="assign")
    assert second.previous_run_id == first.run_id
    about, found = drift(world, second)
    assert about.about["earlier_run_id"] == first.run_id
    assert [(row["fate"], row["change"]) for row in found] == [("kept", 10), ("kept", 10)]


def test_where_features_were_grouped_apart_a_document_counts_for_each(world: ClusterWorld) -> None:
    values = {"a": groups_of(10, 10), "b": groups_of(5, 15, seed=1)}
    times = [{"meta": {"at": f"2024-0{1 + at % 2}-01"}} for at in range(20)]
    columns = [VectorColumn(name=name, values=rows) for name, rows in values.items()]
    batch = DocumentBatch(ids=[f"d{at:05d}" for at in range(20)], payloads=times, vectors=columns)
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    asked = {"clustering_method": "dbscan", "algorithm_params": {"eps": 0.5, "min_samples": 2}, "stability": "none"}
    cluster = world.define(**asked, feature_uris=["a", "b"], multi_feature_strategy="independent")
    first, second = ran(world, cluster), ran(world, cluster)
    answered = history(world, second)
    assert answered.about["times"]["with_time"] == 40
    sizes: dict[str, int] = {}
    for row in rows(world, answered):
        sizes[row["cluster_id"]] = sizes.get(row["cluster_id"], 0) + row["documents"]
    assert sizes == {row["cluster_id"]: row["num_members"] for row in second.centroids}
    about, found = drift(world, second, first.run_id)
    assert (about.about["members_in_both"], about.about["members_moved"]) == (40, 0)
    assert {row["cluster_id"] for row in found} == set(sizes)
    assert {(row["fate"], round(row["centroid_cosine"], 6)) for row in found} == {("kept", 1.0)}


def test_groups_by_attributes_have_a_history_too(world: ClusterWorld) -> None:
    payloads = [{"kind": "odd" if at % 2 else "even", "meta": {"at": 1_700_000_000 + at}} for at in range(6)]
    store(world, groups_of(6), payloads)
    asked = {"collection_ids": ["things"], "cluster_type": "attribute", "attribute_config": {"attributes": ["kind"]}}
    run = ran(world, world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id)
    found = rows(world, history(world, run, bucket="hour"))
    assert sorted((row["label"], row["bucket"], row["documents"]) for row in found) == [
        ("even", "2023-11-14T22+00:00", 3),
        ("odd", "2023-11-14T22+00:00", 3),
    ]
