"""What is done with runs over a real PostgreSQL: canceled, named, mapped, exported, and made from one another."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from shoald.application.artifacts import MemberRange
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import (
    ArtifactNotFound,
    BadRequest,
    DeadlineExceeded,
    ExecutionNotFound,
    InvalidFields,
    TooLarge,
)
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from shoald.transport.mapping.clusters.visualizations import visualization_json
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def completed(world: ClusterWorld, cluster: str, **changes: Any) -> ClusterRun:
    job = world.run(world.start(cluster, changes))
    assert job.state is JobState.COMPLETED, job.error_message
    return world.use_cases.artifacts.run(world.caller, cluster)


def two_groups(world: ClusterWorld, *sizes: int) -> tuple[str, ClusterRun]:
    world.store(groups_of(*sizes))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": len(sizes)}, stability="none")
    return cluster, completed(world, cluster)


def test_a_waiting_run_ends_at_once_when_it_is_canceled(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    job = world.start(cluster)
    run_id = job.payload["run_id"]
    ended = world.use_cases.executions.cancel(world.caller, cluster, run_id)
    assert ended.status == "canceled"
    assert world.run(job).state is JobState.CANCELED
    with pytest.raises(BadRequest, match="it is canceled"):
        world.use_cases.executions.cancel(world.caller, cluster, run_id)


def test_names_that_are_given_at_once_are_all_kept(world: ClusterWorld) -> None:
    cluster, run = two_groups(world, 20, 20)
    marks = world.use_cases.run_marks

    def give(at: int) -> None:
        marks.relabel(world.caller, cluster, run.run_id, {f"cl_{at % 2}": f"name {at}"})
        marks.rename(world.caller, cluster, run.run_id, f"run {at}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(give, range(8)))
    named = world.use_cases.artifacts.run(world.caller, cluster)
    assert set(named.label_overrides) == {"cl_0", "cl_1"}
    assert str(named.run_name).startswith("run ")


def test_groups_of_a_run_that_has_not_completed_get_no_names(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    run_id = world.start(cluster).payload["run_id"]
    with pytest.raises(ArtifactNotFound):
        world.use_cases.run_marks.relabel(world.caller, cluster, run_id, {"cl_0": "x"})
    assert world.use_cases.run_marks.rename(world.caller, cluster, run_id, " early ").run_name == "early"


def test_a_later_run_does_not_take_names_over(world: ClusterWorld) -> None:
    cluster, run = two_groups(world, 20, 20)
    world.use_cases.run_marks.relabel(world.caller, cluster, run.run_id, {"cl_0": "theirs"})
    later = completed(world, cluster, mode="assign")
    assert later.label_overrides == {}
    assert [row["label"] for row in later.groups] == [row["label"] for row in run.centroids]


def test_an_exported_table_has_the_present_names(world: ClusterWorld) -> None:
    cluster, run = two_groups(world, 20, 20)
    artifacts, objects = world.use_cases.artifacts, world.adapters.objects
    before = artifacts.export(run)
    world.use_cases.run_marks.relabel(world.caller, cluster, run.run_id, {"cl_1": "Given"})
    after = artifacts.export(artifacts.run(world.caller, cluster))
    tables = [_table(world, one.url) for one in (before, after)]
    assert tables[0].drop_columns(["cluster_label"]).equals(tables[1].drop_columns(["cluster_label"]))
    labels = zip(tables[1]["cluster_id"].to_pylist(), tables[1]["cluster_label"].to_pylist(), strict=True)
    assert dict(labels) == {"cl_0": run.centroids[0]["label"], "cl_1": "Given"}
    assert (after.rows, before.sha256 != after.sha256) == (42, True)
    [note] = [one.key for one in objects.list(f"runs/{run.run_id}/") if one.key.endswith(".json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "open_writer", None)  # the copy with these names is made once
        assert artifacts.export(artifacts.run(world.caller, cluster)).sha256 == after.sha256
    objects.delete(note.replace(".json", ".parquet"))
    assert artifacts.export(artifacts.run(world.caller, cluster)).sha256 == after.sha256
    assert _table(world, artifacts.export(artifacts.run(world.caller, cluster)).url).equals(tables[1])


def _table(world: ClusterWorld, url: str) -> Any:
    opened = world.use_cases.artifacts.open_file(url.rpartition("/")[2])
    return pq.read_table(io.BytesIO(b"".join(opened.parts)))


def test_text_of_more_rows_than_are_allowed_is_refused(world: ClusterWorld) -> None:
    _, run = two_groups(world, 20, 20)
    artifacts = world.use_cases.artifacts
    assert sum(len(batch["document_id"]) for batch in artifacts.documents(run)) == 40
    members = {**run.artifacts["members"], "rows": 100_001}  # more than documents where features are grouped apart
    with pytest.raises(TooLarge, match="at most 100000 rows"):
        artifacts.documents(replace(run, artifacts={**run.artifacts, "members": members}))


def test_a_map_shows_each_group_by_its_share(world: ClusterWorld) -> None:
    _, run = two_groups(world, 60, 30, 10)
    maps = world.use_cases.run_maps
    whole = _shown(world, run, most=1000)
    assert (whole["returned_members"], whole["sampled"]) == (100, False)
    some = _shown(world, run, most=20)
    assert Counter(one["cluster_id"] for one in some["members"]) == {"cl_0": 12, "cl_1": 6, "cl_2": 2}
    assert some == _shown(world, run, most=20)
    places = {one["document_id"]: (one["x"], one["y"]) for one in whole["members"]}
    assert all(places[one["document_id"]] == (one["x"], one["y"]) for one in some["members"])
    stored: dict[str, tuple[float, float]] = {}
    for batch in world.use_cases.artifacts.members(run, MemberRange()):
        stored.update(zip(batch["point_id"], zip(batch["x"], batch["y"], strict=True), strict=True))
    assert {one: tuple(map(np.float32, place)) for one, place in places.items()} == {
        one: tuple(map(np.float32, place)) for one, place in stored.items()
    }
    columns = orjson.loads(b"".join(part.data for part in visualization_json(maps.of(run, most=20), compact=True)))[
        "members"
    ]
    assert columns["document_ids"] == [one["document_id"] for one in some["members"]]
    assert list(zip(columns["x"], columns["y"], strict=True)) == [(one["x"], one["y"]) for one in some["members"]]


def _shown(world: ClusterWorld, run: ClusterRun, *, most: int) -> Any:
    parts = visualization_json(world.use_cases.run_maps.of(run, most=most), compact=False)
    return orjson.loads(b"".join(part.data for part in parts))


def test_features_that_are_grouped_apart_have_a_map_each(world: ClusterWorld) -> None:
    world.use_cases.collection_documents.import_batches(world.caller, *_two_features())
    asked = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}, "stability": "none"}
    cluster = world.define(**asked, feature_uris=["v", "w"], multi_feature_strategy="independent")
    run = completed(world, cluster)
    first, second = world.use_cases.run_maps.of(run), world.use_cases.run_maps.of(run, feature="w", most=5)
    assert (first.total, second.total, second.drawn) == (40, 40, 5)
    assert {str(row["cluster_id"])[:2] for row in first.groups} == {"v:"}
    words = [word for batch in second.members(["cluster_id"]) for word in batch["cluster_id"]]
    assert len(words) == 5
    assert {word[:2] for word in words} == {"w:"}


def _two_features() -> tuple[Any, list[Any]]:
    from shoald.application.collection_documents import Import
    from shoald.domain.records.collection import DocumentBatch, VectorColumn

    columns = [VectorColumn(name=name, values=groups_of(20, 20, seed=at)) for at, name in enumerate("vw")]
    names = [f"d{at:03d}" for at in range(40)]
    return Import(collection="things"), [DocumentBatch(ids=names, payloads=[{} for _ in names], vectors=columns)]


def with_map(world: ClusterWorld, run: ClusterRun) -> ClusterRun:
    """Ask for a map that was put off, which no worker draws here, draw it, and ask again."""
    maps = world.use_cases.run_maps
    with pytest.raises(DeadlineExceeded) as waiting:
        maps.with_map(world.caller, run, seconds=0)
    with pytest.raises(DeadlineExceeded) as still:
        maps.with_map(world.caller, run, seconds=0)
    assert still.value.detail == waiting.value.detail, "one job for all calls"
    job = world.run(world.use_cases.jobs.get(world.caller, str(waiting.value.detail["job_id"])))
    assert job.state is JobState.COMPLETED, job.error_message
    return maps.with_map(world.caller, run, seconds=1)


def test_two_who_ask_for_a_map_at_the_same_moment_have_one_job(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, _ = two_groups(world, 6, 4)
    run = completed(world, cluster, defer_visualization=True)
    maps = world.use_cases.run_maps
    with pytest.raises(DeadlineExceeded) as first:
        maps.with_map(world.caller, run, seconds=0)
    looked, look = list[str](), Jobs.accepted_before

    def too_early(jobs: Jobs, uow: UnitOfWork, request: JobRequest) -> Job | None:
        """See nothing at first, as who asks while another's job is not committed."""
        looked.append(request.job_type)
        return None if len(looked) == 1 else look(jobs, uow, request)

    monkeypatch.setattr(Jobs, "accepted_before", too_early)
    with pytest.raises(DeadlineExceeded) as second:
        maps.with_map(world.caller, run, seconds=0)
    assert second.value.detail == first.value.detail
    assert len(looked) == 2


