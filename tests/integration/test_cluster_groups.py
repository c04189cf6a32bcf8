"""What runs make of groups over a real PostgreSQL: attributes, divisions, faces, samples, ids that stay, maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoald.application import cluster_stages, executions
from shoald.application.artifacts import MemberRange
from shoald.application.collection_documents import Import, Upsert
from shoald.application.document_vectors import IncomingDocument
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration
KMEANS = {"clustering_method": "kmeans", "stability": "none"}


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def columns_of(
    world: ClusterWorld, cluster: str, wanted: MemberRange | None = None, *, run_id: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the members of a run, the latest unless it is named, by id."""
    run = world.use_cases.artifacts.run(world.caller, cluster, run_id)
    found: dict[str, dict[str, Any]] = {}
    for batch in world.use_cases.artifacts.members(run, wanted or MemberRange()):
        for row in zip(*batch.values(), strict=True):
            one = dict(zip(batch, row, strict=True))
            found[one["point_id"]] = one
    return found


def ran(world: ClusterWorld, cluster: str, changes: dict[str, Any] | None = None) -> ClusterRun:
    """Run a cluster and return the completed run."""
    job = world.run(world.start(cluster, changes))
    assert job.state is JobState.COMPLETED, job.error_message
    return world.use_cases.artifacts.run(world.caller, cluster, job.payload["run_id"])


def store_goods(world: ClusterWorld) -> None:
    documents = [
        IncomingDocument(f"d{at:02d}", {"kind": {"name": kind}, "brand": brand}, {})
        for at, (kind, brand) in enumerate([("phone", "A")] * 3 + [("phone", "B")] * 2 + [("book", None)] * 2)
    ]
    world.use_cases.collection_documents.upsert(
        world.caller, Upsert(namespace="default", collection="things", documents=documents)
    )


def attribute_cluster(world: ClusterWorld, **config: Any) -> str:
    asked = {"collection_ids": ["things"], "cluster_type": "attribute", "attribute_config": config}
    return world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id


def test_documents_are_grouped_by_their_attributes(world: ClusterWorld) -> None:
    store_goods(world)
    cluster = attribute_cluster(world, attributes=["kind.name", "brand"])
    run = ran(world, cluster)
    members = columns_of(world, cluster)
    assert Counter(one["cluster_id"] for one in members.values()) == {"cl_phone_A": 3, "cl_phone_B": 2, "-1": 2}
    assert all(one["x"] is not None and one["z"] is None for one in members.values())
    assert [row["label"] for row in run.centroids] == ["phone_A", "phone_B", "noise"]
    assert run.metrics["noise_ratio"] == pytest.approx(2 / 7)
    assert "2 documents have no value" in run.effective["warnings"][0]


def test_attributes_nest(world: ClusterWorld) -> None:
    store_goods(world)
    run = ran(world, attribute_cluster(world, attributes=["kind.name", "brand"], hierarchical_grouping=True))
    rows = {row["cluster_id"]: row for row in run.centroids}
    assert rows["cl_phone"]["child_cluster_ids"] == ["cl_phone_sub_A", "cl_phone_sub_B"]
    assert rows["cl_phone_sub_B"]["parent_cluster_id"] == "cl_phone"
    assert (rows["cl_phone"]["num_members"], rows["cl_book"]["num_members"]) == (5, 2)
    assert run.num_clusters == 2


def test_large_groups_are_divided(world: ClusterWorld) -> None:
    random = np.random.default_rng(0)
    top = np.zeros((3, 24))
    top[[0, 1, 2], [0, 1, 2]] = 8.0
    fine = np.zeros((2, 24))
    fine[[0, 1], [10, 11]] = 2.0
    centres = [top[0] + fine[0], top[0] + fine[1], top[1], top[2]]
    sizes = [80, 60, 40, 20]
    rows = [centre + random.normal(scale=0.15, size=(n, 24)) for centre, n in zip(centres, sizes, strict=True)]
    world.store(np.concatenate(rows).astype(np.float32))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 3}, hierarchical=True, max_hierarchy_depth=2)
    run = ran(world, cluster)
    divided = {row["cluster_id"]: row["num_members"] for row in run.centroids if row["hierarchy_level"] == 1}
    assert divided == {"cl_0_sub_0": 80, "cl_0_sub_1": 60}
    assert run.effective["notes"]["hierarchy"]["divided_from_members"] == 50
    members = columns_of(world, cluster)
    assert Counter(one["cluster_id"] for one in members.values())["cl_0_sub_1"] == 60
    assert len(columns_of(world, cluster, MemberRange(cluster_id="cl_0"))) == 140
    assert len(world.use_cases.artifacts.centroid_vectors(run)) == 5


