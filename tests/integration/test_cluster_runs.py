"""Cluster runs over a real PostgreSQL: what they publish, what they keep when they are killed, and how they fail."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from shoald.application import cluster_stages
from shoald.application.artifacts import MemberRange
from shoald.application.listing import ListQuery
from shoald.domain.failures import ArtifactNotFound, ClusterNotFound, JobNotFound, MissingDependency
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def members_of(world: ClusterWorld, cluster: str) -> dict[str, str]:
    run = world.use_cases.artifacts.run(world.caller, cluster)
    found: dict[str, str] = {}
    for batch in world.use_cases.artifacts.members(run, MemberRange()):
        found.update(zip(batch["point_id"], batch["cluster_id"], strict=True))
    return found


def test_a_run_finds_the_groups_that_are_there(world: ClusterWorld) -> None:
    world.store(groups_of(40, 30, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 3})
    assert world.run(world.start(cluster)).state is JobState.COMPLETED
    members = members_of(world, cluster)
    assert Counter(members.values()) == {"cl_0": 40, "cl_1": 30, "cl_2": 20}
    assert len({members[f"d{at:05d}"] for at in range(40)}) == 1
    run = world.use_cases.artifacts.run(world.caller, cluster)
    assert run.effective["input"]["collections"][0]["revision"] == 1
    assert run.effective["algorithm_params"]["random_state"] == 42
    assert run.revisions == {run.effective["input"]["collections"][0]["collection_id"]: 1}
    vectors = world.use_cases.artifacts.centroid_vectors(run)
    unit = groups_of(40, 30, 20)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    assert np.allclose(vectors["cl_0"], unit[:40].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    "steps",
    [
        [{"method": "whitening"}],
        # takes seconds to compile
        pytest.param([{"method": "umap", "n_components": 3, "n_neighbors": 8}], marks=pytest.mark.nightly),
    ],
    ids=["whitening", "umap"],
)
def test_the_same_input_gives_the_same_bytes(world: ClusterWorld, steps: list[dict[str, Any]]) -> None:
    world.store(groups_of(20, 20))
    one, two = (
        world.define(clustering_method="hdbscan", preprocessing_steps=steps, sample_size=size) for size in (None, 40)
    )
    for cluster in (one, two):
        world.run(world.start(cluster))
    runs = [world.use_cases.artifacts.run(world.caller, cluster) for cluster in (one, two)]
    assert runs[0].artifacts["members"]["rows"] == 40
    assert members_of(world, one) == members_of(world, two)
    assert runs[0].metrics == runs[1].metrics


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(
    postgres_database: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with cluster_world(postgres_database, data_dir, array_backend="cupy") as world:
        world.store(groups_of(20, 20))
        job = world.run(world.start(world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})))
        assert (job.state, job.error_code) == (JobState.FAILED, MissingDependency.code)
        assert "CuPy is not installed" in str(job.error_message)
        assert not list(data_dir.glob("snapshots/**/*"))


def test_a_killed_run_goes_on_where_it_was(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(20, 20))
    kmeans = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}}
    cluster = world.define(**kmeans, preprocessing_steps=[{"method": "whitening"}], stability="none")
    job = world.start(cluster)
    calls: list[str] = []
    real = {name: getattr(cluster_stages, name) for name in ("preprocess", "cluster", "coordinates")}

    def counted(name: str) -> Any:
        def stage(*arguments: Any, **named: Any) -> Any:
            calls.append(name)
            if name == "coordinates" and calls.count(name) == 1:
                raise RuntimeError("as good as killed")
            return real[name](*arguments, **named)

        return stage

    for name in real:
        monkeypatch.setattr(cluster_stages, name, counted(name))
    assert world.run(job).state is not JobState.COMPLETED
    with psycopg.connect(world.adapters.settings.database_url) as connection:
        connection.execute("UPDATE jobs SET run_after = now()")
    assert world.run(job).state is JobState.COMPLETED
    assert calls == ["preprocess", "cluster", "coordinates", "coordinates"]
    found = members_of(world, cluster)
    assert len(found) == 40
    world.run(world.start(cluster))
    assert members_of(world, cluster) == found


def test_a_canceled_run_leaves_nothing(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    job = world.start(cluster)
    real = cluster_stages.quality

    def quality(*arguments: Any, **named: Any) -> Any:
        world.use_cases.tasks.cancel(world.caller, job.job_id)
        return real(*arguments, **named)

    monkeypatch.setattr(cluster_stages, "quality", quality)
    ended = world.run(job)
    assert ended.state is JobState.CANCELED
    state = world.use_cases.executions.latest(world.caller, cluster)
    assert state is not None
    assert (state.run.status, state.run.artifacts, state.run.completed_at is not None) == ("canceled", {}, True)
    with pytest.raises(ArtifactNotFound):
        world.use_cases.artifacts.run(world.caller, cluster)


def test_what_a_call_says_in_vain_stands_in_its_task_and_its_run(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2}, stability="none")
    job = world.start(cluster, {"assignment_threshold": 0.9})
    wanted = "assignment_threshold does not apply: the mode is full"
    assert job.payload["warnings"] == [wanted]
    assert world.run(job).state is JobState.COMPLETED
    assert wanted in world.use_cases.artifacts.run(world.caller, cluster).effective["warnings"]
    job = world.start(cluster, {"mode": "assign", "stability": "thorough"})
    assert world.run(job).state is JobState.COMPLETED
    run = world.use_cases.artifacts.run(world.caller, cluster)
    assert "stability does not apply: the mode is assign" in run.effective["warnings"]


def test_deleting_a_cluster_takes_its_artifacts_and_stops_its_runs(world: ClusterWorld, data_dir: Path) -> None:
    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    world.run(world.start(cluster))
    waiting = world.start(cluster)
    assert list((data_dir / "objects" / "runs").rglob("*.parquet"))
    world.use_cases.clusters.delete(world.caller, cluster)
    assert not list((data_dir / "objects" / "runs").rglob("*.parquet"))
    with pytest.raises(JobNotFound):
        world.use_cases.jobs.get(world.caller, waiting.job_id)
    with pytest.raises(ClusterNotFound):
        world.use_cases.clusters.get(world.caller, cluster)


def test_conditions_and_several_collections(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    world.store(groups_of(10, 10, seed=5), collection="others", ids=[f"o{at:05d}" for at in range(20)])
    asked = {
        "collection_ids": ["things", "others"],
        "filters": {"field": "n", "operator": "gte", "value": 5},
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}},
    }
    cluster = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    world.run(world.start(cluster))
    members = members_of(world, cluster)
    assert len(members) == 35 + 15
    assert "d00004" not in members
    assert members["d00005"] == members["o00005"]
    run = world.use_cases.artifacts.run(world.caller, cluster)
    assert len(run.revisions) == 2


def test_several_features_are_joined_by_weight(world: ClusterWorld) -> None:
    from shoald.application.collection_documents import Upsert
    from shoald.application.document_vectors import IncomingDocument

    def place(at: int, by: int) -> list[float]:
        return [1.0, 0.01] if at // by % 2 else [0.01, 1.0]

    documents = [IncomingDocument(f"d{at}", {}, {"fine": place(at, 1), "coarse": place(at, 4)}) for at in range(16)]
    world.use_cases.collection_documents.upsert(
        world.caller, Upsert(namespace="default", collection="things", documents=documents)
    )
    found = {}
    for heavy in ("fine", "coarse"):
        cluster = world.define(
            clustering_method="kmeans",
            algorithm_params={"n_clusters": 2},
            feature_uris=["fine", "coarse"],
            multi_feature_strategy="weighted",
            feature_weights={heavy: 5.0},
        )
        world.run(world.start(cluster))
        found[heavy] = members_of(world, cluster)
    assert found["fine"]["d0"] == found["fine"]["d4"] != found["fine"]["d1"]
    assert found["coarse"]["d0"] == found["coarse"]["d1"] != found["coarse"]["d4"]


def test_features_keep_their_scale_when_they_are_not_normalized(world: ClusterWorld) -> None:
    from shoald.application.collection_documents import Upsert
    from shoald.application.document_vectors import IncomingDocument

    documents = [
        IncomingDocument(f"d{at}", {}, {"large": [9.0 * (at % 2), 1.0], "small": [0.1 * (at // 2 % 2), 0.01]})
        for at in range(16)
    ]
    world.use_cases.collection_documents.upsert(
        world.caller, Upsert(namespace="default", collection="things", documents=documents)
    )
    cluster = world.define(
        clustering_method="kmeans",
        algorithm_params={"n_clusters": 2},
        feature_uris=["large", "small"],
        normalize_features=False,
        effective_feature_method="median",
    )
    world.run(world.start(cluster))
    found = members_of(world, cluster)
    assert found["d0"] == found["d2"] != found["d1"]
    run = world.use_cases.executions.latest(world.caller, cluster)
    assert run is not None
    assert run.run.effective["effective_feature_method"] == "median"


def test_noise_only_has_no_centroid_of_any_kind(world: ClusterWorld) -> None:
    world.store(groups_of(3))
    for kind in ("mean", "median", "medoid"):
        cluster = world.define(clustering_method="hdbscan", effective_feature_method=kind)
        assert world.run(world.start(cluster)).state is JobState.COMPLETED


def test_reruns_read_no_vector_again(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    from shoald.adapters.postgres.vector_reading import VectorReader

    world.store(groups_of(20, 20))
    cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    world.run(world.start(cluster))
    monkeypatch.setattr(VectorReader, "read", lambda *_, **__: pytest.fail("vectors were read again"))
    assert world.run(world.start(cluster)).state is JobState.COMPLETED
    page, stats = world.use_cases.executions.list(world.caller, cluster, ListQuery())
    assert (page.total, stats.by_status, stats.total_documents_clustered) == (2, {"completed": 2}, 80)


def test_clusters_are_filtered_and_counted_by_what_lists_print(world: ClusterWorld) -> None:
    world.store(groups_of(20, 20))
    run, idle = (
        world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2}),
        world.define(clustering_method="hdbscan"),
    )
    world.run(world.start(run))

    def found(filters: dict[str, Any] | None) -> tuple[list[str], dict[str, int], int]:
        page, stats = world.use_cases.clusters.list(world.caller, ListQuery(filters=filters))
        return [state.cluster.cluster_id for state in page.items], dict(stats.by_status), stats.total_documents

    assert found({"status": "COMPLETED"}) == ([run], {"COMPLETED": 1}, 40)
    assert found({"algorithm": "hdbscan"}) == ([idle], {"NEVER_RUN": 1}, 0)
    assert found({"algorithm": "hdbscan", "status": "COMPLETED"}) == ([], {}, 0)
    assert found(None) == ([idle, run], {"COMPLETED": 1, "NEVER_RUN": 1}, 40)
