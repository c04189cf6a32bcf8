from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.kmeans import KmeansResult, kmeans
from shoald.domain.clustering.parameters import KmeansParameters
from shoald.domain.failures import NotEnoughPoints
from support.vectors import planted, texture

BACKEND = NumpyArrays()


def run(vectors: np.ndarray, seed: int = 42, **parameters: object) -> KmeansResult:
    return kmeans(vectors, KmeansParameters(**parameters), seed, backend=BACKEND)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 10))])
def test_it_is_as_tight_as_ten_restarts_of_a_known_implementation(seed: int) -> None:
    for vectors in (texture(700, seed=seed), planted(700, 12, noise=0.1, seed=seed)[0]):
        known = KMeans(12, n_init=10, random_state=seed).fit(vectors)
        assert run(vectors, seed, n_clusters=12).inertia <= 1.005 * known.inertia_


def test_planted_groups_are_found() -> None:
    vectors, truth = planted(1500, 12)
    assert adjusted_rand_score(truth, run(vectors, n_clusters=12).labels) >= 0.99


def test_inertia_is_that_of_the_labels() -> None:
    vectors = texture(800)
    found = run(vectors, n_clusters=7)
    centres = np.stack([vectors[found.labels == group].mean(axis=0) for group in range(7)])
    assert found.inertia == pytest.approx(float(np.square(vectors - centres[found.labels]).sum()), rel=1e-4)
    assert found.converged


def test_a_large_input_is_restarted_on_a_sample_and_polished_on_all_rows() -> None:
    vectors, truth = planted(21_000, 10, 12)
    found = run(vectors, n_clusters=10, n_init=2)
    assert found.sample_rows == 20_000
    assert len(found.labels) == 21_000
    assert adjusted_rand_score(truth, found.labels) >= 0.98


def test_random_starts_work_too() -> None:
    found = run(texture(600), n_clusters=9, init="random", n_init=4)
    assert set(found.labels.tolist()) == set(range(9))


def test_the_iterations_end_where_they_are_told_to() -> None:
    found = run(texture(500), n_clusters=40, max_iter=1, n_init=1, tol=1e-12)
    assert found.iterations == 1


def test_the_same_seed_gives_the_same_labels() -> None:
    vectors = texture(500)
    assert run(vectors, 7).labels.tobytes() == run(vectors, 7).labels.tobytes()


def test_fewer_rows_than_clusters_are_refused() -> None:
    with pytest.raises(NotEnoughPoints, match="n_clusters = 8"):
        run(texture(7), n_clusters=8)


def test_as_many_rows_as_clusters_are_one_each() -> None:
    found = run(texture(8), n_clusters=8)
    assert sorted(found.labels.tolist()) == list(range(8))
    assert found.inertia == pytest.approx(0, abs=1e-6)


def test_copies_of_fewer_rows_than_clusters_end_without_nan() -> None:
    found = run(np.repeat(texture(3), 20, axis=0), n_clusters=5)
    assert adjusted_rand_score(np.repeat(np.arange(3), 20), found.labels) == 1
    assert np.isfinite(found.inertia)


def test_far_from_the_origin_nothing_is_lost() -> None:
    vectors, truth = planted(900, 6)
    assert adjusted_rand_score(truth, run(vectors + np.float32(50), n_clusters=6).labels) >= 0.99


def test_cancelling_stops_between_restarts() -> None:
    calls = []

    def stop(done: float) -> None:
        calls.append(done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kmeans(texture(300), KmeansParameters(), 1, backend=BACKEND, step=stop)
    assert len(calls) == 2