@pytest.mark.parametrize(
    ("method", "smallest", "size"), [("leiden", 1, 2), ("optics", 0.1, 14), ("auto", 12, 12)], ids=str
)
def test_parts_are_as_large_as_the_algorithm_was_told(
    world: ClusterWorld, method: str, smallest: float, size: int
) -> None:
    random = np.random.default_rng(0)
    world.store((np.eye(4)[np.arange(140) % 2] + random.normal(scale=0.05, size=(140, 4))).astype(np.float32))
    given = {"clustering_method": method, "algorithm_params": {"min_cluster_size": smallest}, "stability": "none"}
    run = ran(world, world.define(**given, hierarchical=True, max_hierarchy_depth=1))
    assert f"min_cluster_size {size}" in run.effective["notes"]["hierarchy"]["by"]
    below = [row["num_members"] for row in run.centroids if row["hierarchy_level"] == 1]
    assert all(members >= size for members in below)


def test_faces_seen_in_one_scene_are_merged(world: ClusterWorld) -> None:
    vectors = groups_of(20, 15, 10)
    vectors[20:35, 0] += 2.5  # the second group comes near to the first
    payloads: list[dict[str, Any]] = [{"scene_id": "s1" if at < 35 else "s2"} for at in range(45)]
    batch = DocumentBatch(
        ids=[f"d{at:03d}" for at in range(45)], payloads=payloads, vectors=[VectorColumn(name="v", values=vectors)]
    )
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    config = {**KMEANS, "algorithm_params": {"n_clusters": 3}}
    merged = ran(world, world.define(**config, face_cluster_merge={"centroid_cosine_threshold": 0.5}))
    assert [row["num_members"] for row in merged.centroids] == [35, 10]
    assert merged.effective["notes"]["face_cluster_merge"]["groups_before"] == 3
    apart = ran(world, world.define(**config, face_cluster_merge={"enabled": False}))
    assert len(apart.centroids) == 3


def test_documents_outside_the_sample_are_assigned_afterwards(world: ClusterWorld) -> None:
    world.store(groups_of(60, 40))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2}, sample_size=30)
    run = ran(world, cluster)
    assert [row["num_members"] for row in run.centroids] == [60, 40]
    members = columns_of(world, cluster)
    assert len(members) == 100
    assert all(one["x"] is not None and one["cosine_similarity_to_centroid"] > 0.9 for one in members.values())
    assert run.effective["counts"]["vectors_clustered"] == 100
    assert run.effective["notes"]["sample"]["assigned_afterwards"] == 70


def test_groups_keep_their_ids_and_the_map_its_places(world: ClusterWorld) -> None:
    world.store(groups_of(40, 30))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2}, layout_stability="transform")
    first = ran(world, cluster)
    before = columns_of(world, cluster)
    more = groups_of(1, 29, seed=9)[1:]
    world.store(more, ids=[f"e{at:03d}" for at in range(29)])
    second = ran(world, cluster)
    after = columns_of(world, cluster)
    assert {row["cluster_id"]: row["num_members"] for row in first.centroids} == {"cl_0": 40, "cl_1": 30}
    assert {row["cluster_id"]: row["num_members"] for row in second.centroids} == {"cl_0": 40, "cl_1": 59}
    assert {event["fate"] for event in second.lineage} == {"kept"}
    assert second.effective["identity"]["matched_to"] == first.run_id
    assert second.effective["map"]["layout_stability_applied"] == "transform"
    assert all((after[one]["x"], after[one]["y"]) == (before[one]["x"], before[one]["y"]) for one in before)
    members = {one["cluster_id"] for one in after.values() if one["point_id"].startswith("e")}
    assert members == {"cl_1"}


def test_a_map_is_turned_to_the_one_before(world: ClusterWorld) -> None:
    world.store(groups_of(30, 30))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    assert ran(world, cluster).effective["map"]["layout_stability_applied"] == "none"
    again = ran(world, cluster)
    assert again.effective["map"]["layout_stability_applied"] == "aligned"
    assert ran(world, cluster, {"layout_stability": "none"}).effective["map"]["layout_stability_applied"] == "none"
    assert ran(world, cluster, {"vis_n_components": 3}).effective["map"]["layout_stability_applied"] == "none"