def artifact_of(world: ClusterWorld, run: ClusterRun, name: str) -> Any:
    return pq.read_table(io.BytesIO(world.adapters.objects.get(run.artifacts[name]["key"])))


def test_a_map_that_was_put_off_is_that_which_the_run_would_have_drawn(world: ClusterWorld) -> None:
    cluster, whole = two_groups(world, 30, 20)
    run = completed(world, cluster, defer_visualization=True, layout_stability="none")
    world.use_cases.run_marks.relabel(world.caller, cluster, run.run_id, {"cl_1": "Given"})
    drawn = with_map(world, run)
    assert drawn.effective["map"]["dimensions"] == 2
    assert drawn.label_overrides == {"cl_1": "Given"}
    for name in ("members", "centroids", "cluster_documents"):
        now, then = artifact_of(world, drawn, name), artifact_of(world, whole, name)
        assert now.schema.equals(then.schema), name
        for axis in ("x", "y", "z"):
            assert now[axis].to_pylist() == pytest.approx(then[axis].to_pylist(), abs=1e-5), (name, axis)
    places = [(row["x"], row["y"], row["z"]) for row in drawn.centroids]
    assert places == [pytest.approx((row["x"], row["y"], row["z"]), abs=1e-5) for row in whole.centroids]


def test_features_that_are_grouped_apart_get_their_maps_later(world: ClusterWorld) -> None:
    world.use_cases.collection_documents.import_batches(world.caller, *_two_features())
    asked = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}, "stability": "none"}
    cluster = world.define(**asked, feature_uris=["v", "w"], multi_feature_strategy="independent")
    drawn = with_map(world, completed(world, cluster, defer_visualization=True))
    for name in ("members", "cluster_documents", "centroids"):
        table = artifact_of(world, drawn, name)
        assert not np.isnan(np.array(table["x"].to_pylist(), dtype=float)).any(), name
    assert len(_shown(world, drawn, most=100)["members"]) == 40


