"""Runs over sparse vectors and multi-vectors: reduced and pooled, with the groups that were planted found again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from shoald.application.artifacts import MemberRange
from shoald.application.collection_documents import Import
from shoald.application.document_vectors import IncomingDocument, batch_of
from shoald.application.job_attempts import Attempt
from shoald.domain.clustering.spaces import Step
from shoald.domain.clustering.sparse_svd import svd_bytes
from shoald.domain.failures import InvalidVectors
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world

pytestmark = pytest.mark.integration

KMEANS = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 4}, "stability": "none"}


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def planted_terms(n: int, groups: int, seed: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return texts as terms: each group has 60 words of its own, and all share 200, of 3,000 that there are."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % groups
    found = []
    for group in labels:
        own = random.choice(60, 12, replace=False) + 1000 + 60 * int(group)
        common = random.choice(200, 10, replace=False)
        indices = random.permutation(np.concatenate([own, common]))
        found.append({"indices": indices.tolist(), "values": random.uniform(0.5, 2.0, len(indices)).tolist()})
    return found, labels


def planted_matrices(n: int, groups: int, seed: int) -> tuple[list[list[list[float]]], np.ndarray]:
    """Return two to six vectors a document around its group's direction, of lengths from 0.1 to 100."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % groups
    found = []
    for group in labels:
        rows = np.eye(24)[int(group)] + random.normal(scale=0.25, size=(int(random.integers(2, 7)), 24))
        found.append((rows * random.choice([0.1, 1, 100], (len(rows), 1))).tolist())
    return found, labels


def store(world: ClusterWorld, name: str, vectors: list[Any], *, first: int = 0) -> None:
    documents = [IncomingDocument(f"d{first + at:04d}", {}, {name: one}) for at, one in enumerate(vectors)]
    documents = [documents[at] for at in np.random.default_rng(5).permutation(len(documents))]
    world.use_cases.collection_documents.import_batches(
        world.caller, Import(collection="things"), [batch_of(documents[:100]), batch_of(documents[100:])]
    )


@dataclass
class Found:
    run: ClusterRun
    groups: dict[str, str]

    def ari(self, labels: np.ndarray) -> float:
        return float(adjusted_rand_score(labels, [self.groups[f"d{at:04d}"] for at in range(len(labels))]))


def ran(world: ClusterWorld, cluster: str, changes: dict[str, Any] | None = None) -> Found:
    job = world.run(world.start(cluster, changes))
    assert job.state is JobState.COMPLETED, job.error_message
    return found_by(world, cluster, job.payload["run_id"])


def found_by(world: ClusterWorld, cluster: str, run_id: str) -> Found:
    run = world.use_cases.artifacts.run(world.caller, cluster, run_id)
    batches = list(world.use_cases.artifacts.members(run, MemberRange()))
    pairs = ((one["point_id"], one["cluster_id"]) for one in batches)
    groups = {str(at): str(to) for ids, to_ids in pairs for at, to in zip(ids, to_ids, strict=True)}
    return Found(run, groups)


@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan"])
def test_sparse_vectors_are_reduced_and_their_groups_found(world: ClusterWorld, algorithm: str) -> None:
    vectors, labels = planted_terms(320, 4, seed=1)
    store(world, "words", vectors)
    params = {"n_clusters": 4} if algorithm == "kmeans" else {"min_cluster_size": 20}
    cluster = world.define(clustering_method=algorithm, algorithm_params=params, stability="none")
    found = ran(world, cluster)
    assert found.ari(labels) >= 0.9
    note = found.run.effective["notes"]["reductions"]["words"]
    assert (note["method"], note["terms"], note["components"]) == ("truncated_svd", 440, 128)
    assert 0.4 < note["variance_kept"] < 1
    said = [one for one in found.run.effective["warnings"] if "truncated SVD" in one]
    assert len(said) == 1
    assert "440 terms" in said[0]