def test_the_names_of_documents_do_not_change_their_groups(world: ClusterWorld) -> None:
    vectors = groups_of(30, 30, 30, 30, dimension=6)
    vectors += np.random.default_rng(1).normal(scale=0.6, size=vectors.shape).astype(np.float32)
    order = np.random.default_rng(2).permutation(120)
    world.store(vectors)
    world.store(vectors[order], collection="again", ids=[f"z{at:03d}" for at in range(120)])
    asked = {"collection_ids": ["again"], "vector_config": {**KMEANS, "algorithm_params": {"n_clusters": 7}}}
    one = world.define(**KMEANS, algorithm_params={"n_clusters": 7})
    two = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    ran(world, one)
    ran(world, two)
    first, second = columns_of(world, one), columns_of(world, two)
    for at, source in enumerate(order.tolist()):
        assert second[f"z{at:03d}"]["cluster_id"] == first[f"d{source:05d}"]["cluster_id"]


@pytest.mark.parametrize("effort", ["quick", "thorough"])
def test_groups_that_are_there_come_back_and_others_are_marked(world: ClusterWorld, effort: str) -> None:
    noise = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    world.store(np.concatenate([groups_of(50, 40, dimension=8) * 3 + 4, noise]), collection="things")
    config = {"clustering_method": "kmeans", "normalize_features": False, "stability": effort}
    run = ran(world, world.define(**config, algorithm_params={"n_clusters": 4}))
    rows = sorted(run.centroids, key=lambda row: float(row["stability"]))
    assert [row["is_stable"] for row in rows] == [False, False, True, True]
    assert run.metrics["unstable_clusters"] == 2
    assert run.effective["notes"]["stability"]["effort"] == effort


def test_halves_of_one_group_are_marked_whoever_chose_to_cut_it(world: ClusterWorld) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 8)) * [4, 1, 1, 1, 1, 1, 1, 1]
    world.store(rows.astype(np.float32))
    config = {"clustering_method": "auto", "algorithm_params": {"n_clusters": 2}, "normalize_features": False}
    run = ran(world, world.define(**config))
    assert run.effective["notes"]["auto"]["chosen"] == "kmeans"
    assert run.effective["notes"]["stability"]["counts_border"] is True
    assert [row["is_stable"] for row in run.centroids] == [False, False]


def test_density_in_many_dimensions_begins_with_a_layout_unless_told_otherwise(world: ClusterWorld) -> None:
    world.store(groups_of(60, 60, dimension=120))
    config = {"clustering_method": "hdbscan", "stability": "none", "algorithm_params": {"min_cluster_size": 10}}
    run = ran(world, world.define(**config))
    assert run.effective["preprocessing_steps"][0]["n_components"] == 50
    assert any("no preprocessing_steps were given" in one for one in run.effective["warnings"])
    plain = ran(world, world.define(**config, preprocessing_steps=[{"method": "none"}]))
    assert plain.effective["preprocessing_steps"] == []


@pytest.mark.parametrize(("method", "dimensions"), [("pca", 3), ("tsne", 2)])
def test_the_map_may_be_drawn_otherwise(world: ClusterWorld, method: str, dimensions: int) -> None:
    world.store(groups_of(20, 20))
    asked = {
        "collection_ids": ["things"],
        "vector_config": {**KMEANS, "algorithm_params": {"n_clusters": 2}},
        "dimension_reduction": {"method": method, "components": dimensions},
    }
    cluster = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    run = ran(world, cluster)
    assert (run.effective["map"]["method"], run.effective["map"]["dimensions"]) == (method, dimensions)
    placed = columns_of(world, cluster).values()
    assert all((one["x"] is not None, one["z"] is not None) == (True, dimensions == 3) for one in placed)


def test_new_documents_are_assigned_to_the_groups_that_there_are(world: ClusterWorld) -> None:
    world.store(groups_of(40, 30))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    first = ran(world, cluster)
    before = columns_of(world, cluster)
    odd = np.zeros((1, 16), dtype=np.float32)
    odd[0, 9] = 1
    world.store(np.concatenate([groups_of(2, 3, seed=4), odd]), ids=[f"e{at}" for at in range(6)])
    run = ran(world, cluster, {"mode": "assign", "assignment_threshold": 0.5})
    after = columns_of(world, cluster)
    assert [after[f"e{at}"]["cluster_id"] for at in range(6)] == ["cl_0"] * 2 + ["cl_1"] * 3 + ["-1"]
    assert all(after[one]["cluster_id"] == before[one]["cluster_id"] for one in before)
    assert all((after[one]["x"], after[one]["y"]) == (before[one]["x"], before[one]["y"]) for one in before)
    assert (run.mode, run.num_points) == ("assign", 76)
    assert [row["num_members"] for row in run.centroids] == [42, 33, 1]
    assert [row["label"] for row in run.centroids][:2] == [row["label"] for row in first.centroids]
    note = run.effective["notes"]["assignment"]
    assert note == {"base_run_id": first.run_id, "threshold": 0.5, "new_documents": 6, "left_in_no_group": 1}
    vectors = [world.use_cases.artifacts.centroid_vectors(one) for one in (first, run)]
    assert all(np.array_equal(vectors[0][group], vectors[1][group]) for group in ("cl_0", "cl_1"))


