"""What a completed run writes for others to read: one collection, the whole run or the whole run before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from shoald.adapters.postgres.collections import PostgresCollections
from shoald.application.artifacts import MemberRange
from shoald.application.collection_documents import Import
from shoald.application.listing import ListQuery
from shoald.domain.failures import CollectionNotFound, DeadlineExceeded
from shoald.domain.records.collection import Collection, DocumentBatch, VectorColumn
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of
from support.killed_attempt import kill_attempt

pytestmark = pytest.mark.integration

KMEANS = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}, "stability": "none"}


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def outputs(world: ClusterWorld, cluster: str) -> list[Collection]:
    shown = world.use_cases.clusters.get(world.caller, cluster).outputs
    found = [world.use_cases.collections.get(world.caller, one) for one, _ in shown]
    assert [one.collection_name for one in found] == [name for _, name in shown]
    return found


def documents(world: ClusterWorld, collection_id: str) -> dict[str, dict[str, Any]]:
    query = ListQuery(limit=1000)
    page = world.use_cases.collection_documents.list(world.caller, collection_id, query)
    return {one.document.document_id: dict(one.document.payload) for one in page.items}


def run(world: ClusterWorld, cluster: str, **changes: Any) -> str:
    job = world.run(world.start(cluster, changes))
    assert job.state is JobState.COMPLETED, job.error_message
    run_id: str = job.payload["run_id"]
    return run_id


def by_attributes(world: ClusterWorld, name: str | None = None, **config: Any) -> str:
    asked = {
        "collection_ids": ["things"],
        "cluster_type": "attribute",
        "attribute_config": {"attributes": ["kind"], **config},
        "cluster_name": name,
    }
    return world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id


def store_kinds(world: ClusterWorld, *kinds: str | None, replace: bool = False) -> str:
    batch = DocumentBatch(
        ids=[f"d{at}" for at in range(len(kinds))],
        payloads=[{"n": at} if kind is None else {"n": at, "kind": kind} for at, kind in enumerate(kinds)],
        vectors=[],
    )
    into = Import(collection="things", replace=replace)
    return world.use_cases.collection_documents.import_batches(world.caller, into, [batch]).collection_id


def test_the_output_is_what_the_artifacts_are(world: ClusterWorld) -> None:
    source = world.store(groups_of(30, 20))
    cluster = world.define(**KMEANS)
    run_id = run(world, cluster)
    [output] = outputs(world, cluster)
    found = documents(world, output.collection_id)
    assert output.document_count == len(found) == 52
    centroids = {key: one for key, one in found.items() if one["is_centroid"]}
    assert {key: one["member_count"] for key, one in centroids.items()} == {"centroid:cl_0": 30, "centroid:cl_1": 20}
    stored = world.use_cases.artifacts.run(world.caller, cluster)
    assert {one["cluster_label"] for one in centroids.values()} == {row["label"] for row in stored.centroids}
    for batch in world.use_cases.artifacts.members(stored, MemberRange()):
        for at, document_id in enumerate(batch["point_id"]):
            member = found.pop(f"member:{source}:{document_id}")
            assert (member["source_document_id"], member["cluster_id"]) == (document_id, batch["cluster_id"][at])
            assert (member["x"], member["y"]) == (batch["x"][at], batch["y"][at])
            assert member["distance_to_centroid"] == 1 - batch["cosine_similarity_to_centroid"][at]
            assert member["cluster_label"] == centroids[f"centroid:{member['cluster_id']}"]["cluster_label"]
            assert (member["is_centroid"], member["run_id"]) == (False, run_id)
    assert found.keys() == centroids.keys()


def test_groups_have_their_vectors_and_members_none(world: ClusterWorld) -> None:
    world.store(groups_of(30, 20))
    cluster = world.define(**KMEANS)
    run(world, cluster)
    [output] = outputs(world, cluster)
    with world.adapters.open_unit_of_work() as uow:
        vectors = uow.collections.vectors(output.collection_id, list(documents(world, output.collection_id)))
    known = world.use_cases.artifacts.centroid_vectors(world.use_cases.artifacts.run(world.caller, cluster))
    assert np.asarray(vectors.pop("centroid:cl_0")["centroid"]).tolist() == known["cl_0"].tolist()
    assert np.asarray(vectors.pop("centroid:cl_1")["centroid"]).tolist() == known["cl_1"].tolist()
    assert not any(vectors.values())


def test_noise_is_a_group_of_its_own(world: ClusterWorld) -> None:
    store_kinds(world, "a", "a", None, None, None)
    cluster = by_attributes(world)
    run(world, cluster)
    [output] = outputs(world, cluster)
    found = documents(world, output.collection_id)
    assert found["centroid:cl_cluster_noise"]["member_count"] == 3
    assert Counter(one["cluster_id"] for one in found.values() if not one["is_centroid"])["-1"] == 3
    assert {one["cluster_label"] for one in found.values() if one["cluster_id"] == "-1"} == {"noise"}


def test_the_next_run_replaces_all_of_it(world: ClusterWorld) -> None:
    store_kinds(world, "a", "a", "b")
    cluster = by_attributes(world)
    run(world, cluster)
    [before] = outputs(world, cluster)
    store_kinds(world, "c", replace=True)
    last = run(world, cluster)
    [after] = outputs(world, cluster)
    found = documents(world, after.collection_id)
    assert after.collection_id == before.collection_id
    assert {one["run_id"] for one in found.values()} == {last}
    assert len(found) == after.document_count == 2


def test_a_run_that_a_newer_one_overtook_writes_nothing(world: ClusterWorld) -> None:
    store_kinds(world, "a", "a", "b")
    cluster = by_attributes(world)
    late = world.start(cluster)
    newest = run(world, cluster)
    assert world.run(late).state is JobState.COMPLETED
    [output] = outputs(world, cluster)
    assert {one["run_id"] for one in documents(world, output.collection_id).values()} == {newest}


def test_a_killed_writer_leaves_the_run_before_whole(world: ClusterWorld) -> None:
    store_kinds(world, *"abcab")
    cluster = by_attributes(world)
    first = run(world, cluster)
    [output] = outputs(world, cluster)
    before = documents(world, output.collection_id)
    store_kinds(world, *"aabb", replace=True)
    job = world.start(cluster)
    kill_attempt(world, job, PostgresCollections, "_copy_documents", at_call=2)
    assert documents(world, output.collection_id) == before
    assert {one["run_id"] for one in before.values()} == {first}
    again = world.run(world.use_cases.jobs.get(world.caller, job.job_id))
    assert (again.state, again.attempt) == (JobState.COMPLETED, 2)
    found = documents(world, output.collection_id)
    assert Counter(one["cluster_id"] for one in found.values() if not one["is_centroid"]).total() == 4
    assert {one["run_id"] for one in found.values()} == {job.payload["run_id"]}


def test_a_run_can_be_named_while_its_output_is_written_and_its_cluster_stays(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_kinds(world, *"ab")
    cluster = by_attributes(world)
    job = world.start(cluster)
    run_id, real = job.payload["run_id"], PostgresCollections.replace_documents
    free_for_deletion = text("SELECT run_id FROM cluster_runs WHERE run_id = :run_id FOR UPDATE SKIP LOCKED")
    seen: list[Any] = []

    def replaced(*arguments: Any, **named: Any) -> int:
        world.use_cases.run_marks.rename(world.caller, cluster, run_id, "meanwhile")
        with engine.connect() as other:
            seen.append(other.execute(free_for_deletion, {"run_id": run_id}).all())
        return real(*arguments, **named)

    engine = create_engine(world.adapters.settings.database_url)
    monkeypatch.setattr(PostgresCollections, "replace_documents", replaced)
    assert world.run(job).state is JobState.COMPLETED
    engine.dispose()
    assert seen == [[]]
    assert world.use_cases.artifacts.run(world.caller, cluster).run_name == "meanwhile"


def test_each_feature_can_have_a_collection_of_its_own(world: ClusterWorld) -> None:
    _store_two_features(world)
    apart = {**KMEANS, "feature_uris": ["one", "two"], "multi_feature_strategy": "independent"}
    together, separate = world.define(**apart), world.define(**apart, output_strategy="per_feature")
    run(world, together)
    run(world, separate)
    [both] = outputs(world, together)
    of_both = documents(world, both.collection_id)
    assert len([one for one in of_both.values() if not one["is_centroid"]]) == 80
    for feature, output in zip(("one", "two"), outputs(world, separate), strict=True):
        found = documents(world, output.collection_id)
        mine = {key for key, one in of_both.items() if one["cluster_id"].startswith(f"{feature}:")}
        assert {key.replace("member:", f"member:{feature}:") for key in found} == mine
        assert output.collection_name.endswith(f"_output_{feature}")


def _store_two_features(world: ClusterWorld) -> None:
    vectors = groups_of(20, 20)
    batch = DocumentBatch(
        ids=[f"d{at:02d}" for at in range(40)],
        payloads=[{}] * 40,
        vectors=[VectorColumn(name="one", values=vectors), VectorColumn(name="two", values=vectors[:, :8].copy())],
    )
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])


def test_members_know_the_groups_above_theirs(world: ClusterWorld) -> None:
    payloads = [{"kind": kind, "sub": sub} for kind in "ab" for sub in "xy"]
    batch = DocumentBatch(ids=["d0", "d1", "d2", "d3"], payloads=payloads, vectors=[])
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    cluster = by_attributes(world, attributes=["kind", "sub"], hierarchical_grouping=True)
    run(world, cluster)
    [output] = outputs(world, cluster)
    found = documents(world, output.collection_id)
    centroids = {one["cluster_id"]: one for one in found.values() if one["is_centroid"]}
    paths = [one["cluster_path"] for one in found.values() if not one["is_centroid"]]
    assert len(paths) == 4
    assert all(centroids[below]["parent_cluster_id"] == above for above, below in paths)
    assert sorted(one["member_count"] for one in centroids.values()) == [1, 1, 1, 1, 2, 2]


def test_output_goes_with_its_cluster_unless_it_is_kept(world: ClusterWorld) -> None:
    store_kinds(world, "a", "b")
    gone, kept = by_attributes(world), by_attributes(world)
    for cluster in (gone, kept):
        run(world, cluster)
    [of_gone], [of_kept] = outputs(world, gone), outputs(world, kept)
    world.use_cases.clusters.delete(world.caller, gone)
    world.use_cases.clusters.delete(world.caller, kept, keeps_output=True)
    with pytest.raises(CollectionNotFound):
        world.use_cases.collections.get(world.caller, of_gone.collection_id)
    assert len(documents(world, of_kept.collection_id)) == 4


def test_a_name_that_is_taken_is_left_alone(world: ClusterWorld) -> None:
    store_kinds(world, "a", "b")
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="kinds_output"), [])
    cluster = by_attributes(world, "kinds")
    run(world, cluster)
    [output] = outputs(world, cluster)
    assert output.collection_name == f"kinds_output ({cluster})"


def test_a_deleted_output_is_made_again(world: ClusterWorld) -> None:
    store_kinds(world, "a", "b")
    cluster = by_attributes(world)
    run(world, cluster)
    [output] = outputs(world, cluster)
    world.use_cases.collections.delete(world.caller, output.collection_id)
    assert outputs(world, cluster) == []
    run(world, cluster)
    [again] = outputs(world, cluster)
    assert (again.collection_name, again.document_count) == (output.collection_name, 4)


def test_names_that_people_give_to_groups_reach_the_output(world: ClusterWorld) -> None:
    store_kinds(world, "a", "a", "b", None)
    cluster = by_attributes(world)
    first, last = run(world, cluster), run(world, cluster)
    [output] = outputs(world, cluster)
    words = {one["cluster_label"]: one["cluster_id"] for one in documents(world, output.collection_id).values()}
    marks = world.use_cases.run_marks
    marks.relabel(world.caller, cluster, last, {words["a"]: "apples", "cl_cluster_noise": "the rest"})
    _do_relabeling(world)
    found = Counter(one["cluster_label"] for one in documents(world, output.collection_id).values())
    assert found == {"apples": 3, "b": 2, "the rest": 2}
    marks.relabel(world.caller, cluster, last, {words["a"]: ""})
    _do_relabeling(world)
    found = Counter(one["cluster_label"] for one in documents(world, output.collection_id).values())
    assert found == {"a": 3, "b": 2, "the rest": 2}
    marks.relabel(world.caller, cluster, first, {words["a"]: "of a run that is not shown any more"})
    assert len(_relabelings(world)) == 2


def _relabelings(world: ClusterWorld) -> list[Any]:
    jobs, _ = world.use_cases.jobs.list(world.caller, job_types=["cluster_output_labels"])
    return jobs


def _do_relabeling(world: ClusterWorld) -> None:
    assert world.run(_relabelings(world)[0]).state is JobState.COMPLETED


def test_a_map_that_is_drawn_later_reaches_the_output(world: ClusterWorld) -> None:
    source = world.store(groups_of(30, 20))
    cluster = world.define(**KMEANS)
    run(world, cluster, defer_visualization=True)
    [output] = outputs(world, cluster)
    assert not any(one.get("x") for one in documents(world, output.collection_id).values())
    maps, flat = world.use_cases.run_maps, world.use_cases.artifacts.run(world.caller, cluster)
    with pytest.raises(DeadlineExceeded) as waiting:
        maps.with_map(world.caller, flat, seconds=0)
    job = world.run(world.use_cases.jobs.get(world.caller, str(waiting.value.detail["job_id"])))
    assert job.state is JobState.COMPLETED, job.error_message
    drawn = world.use_cases.artifacts.run(world.caller, cluster)
    found = documents(world, output.collection_id)
    for row in drawn.centroids:
        shown = found[f"centroid:{row['cluster_id']}"]
        assert (shown["x"], shown["y"], shown["member_count"]) == (row["x"], row["y"], row["num_members"])
    for batch in world.use_cases.artifacts.members(drawn, MemberRange()):
        for at, document_id in enumerate(batch["point_id"]):
            shown = found[f"member:{source}:{document_id}"]
            assert (shown["x"], shown["y"]) == (batch["x"][at], batch["y"][at])
