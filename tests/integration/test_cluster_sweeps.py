"""Sweeps over real vectors: many settings tried at once on one graph, and the one that is picked published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shoald.application import cluster_stages
from shoald.application.collection_documents import Import
from shoald.application.job_attempts import Attempt
from shoald.application.sweeping import SweepRequest
from shoald.domain.clustering import tools
from shoald.domain.clustering.methods import hdbscan
from shoald.domain.clustering.neighbour_graph import neighbour_graph
from shoald.domain.failures import ArtifactNotFound, InvalidFields, TaskNotFound, Unsupported
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def sweep_of(world: ClusterWorld, cluster: str, **grid: list[Any]) -> Job:
    asked = SweepRequest(grid=grid, settings=[], changes={})
    job = world.run(world.use_cases.sweeps.start(world.caller, cluster, asked))
    assert job.state is JobState.COMPLETED, job.error_message
    return job


def test_a_sweep_says_what_each_setting_gives_and_which_to_take(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(groups_of(60, 40, 30))
    cluster = world.define(clustering_method="hdbscan")
    told: list[float] = []
    monkeypatch.setattr(Attempt, "progress", lambda *told_of: told.append(told_of[2]))
    job = sweep_of(world, cluster, min_cluster_size=[3, 15, 70])
    assert told == sorted(told)
    points = job.result["points"]
    assert [one["parameters"] for one in points] == [{"min_cluster_size": size} for size in (3, 15, 70)]
    assert (points[1]["num_clusters"], points[1]["noise_ratio"]) == (3, 0.0)
    assert points[1]["mean_stability"] > 0.95
    assert points[2]["degenerate"] is not None
    assert job.result["suggested"] == 0  # the first among equals


def test_a_sweep_builds_one_graph_and_one_tree_for_equal_densities(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(groups_of(40, 30, dimension=40))
    steps = [{"method": "umap", "n_components": 3, "n_neighbors": 10}]
    cluster = world.define(clustering_method="hdbscan", preprocessing_steps=steps, stability="none")
    counted: Counter[str] = Counter()
    real: dict[str, Any] = {"_density_tree": hdbscan._density_tree, "neighbour_graph": neighbour_graph}

    def count(name: str) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            counted[name] += 1
            return real[name](*arguments, **named)

        return called

    monkeypatch.setattr(hdbscan, "_density_tree", count("_density_tree"))
    monkeypatch.setattr(tools, "neighbour_graph", count("neighbour_graph"))
    sweep_of(world, cluster, min_cluster_size=[5, 10, 15, 20], min_samples=[3, 5])
    assert counted["_density_tree"] == 2
    assert counted["neighbour_graph"] == 1  # the reduction and the map share it


def test_a_run_builds_each_graph_once(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(90, 70, dimension=40))
    steps = [{"method": "umap", "n_components": 4, "n_neighbors": 12}]
    how: dict[str, Any] = {"preprocessing_steps": steps, "hierarchical": True, "max_hierarchy_depth": 2}
    cluster = world.define(clustering_method="hdbscan", algorithm_params={"min_cluster_size": 10}, **how)
    built: Counter[tuple[bytes, str]] = Counter()

    def counting(vectors: Any, k: int, metric: str, **named: Any) -> Any:
        built[vectors.tobytes(), metric] += 1
        return neighbour_graph(vectors, k, metric, **named)

    monkeypatch.setattr(tools, "neighbour_graph", counting)
    job = world.run(world.start(cluster))
    assert job.state is JobState.COMPLETED, job.error_message
    of_all = [key for key in built if len(key[0]) == 160 * 40 * 4]
    assert len(of_all) == 1  # umap and the map of the input share it; hdbscan's tree of four dimensions needs none
    assert set(built.values()) == {1}


def test_publishing_a_setting_computes_nothing_again(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(40, 30))
    steps = [{"method": "umap", "n_components": 3, "n_neighbors": 8}]
    cluster = world.define(clustering_method="hdbscan", preprocessing_steps=steps)
    job = sweep_of(world, cluster, min_cluster_size=[5, 10])
    for name in ("preprocess", "cluster", "coordinates"):
        monkeypatch.setattr(cluster_stages, name, lambda *_, **__: pytest.fail("computed again"))
    started = world.use_cases.sweeps.publish(world.caller, cluster, job.job_id, 1)
    assert world.run(started).state is JobState.COMPLETED
    run = world.use_cases.artifacts.run(world.caller, cluster)
    assert run.effective["algorithm_params"]["min_cluster_size"] == 10
    assert run.num_clusters == job.result["points"][1]["num_clusters"]
    assert run.metrics["mean_stability"] == pytest.approx(job.result["points"][1]["mean_stability"])


def test_features_grouped_apart_are_swept_together(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    three, two = groups_of(20, 20, 20, seed=1), groups_of(30, 30, seed=2)
    vectors = [VectorColumn(name="a", values=three), VectorColumn(name="b", values=two)]
    batch = DocumentBatch(ids=[f"d{at:02d}" for at in range(60)], payloads=[{}] * 60, vectors=vectors)
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])
    cluster = world.define(
        clustering_method="dbscan", feature_uris=["a", "b"], multi_feature_strategy="independent", stability="quick"
    )
    job = sweep_of(world, cluster, eps=[0.01, 0.5])
    assert job.state is JobState.COMPLETED, job.error_message
    noise, found = job.result["points"]
    assert (noise["num_clusters"], found["num_clusters"], job.result["suggested"]) == (0, 5, 1)
    assert (noise["degenerate"], noise["score"]) == ("all_noise", None)
    assert found["largest_share"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert job.result["documents"] == 60

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("computed again")

    monkeypatch.setattr(cluster_stages, "cluster", never)
    published = world.run(world.use_cases.sweeps.publish(world.caller, cluster, job.job_id, None))
    assert published.state is JobState.COMPLETED, published.error_message
    assert published.result["num_clusters"] == 5


def test_sweeps_refuse_what_they_cannot_try(world: ClusterWorld) -> None:
    world.store(groups_of(10, 10))
    cluster = world.define(clustering_method="kmeans", stability="none")
    sweeps = world.use_cases.sweeps
    bad: list[dict[str, list[int]]] = [{}, *({"n_clusters": one} for one in ([], [1], list(range(2, 300))))]
    for grid in bad:
        with pytest.raises(InvalidFields):
            sweeps.start(world.caller, cluster, SweepRequest(grid=grid, settings=[], changes={}))
    asked = {"collection_ids": ["things"], "cluster_type": "attribute", "attribute_config": {"attributes": ["n"]}}
    by_attributes = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    with pytest.raises(Unsupported):
        sweeps.start(world.caller, by_attributes, SweepRequest(grid={"n": [1]}, settings=[], changes={}))
    with pytest.raises(TaskNotFound):
        sweeps.get(world.caller, cluster, world.start(cluster).job_id)
    waiting = sweeps.start(world.caller, cluster, SweepRequest(grid={"n_clusters": [2]}, settings=[], changes={}))
    for setting in (None, 0):
        with pytest.raises(ArtifactNotFound):
            sweeps.publish(world.caller, cluster, waiting.job_id, setting)
    world.run(waiting)
    with pytest.raises(InvalidFields):
        sweeps.publish(world.caller, cluster, waiting.job_id, 1)


def test_a_sweep_that_would_take_too_much_is_refused_with_the_number(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir, cluster_memory_mib=3) as world:
        world.store(groups_of(1000, 1000, dimension=128))
        cluster = world.define(clustering_method="kmeans")
        asked = SweepRequest(grid={"n_clusters": [2]}, settings=[], changes={})
        job = world.run(world.use_cases.sweeps.start(world.caller, cluster, asked))
        assert (job.state, job.error_code) == (JobState.FAILED, "request_too_large")