def test_files_keep_the_cosine_as_it_is_and_all_else_shows_none_below_zero(world: ClusterWorld, data_dir: Path) -> None:
    world.store(np.array([[1.0, 0.0]] * 19 + [[-1.0, 0.0]], dtype=np.float32))
    cluster = world.define(clustering_method="gaussian_mixture", stability="none")  # one component holds everything
    runs = [ran(world, cluster)]
    world.store(np.array([[1.0, 0.1]], dtype=np.float32), ids=["e0"])
    runs.append(ran(world, cluster, {"mode": "assign"}))
    for run in runs:
        shown = columns_of(world, cluster, run_id=run.run_id)
        assert (shown["d00019"]["cosine_similarity_to_centroid"], shown["d00000"]["cluster_id"]) == (0, "cl_0")
        stored = pq.read_table(data_dir / "objects" / run.artifacts["members"]["key"]).to_pylist()
        raw = {one["point_id"]: one["raw_cosine_to_centroid"] for one in stored}
        assert (raw["d00019"], raw["d00000"]) == pytest.approx((-1, 1))
        (group,) = run.centroids
        assert group["mean_cosine_similarity"] == pytest.approx(19 / 20, abs=0.01)
        assert group["min_cosine_similarity"] == 0


def test_a_high_threshold_leaves_documents_in_no_group(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    ran(world, cluster)
    world.store(groups_of(5, 5, seed=3), ids=[f"e{at}" for at in range(10)])
    ran(world, cluster, {"mode": "assign", "assignment_threshold": 1.0})
    assert {columns_of(world, cluster)[f"e{at}"]["cluster_id"] for at in range(10)} == {"-1"}


def test_where_all_was_noise_new_documents_are_in_no_group_either(world: ClusterWorld) -> None:
    world.store(groups_of(20))
    cluster = world.define(clustering_method="hdbscan", algorithm_params={"min_cluster_size": 50})
    assert ran(world, cluster).num_clusters == 0
    world.store(groups_of(3, seed=1), ids=["e0", "e1", "e2"])
    run = ran(world, cluster, {"mode": "assign"})
    assert (run.num_clusters, run.num_points) == (0, 23)
    assert run.effective["notes"]["assignment"]["left_in_no_group"] == 3


def test_there_must_be_groups_to_assign_to(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    with pytest.raises(ArtifactNotFound):
        world.start(cluster, {"mode": "assign"})


def repeated(world: ClusterWorld, cluster: str, run_id: str) -> ClusterRun:
    job = world.run(world.use_cases.executions.repeat(world.caller, cluster, run_id))
    assert job.state is JobState.COMPLETED, job.error_message
    assert job.result["replay"]["of"] == run_id
    return world.use_cases.artifacts.run(world.caller, cluster, job.payload["run_id"])


def test_a_run_is_repeated_though_documents_changed_since(world: ClusterWorld) -> None:
    vectors = groups_of(40, 30, 20)
    vectors += np.random.default_rng(1).normal(scale=0.6, size=vectors.shape).astype(np.float32)
    world.store(vectors)
    steps = [{"method": "umap", "n_components": 3, "n_neighbors": 8}]
    cluster = world.define(clustering_method="hdbscan", preprocessing_steps=steps, stability="none", sample_size=60)
    first = ran(world, cluster)
    members = columns_of(world, cluster)
    world.store(groups_of(30, 30, seed=5))
    changed = ran(world, cluster)
    again = repeated(world, cluster, first.run_id)
    assert again.effective["replay"]["same_labels"] is True
    assert again.effective["replay"]["adjusted_rand_index"] == 1.0
    assert again.effective["input"]["content_sha256"] == first.effective["input"]["content_sha256"]
    assert again.effective["input"]["content_sha256"] != changed.effective["input"]["content_sha256"]
    shown = world.use_cases.artifacts.run(world.caller, cluster)
    assert shown.run_id == changed.run_id  # what is repeated stays a thing of the past
    assert ran(world, cluster).effective["identity"]["matched_to"] == changed.run_id
    here = columns_of(world, cluster, run_id=again.run_id)
    assert {one: row["cluster_id"] for one, row in here.items()} == {
        one: row["cluster_id"] for one, row in members.items()
    }


def test_a_run_with_a_drawn_seed_is_repeated_with_it(world: ClusterWorld) -> None:
    world.store(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 5, "random_state": None, "n_init": 1})
    first = ran(world, cluster)
    again = repeated(world, cluster, first.run_id)
    assert again.effective["algorithm_params"]["random_state"] == first.effective["algorithm_params"]["random_state"]
    assert again.effective["replay"]["same_labels"] is True


def test_a_difference_is_told(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    first = ran(world, cluster)
    real = cluster_stages.cluster

    def other(*arguments: Any, **named: Any) -> Any:
        found = real(*arguments, **named)
        labels = found.labels.copy()
        labels[0] = 1 - labels[0]
        return replace(found, labels=labels)

    monkeypatch.setattr(cluster_stages, "cluster", other)
    told = repeated(world, cluster, first.run_id).effective["replay"]
    assert (told["same_labels"], told["differing"], len(told["examples"])) == (False, 1, 1)
    assert 0.5 < told["adjusted_rand_index"] < 1


def test_vectors_that_are_kept_no_longer_cannot_be_read_again(world: ClusterWorld, data_dir: Path) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    first = ran(world, cluster)
    for file in (data_dir / "snapshots").glob("*.npy"):
        file.unlink()
    assert repeated(world, cluster, first.run_id).effective["replay"]["same_labels"] is True
    world.store(groups_of(5, 5, seed=5))
    for file in (data_dir / "snapshots").glob("*.npy"):
        file.unlink()
    job = world.run(world.use_cases.executions.repeat(world.caller, cluster, first.run_id))
    assert (job.state, job.error_code) == (JobState.FAILED, "artifact_not_found")


@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_lineages_are_told_run_by_run(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(executions, "_LINEAGES_AT_ONCE", at_once)
    world.store(groups_of(30, 30))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    runs = [ran(world, cluster).run_id for _ in range(3)]
    lineages = world.use_cases.executions.lineages
    assert [run.run_id for run in lineages(world.caller, cluster)] == runs
    told = list(lineages(world.caller, cluster, after_run=runs[0]))
    assert [run.run_id for run in told] == runs[1:]
    assert [event["fate"] for event in told[0].lineage] == ["kept", "kept"]


def store_two_features(world: ClusterWorld) -> None:
    """Store 60 documents: by their colour they make three groups, by their shape two, by their noise none."""
    random = np.random.default_rng(0)
    colour, shape = np.arange(60) % 3, np.arange(60) // 30
    vectors = {
        "colour": np.eye(4)[colour] * 3 + random.normal(scale=0.2, size=(60, 4)),
        "shape": np.eye(6)[shape + 2] * 3 + random.normal(scale=0.2, size=(60, 6)),
        "noise": random.normal(size=(60, 5)),
    }
    columns = [VectorColumn(name=name, values=rows.astype(np.float32)) for name, rows in vectors.items()]
    batch = DocumentBatch(ids=[f"d{at:02d}" for at in range(60)], payloads=[{}] * 60, vectors=columns)
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])


def test_features_are_grouped_each_by_itself(world: ClusterWorld) -> None:
    store_two_features(world)
    config = {"clustering_method": "dbscan", "algorithm_params": {"eps": 0.5}, "stability": "none"}
    cluster = world.define(**config, feature_uris=["colour", "shape"], multi_feature_strategy="independent")
    run = ran(world, cluster)
    sizes = {row["cluster_id"]: row["num_members"] for row in run.centroids}
    assert sizes == {"colour:cl_0": 20, "colour:cl_1": 20, "colour:cl_2": 20, "shape:cl_0": 30, "shape:cl_1": 30}
    assert (run.num_clusters, run.num_points) == (5, 60)
    members = columns_of(world, cluster, MemberRange(cluster_id="shape:cl_1"))
    assert len(members) == 30
    vectors = world.use_cases.artifacts.centroid_vectors(run)
    assert (len(vectors["colour:cl_0"]), len(vectors["shape:cl_0"])) == (4, 6)
    assert set(run.effective["features"]) == {"colour", "shape"}
    again = ran(world, cluster)
    assert {event["fate"] for event in again.lineage} == {"kept"}
    assert {row["cluster_id"] for row in again.centroids} == set(sizes)


def test_features_grouped_apart_are_repeated_and_take_new_documents(world: ClusterWorld) -> None:
    store_two_features(world)
    config = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 3, "random_state": None}}
    cluster = world.define(
        **config, feature_uris=["colour", "shape"], multi_feature_strategy="independent", stability="none"
    )
    run = ran(world, cluster)
    seeds = {name: one["algorithm_params"]["random_state"] for name, one in run.effective["features"].items()}
    again = repeated(world, cluster, run.run_id)
    assert again.effective["replay"]["same_labels"] is True
    assert again.effective["replay"]["documents"] == 120
    drawn = {name: one["algorithm_params"]["random_state"] for name, one in again.effective["features"].items()}
    assert drawn == seeds
    before = groups_by_feature(world, run)
    columns = [
        VectorColumn(name="colour", values=np.array([[3, 0, 0, 0]], np.float32)),
        VectorColumn(name="shape", values=np.array([[0, 0, 0, 3, 0, 0]], np.float32)),
    ]
    batch = DocumentBatch(ids=["new"], payloads=[{}], vectors=columns)
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    assigned = [ran(world, cluster, {"mode": "assign"}) for _ in range(2)][-1]
    after = groups_by_feature(world, assigned)
    assert after.pop(("colour", "new")) == before["colour", "d00"]
    assert after.pop(("shape", "new")) in {before["shape", f"d{at}"] for at in range(30, 60)}
    assert after == before
    assert {event["fate"] for event in assigned.lineage} == {"kept"}
    assert ran(world, cluster).num_points == 61