def composite_of(world: ClusterWorld, cluster: str, *runs: ClusterRun, **changes: Any) -> ClusterRun:
    return completed(world, cluster, mode="composite", source_execution_ids=[one.run_id for one in runs], **changes)


def test_a_composite_run_joins_the_groups_of_partitions(world: ClusterWorld) -> None:
    cluster, _ = two_groups(world, 40, 30, 20)
    asked = [{"AND": [{"field": "n", "operator": word, "value": 60}]} for word in ("lt", "gte")]
    parts = [completed(world, cluster, filters=one, algorithm_params={"n_clusters": 2}) for one in asked]
    made = composite_of(world, cluster, *parts, algorithm_params={"n_clusters": 3})
    assert (made.num_clusters, made.num_points, made.mode) == (3, 90, "composite")
    assert [row["num_members"] for row in made.centroids] == [40, 30, 20]
    mapping = made.effective["composite"]["mapping"]
    assert {word: len(found) for word, found in mapping.items()} == {"cl_0": 1, "cl_1": 2, "cl_2": 1}
    origins: dict[str, tuple[str, str]] = {}
    for batch in world.use_cases.artifacts.members(made, MemberRange()):
        pairs = zip(batch["source_run_id"], batch["cluster_id"], strict=True)
        origins.update(zip(batch["point_id"], pairs, strict=True))
    assert origins["d00000"] == (parts[0].run_id, "cl_0")
    assert origins["d00050"] == (parts[0].run_id, "cl_1")
    assert origins["d00065"] == (parts[1].run_id, "cl_1")
    assert origins["d00080"] == (parts[1].run_id, "cl_2")
    whole = groups_of(40, 30, 20)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    vectors = world.use_cases.artifacts.centroid_vectors(made)
    assert vectors["cl_1"] == pytest.approx(whole[40:70].mean(axis=0), abs=1e-5)


def test_a_document_of_two_sources_counts_once_and_ids_stay(world: ClusterWorld) -> None:
    cluster, first = two_groups(world, 30, 20)
    second = completed(world, cluster)
    made = composite_of(world, cluster, first, second)
    assert (made.num_points, made.num_clusters) == (50, 2)
    assert any("more than one source" in warning for warning in made.effective["warnings"])
    again = composite_of(world, cluster, second, first)
    assert {row["cluster_id"]: row["num_members"] for row in again.centroids} == {"cl_0": 30, "cl_1": 20}
    assert again.effective["identity"]["matched_to"] == made.run_id
    assert world.run(world.start(cluster, {"mode": "assign"})).state is JobState.COMPLETED


def test_runs_that_do_not_fit_are_refused_at_once(world: ClusterWorld) -> None:
    cluster, run = two_groups(world, 20, 20)
    by_attribute = {
        "collection_ids": ["things"],
        "cluster_type": "attribute",
        "attribute_config": {"attributes": ["n"]},
    }
    other = world.use_cases.clusters.create(world.caller, by_attribute).cluster.cluster_id
    flat = completed(world, other)
    waiting = world.start(cluster).payload["run_id"]
    for sources, failure in (
        ([run.run_id], InvalidFields),
        ([run.run_id, run.run_id], InvalidFields),
        ([run.run_id, flat.run_id], InvalidFields),
        ([run.run_id, "run_0000000000000000"], ExecutionNotFound),
        ([run.run_id, waiting], ArtifactNotFound),
    ):
        with pytest.raises(failure):
            world.start(cluster, {"mode": "composite", "source_execution_ids": sources})
    # a definition by attributes knows no parameters
    asked = {"mode": "composite", "source_execution_ids": [run.run_id] * 2, "algorithm_params": {"n_clusters": "many"}}
    with pytest.raises(InvalidFields, match=r"algorithm_params\.n_clusters"):
        world.start(other, asked)
