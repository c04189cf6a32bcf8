from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples, silhouette_score

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.assignment import assign_by_cosine
from shoald.domain.clustering.centroids import group_centroids, nearest_members
from shoald.domain.clustering.quality import cosine_silhouettes, quality_metrics, recluster_advised
from support.vectors import planted, texture

BACKEND = NumpyArrays()


def metrics(vectors: np.ndarray, labels: np.ndarray, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    centres = group_centroids(vectors, labels, backend=BACKEND)
    return quality_metrics(vectors, labels, centres, backend=BACKEND, previous=previous)


def numbers(found: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}


def labelled(n: int = 900, groups: int = 7, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return texture and labels that follow it loosely: the nearest of a few rows."""
    vectors = texture(n, seed=seed)
    return vectors, (vectors @ vectors[:groups].T).argmax(axis=1).astype(np.int32)


def test_metrics_are_those_of_a_known_implementation() -> None:
    vectors, labels = labelled()
    found = metrics(vectors, labels)
    assert found["silhouette_score"] == pytest.approx(silhouette_score(vectors, labels, metric="cosine"), abs=1e-4)
    assert found["davies_bouldin_index"] == pytest.approx(davies_bouldin_score(vectors, labels), rel=1e-4)
    assert found["calinski_harabasz_score"] == pytest.approx(calinski_harabasz_score(vectors, labels), rel=1e-4)


def test_noise_counts_only_as_noise() -> None:
    vectors, labels = labelled()
    labels[::3] = -1
    clear = labels >= 0
    found, without = metrics(vectors, labels), metrics(vectors[clear], labels[clear])
    assert found.pop("noise_ratio") == pytest.approx(1 / 3)
    assert without.pop("noise_ratio") == 0
    assert numbers(found) == pytest.approx(numbers(without), rel=1e-5)


def test_every_rows_silhouette_is_exact_the_only_member_has_none() -> None:
    vectors, labels = labelled(400)
    labels[0] = 7
    means = np.stack([vectors[labels == group].mean(axis=0, dtype=np.float64) for group in range(8)])
    sizes = np.bincount(labels)
    ours = cosine_silhouettes(vectors, labels.astype(np.int64), sizes, means, backend=BACKEND)
    np.testing.assert_allclose(ours, silhouette_samples(vectors, labels, metric="cosine"), atol=1e-4)
    assert ours[0] == 0


@given(seed=st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_the_numbers_of_the_groups_mean_nothing(seed: int) -> None:
    vectors, labels = labelled(200)
    renamed = np.random.default_rng(seed).permutation(7).astype(np.int32)[labels]
    assert numbers(metrics(vectors, labels)) == pytest.approx(numbers(metrics(vectors, renamed)), rel=1e-5)


@pytest.mark.parametrize(
    ("sizes", "word"),
    [
        ([], "all_noise"),
        ([9], "single_cluster"),
        ([1, 1, 1, 1], "all_singletons"),
        ([97, 3], "dominant_cluster"),
        ([60, 40], False),
    ],
)
def test_a_useless_grouping_is_named(sizes: list[int], word: object) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32) if sizes else np.full(5, -1, dtype=np.int32)
    found = metrics(texture(len(labels)), labels)
    assert found["degenerate"] == word
    assert (found["degenerate_detail"] is None) == (word is False)
    assert found["should_recluster"] == float(word is not False)
    assert all(value is None or not isinstance(value, float) or np.isfinite(value) for value in found.values())


def test_equal_rows_in_several_groups_have_finite_metrics() -> None:
    found = metrics(np.repeat(texture(1), 10, axis=0), np.repeat([0, 1], 5).astype(np.int32))
    assert found["silhouette_score"] == pytest.approx(0)
    assert found["davies_bouldin_index"] == 0
    assert found["mean_cosine_to_centroid"] == pytest.approx(1)


def test_entropy_is_one_when_groups_are_equal_and_falls_with_their_difference() -> None:
    vectors = texture(100)
    even = metrics(vectors, np.repeat(np.arange(4), 25).astype(np.int32))["cluster_size_entropy"]
    odd = metrics(vectors, np.repeat(np.arange(4), [70, 10, 10, 10]).astype(np.int32))["cluster_size_entropy"]
    assert even == 1
    assert 0 < odd < 0.8


@pytest.mark.parametrize(
    ("change", "advised"),
    [
        ({}, False),
        ({"noise_ratio": 0.51}, True),
        ({"noise_ratio": 0.3}, True),
        ({"noise_ratio": 0.2}, False),
        ({"silhouette_score": 0.05}, True),
        ({"silhouette_score": None}, False),
        ({"mean_cosine_to_centroid": 0.6}, True),
        ({"mean_cosine_to_centroid": 0.9}, False),
    ],
)
def test_reclustering_is_advised_by_what_became_worse(change: dict[str, Any], advised: bool) -> None:  # noqa: FBT001
    before = {"noise_ratio": 0.1, "silhouette_score": 0.2, "mean_cosine_to_centroid": 0.7}
    assert recluster_advised({"degenerate": False, **before, **change}, before) is advised


@pytest.mark.parametrize(
    ("before", "now", "advised"),
    [(0.05, 0.024, True), (0.05, 0.03, False), (0.05, 0.0, True), (0.015, 0.001, False), (0.05, None, False)],
)
def test_the_silhouette_of_real_text_is_held_against_its_own_history(
    before: float,
    now: float | None,
    advised: bool,  # noqa: FBT001
) -> None:
    rest = {"degenerate": False, "noise_ratio": 0.1, "mean_cosine_to_centroid": 0.6}
    assert recluster_advised({**rest, "silhouette_score": now}, {**rest, "silhouette_score": before}) is advised


def test_low_silhouettes_alone_are_no_reason() -> None:
    now = {"degenerate": False, "noise_ratio": 0.1, "silhouette_score": 0.05, "mean_cosine_to_centroid": 0.6}
    assert not recluster_advised(now, None)


def test_centroids_are_means_and_similarities_cosines() -> None:
    vectors, labels = labelled(300)
    labels[5] = -1
    found = group_centroids(vectors, labels, backend=BACKEND)
    for group in range(7):
        rows = vectors[labels == group].astype(np.float64)
        mean = rows.mean(axis=0)
        np.testing.assert_allclose(found.vectors[group], mean, atol=1e-6)
        cosines = np.maximum(rows @ mean / np.linalg.norm(mean), 0)
        np.testing.assert_allclose(found.similarities[labels == group], cosines, atol=1e-5)
        assert found.mean_similarity[group] == pytest.approx(cosines.mean(), abs=1e-5)
        assert found.min_similarity[group] == pytest.approx(cosines.min(), abs=1e-5)
    assert found.similarities[5] == 0
    assert found.sizes.sum() == 299


def test_medians_and_medoids() -> None:
    vectors, labels = labelled(300)
    median = group_centroids(vectors, labels, "median", backend=BACKEND)
    medoid = group_centroids(vectors, labels, "medoid", backend=BACKEND)
    for group in range(7):
        rows = vectors[labels == group]
        np.testing.assert_allclose(median.vectors[group], np.median(rows, axis=0), atol=1e-6)
        summed = (1 - rows.astype(np.float64) @ rows.T.astype(np.float64)).sum(axis=1)
        np.testing.assert_array_equal(medoid.vectors[group], rows[summed.argmin()])


def test_opposite_members_have_no_direction_in_common() -> None:
    vectors = np.array([[1, 0], [-1, 0], [0, 1], [0, 1]], dtype=np.float32)
    found = group_centroids(vectors, np.array([0, 0, 1, 1], dtype=np.int32), backend=BACKEND)
    assert found.similarities.tolist() == [0, 0, 1, 1]


def test_nothing_but_noise_has_no_centroids() -> None:
    found = group_centroids(texture(5), np.full(5, -1, dtype=np.int32), backend=BACKEND)
    assert found.vectors.shape == (0, 64)
    assert found.sizes.shape == found.mean_similarity.shape == (0,)


def test_representatives_are_the_nearest_first_and_ties_go_to_the_smaller_row() -> None:
    labels = np.array([1, 0, 0, 0, -1, 1], dtype=np.int32)
    similarities = np.array([0.5, 0.9, 0.9, 0.95, 0, 0.6], dtype=np.float32)
    assert [rows.tolist() for rows in nearest_members(labels, similarities, 2, 2)] == [[3, 1], [5, 0]]


def test_later_vectors_go_to_the_centroid_with_the_largest_cosine_or_to_noise() -> None:
    vectors, truth = planted(800, 6)
    centres = np.stack([vectors[truth == group].mean(axis=0) for group in range(6)])
    labels, cosines = assign_by_cosine(vectors * 3, centres, 0.5, backend=BACKEND)
    assert (labels == truth).mean() > 0.99
    assert 0.5 <= cosines[labels >= 0].min() <= cosines.max() <= 1
    strict, again = assign_by_cosine(vectors, centres, 0.999, backend=BACKEND)
    assert (strict[again < 0.999] == -1).all()


def test_without_centroids_everything_is_noise() -> None:
    labels, cosines = assign_by_cosine(texture(4), np.empty((0, 64), dtype=np.float32), 0.5, backend=BACKEND)
    assert labels.tolist() == [-1] * 4
    assert cosines.tolist() == [0] * 4


def test_ties_go_to_the_smaller_centroid() -> None:
    centres = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    labels, _ = assign_by_cosine(np.array([[2, 0]], dtype=np.float32), centres, 0.0, backend=BACKEND)
    assert labels.tolist() == [0]