def groups_by_feature(world: ClusterWorld, run: ClusterRun) -> dict[tuple[str, str], str]:
    """Return the group of each document by each feature."""
    found = {}
    for batch in world.use_cases.artifacts.members(run, MemberRange()):
        for feature, one, group in zip(batch["feature"], batch["point_id"], batch["cluster_id"], strict=True):
            found[feature, one] = group
    return found


@pytest.mark.parametrize(
    "how", [{"method": "bayesian", "max_iterations": 6}, {"method": "grid_search", "max_iterations": 5}]
)
def test_weights_are_learned(world: ClusterWorld, how: dict[str, Any]) -> None:
    store_two_features(world)
    config = {**KMEANS, "algorithm_params": {"n_clusters": 3}}
    cluster = world.define(
        **config, feature_uris=["colour", "noise"], multi_feature_strategy="weighted", weight_learning_config=how
    )
    run = ran(world, cluster)
    note = run.effective["notes"]["weight_learning"]
    assert note["weights"]["colour"] == 1.0
    assert note["weights"]["noise"] <= 0.25
    assert note["score_is"] == "silhouette_score"
    assert run.effective["feature_weights"] == note["weights"]
    assert [row["num_members"] for row in run.centroids] == [20, 20, 20]
    assert repeated(world, cluster, run.run_id).effective["replay"]["same_labels"] is True