def test_what_was_reduced_is_repeated_assigned_to_and_followed(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, labels = planted_terms(400, 4, seed=2)
    store(world, "words", vectors[:320])
    cluster = world.define(**KMEANS)
    first = ran(world, cluster)
    store(world, "words", vectors[320:], first=320)
    job = world.run(world.use_cases.executions.repeat(world.caller, cluster, first.run.run_id))
    assert job.result["replay"]["same_labels"] is True
    assigned = ran(world, cluster, {"mode": "assign"})
    assert assigned.ari(labels) >= 0.9
    assert {one: assigned.groups[one] for one in first.groups} == first.groups
    whole = ran(world, cluster)
    assert whole.ari(labels) >= 0.9
    assert {event["fate"] for event in whole.run.lineage} == {"kept"}

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("decomposed again")

    monkeypatch.setattr("shoald.application.sparse_reduction.truncated_svd", never)
    assert ran(world, cluster).groups == whole.groups


def test_a_run_says_how_far_its_reduction_is(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = planted_terms(40, 2, seed=2)
    store(world, "words", vectors)
    seen: list[float] = []

    def progress(_attempt: Attempt, stage: str, fraction: float, _message: str = "") -> None:
        if stage == "snapshot":
            seen.append(fraction)

    def stopped(*_: Any, step: Step, **__: Any) -> Any:
        step(0.5)
        raise InvalidVectors("stopped here")

    monkeypatch.setattr(Attempt, "progress", progress)
    monkeypatch.setattr("shoald.application.sparse_reduction.truncated_svd", stopped)
    assert world.run(world.start(world.define(**KMEANS))).state is not JobState.COMPLETED
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(0.04 * 5 / 8)  # half of what follows reading, and half of the first time


def test_a_document_of_other_words_is_left_out_and_counted(world: ClusterWorld) -> None:
    vectors, labels = planted_terms(320, 4, seed=3)
    store(world, "words", vectors)
    cluster = world.define(**KMEANS)
    ran(world, cluster)
    store(world, "words", [{"indices": [2999], "values": [1.0]}], first=320)
    found = ran(world, cluster, {"mode": "assign"})
    assert found.ari(labels) >= 0.9
    assert "d0320" not in found.groups
    assert found.run.effective["input"]["reductions"]["words"]["left_out"] == 1
    assert any("1 documents were left out" in one for one in found.run.effective["warnings"])


def test_what_is_left_out_counts_nothing_so_that_a_run_is_repeated(world: ClusterWorld) -> None:
    vectors, labels = planted_terms(1500, 4, seed=3)
    store(world, "words", [*vectors, {"indices": [2998], "values": [1.0]}])
    cluster = world.define(**KMEANS)
    first = ran(world, cluster, {"defer_visualization": True})
    assert "d1500" not in first.groups
    assert first.ari(labels) >= 0.9
    assert first.run.effective["input"]["reductions"]["words"]["left_out"] == 1
    assert first.run.effective["input"]["reductions"]["words"]["terms"] == 440
    again = world.run(world.use_cases.executions.repeat(world.caller, cluster, first.run.run_id))
    assert again.result["replay"]["same_labels"] is True
    repeated = found_by(world, cluster, again.payload["run_id"]).run
    contents = [one.effective["input"]["reductions"]["words"]["content"] for one in (first.run, repeated)]
    assert contents[0] == contents[1]


def test_multi_vectors_are_pooled_after_their_rows_have_one_length(world: ClusterWorld) -> None:
    vectors, labels = planted_matrices(300, 4, seed=4)
    store(world, "tokens", vectors)
    found = ran(world, world.define(**KMEANS))
    assert found.ari(labels) >= 0.9
    assert found.run.effective["notes"]["reductions"]["tokens"]["method"] == "mean_of_unit_vectors"
    assert any("were pooled" in one for one in found.run.effective["warnings"])


def test_kinds_are_joined_as_features(world: ClusterWorld) -> None:
    words, labels = planted_terms(200, 4, seed=6)
    rows, _ = planted_matrices(200, 2, seed=6)
    documents = [
        IncomingDocument(f"d{at:04d}", {}, {"words": words[at], "tokens": rows[at], "plain": [1.0, at % 2]})
        for at in range(200)
    ]
    world.use_cases.collection_documents.import_batches(
        world.caller, Import(collection="things"), [batch_of(documents)]
    )
    cluster = world.define(**KMEANS, feature_uris=["words", "tokens", "plain"])
    found = ran(world, cluster)
    assert found.ari(labels) >= 0.9
    assert set(found.run.effective["notes"]["reductions"]) == {"words", "tokens"}
    assert len(next(iter(world.use_cases.artifacts.centroid_vectors(found.run).values()))) == 128 + 24 + 2


def test_a_promise_of_memory_knows_the_reduction(world: ClusterWorld) -> None:
    shared = np.random.default_rng(8).choice(50, (200, 3))
    vectors = [
        {"indices": [*sorted(set(row.tolist())), *range(100 + 30 * at, 130 + 30 * at)]} for at, row in enumerate(shared)
    ]
    store(world, "words", [{**one, "values": [1.0] * len(one["indices"])} for one in vectors])
    run = ran(world, world.define(**KMEANS), {"defer_visualization": True}).run
    assert run.effective["memory"]["largest_stage"] == "reduce sparse vectors"
    assert run.effective["memory"]["estimated_peak_bytes"] >= svd_bytes(200, 200 * 31, 6000, 128)


def test_too_little_room_for_a_reduction_is_refused_with_the_number(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir, cluster_memory_mib=1) as world:
        vectors, _ = planted_terms(1200, 4, seed=7)
        store(world, "words", vectors)
        job = world.run(world.start(world.define(**KMEANS)))
        assert (job.state, job.error_code) == (JobState.FAILED, "request_too_large")
        assert "cluster_memory_mib allows 1" in str(job.error_message)


def fitted_on(world: ClusterWorld, most: int) -> None:
    """Let components be looked for in so many rows at most; said before the first run."""
    world.adapters.__dict__["sparse_reduction"] = replace(world.adapters.sparse_reduction, most_fitted=most)


@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan"])
def test_components_of_some_rows_find_the_groups_of_all(world: ClusterWorld, algorithm: str) -> None:
    fitted_on(world, 200)
    vectors, labels = planted_terms(800, 4, seed=6)
    store(world, "words", vectors)
    params = {"n_clusters": 4} if algorithm == "kmeans" else {"min_cluster_size": 20}
    cluster = world.define(clustering_method=algorithm, algorithm_params=params, stability="none")
    found = ran(world, cluster)
    assert found.ari(labels) >= 0.9
    note = found.run.effective["notes"]["reductions"]["words"]
    assert (note["fitted_rows"], note["components"]) == (200, 128)
    assert any("truncated SVD of 200 of them" in one for one in found.run.effective["warnings"])


def test_what_some_rows_gave_is_repeated_assigned_to_and_followed(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_on(world, 150)
    vectors, labels = planted_terms(400, 4, seed=7)
    other = {"indices": [2_000_000], "values": [1.0]}
    store(world, "words", [*vectors[:320], other])
    cluster = world.define(**KMEANS)
    first = ran(world, cluster)
    assert first.run.num_points == 320
    again = world.run(world.use_cases.executions.repeat(world.caller, cluster, first.run.run_id))
    assert again.result["replay"]["same_labels"] is True
    world.use_cases.document_changes.delete(world.caller, "things", "d0320")
    store(world, "words", vectors[320:], first=320)
    assigned = ran(world, cluster, {"mode": "assign"})
    assert assigned.ari(labels) >= 0.9
    whole = ran(world, cluster)
    assert whole.ari(labels) >= 0.9
    assert {event["fate"] for event in whole.run.lineage} == {"kept"}

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("decomposed again")

    monkeypatch.setattr("shoald.application.sparse_reduction.truncated_svd", never)
    assert ran(world, cluster).groups == whole.groups