def test_a_run_states_what_it_takes_of_memory_before_it_starts(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(groups_of(30, 30))
    cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
    seen: list[Any] = []
    real = cluster_stages.cluster

    def cluster_stage(*arguments: Any, **named: Any) -> Any:
        state = world.use_cases.executions.latest(world.caller, cluster)
        assert state is not None
        seen.append(state.run.effective["memory"]["estimated_peak_bytes"])
        return real(*arguments, **named)

    monkeypatch.setattr(cluster_stages, "cluster", cluster_stage)
    run = ran(world, cluster)
    assert seen == [run.effective["memory"]["estimated_peak_bytes"]]
    assert run.effective["memory"]["limit_bytes"] is None
    assert run.effective["memory"]["measured_peak_bytes"] >= 0


def test_a_run_that_would_take_too_much_is_refused_with_the_number(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir, cluster_memory_mib=3) as world:
        world.store(groups_of(1000, 1000, dimension=128))
        cluster = world.define(**KMEANS, algorithm_params={"n_clusters": 2})
        job = world.run(world.start(cluster))
        assert (job.state, job.error_code) == (JobState.FAILED, "request_too_large")
        assert "cluster_memory_mib allows 3" in str(job.error_message)
        assert job.error_detail["detail"]["estimated_peak_bytes"] > 3 << 20
