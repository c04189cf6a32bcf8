from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks, neighbour_graph
from shoald.domain.clustering.spaces import Neighbours
from support.vectors import texture


def graph(vectors: npt.NDArray[np.float32], k: int, metric: str) -> Neighbours:
    return neighbour_graph(vectors, k, metric, candidates=candidates_in_blocks(NumpyArrays()))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_graph_is_what_comparing_all_pairs_in_float64_gives(metric: str) -> None:
    vectors = texture(300)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True) if metric == "cosine" else 1
    apart = np.square(exact[:, None] - exact[None]).sum(axis=2)
    apart = apart / 2 if metric == "cosine" else np.sqrt(apart)
    order = np.argsort(apart, axis=1, kind="stable")[:, :12]
    found = graph(vectors, 12, metric)
    np.testing.assert_array_equal(found.ids, order)
    tolerance = 1e-7 if metric == "cosine" else 1e-6
    np.testing.assert_allclose(found.distances, np.take_along_axis(apart, order, axis=1), atol=tolerance)
    np.testing.assert_array_equal(found.ids[:, 0], np.arange(300))


def test_far_from_the_origin_nothing_is_lost() -> None:
    vectors = texture(300)
    moved = graph(vectors + np.float32(30), 8, "euclidean")
    truth = (vectors + np.float32(30)).astype(np.float64)
    apart = np.sqrt(np.square(truth[:, None] - truth[None]).sum(axis=2))
    np.testing.assert_allclose(moved.distances, np.sort(apart, axis=1)[:, :8], atol=1e-5)


def test_tight_groups_far_apart_are_told_apart_within() -> None:
    """Float32 products of rows of length 60 are wrong by more than the distances within a group."""
    random = np.random.default_rng(2)
    centres = random.normal(size=(10, 40)) * 10
    vectors = (np.repeat(centres, 60, axis=0) + 0.005 * random.normal(size=(600, 40))).astype(np.float32)
    found = graph(vectors, 10, "euclidean")
    truth = vectors.astype(np.float64)
    apart = np.stack([np.sqrt(np.square(truth - row).sum(axis=1)) for row in truth])
    np.testing.assert_allclose(found.distances, np.sort(apart, axis=1)[:, :10], rtol=0, atol=1e-12)


def test_near_copies_keep_their_small_distances() -> None:
    vectors = texture(200)
    vectors = np.concatenate([vectors, vectors[:50] + np.float32(1e-6)])
    found = graph(vectors, 3, "euclidean")
    np.testing.assert_array_equal(found.ids[:50, 1], np.arange(200, 250))
    assert found.distances[:50, 1].max() < 2e-5
    assert found.distances[:50, 1].min() > 0


def test_copies_stand_first_with_distance_zero_and_the_row_before_them() -> None:
    found = graph(np.repeat(texture(5), 40, axis=0), 6, "cosine")
    np.testing.assert_array_equal(found.ids[:, 0], np.arange(200))
    np.testing.assert_array_equal(found.distances, 0)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows_have_few_neighbours(n: int) -> None:
    found = graph(texture(10)[:n], 30, "euclidean")
    assert found.ids.shape == (n, n)
    assert found.k == n


def test_fewer_neighbours_are_the_first_columns() -> None:
    vectors = texture(300)
    np.testing.assert_array_equal(graph(vectors, 20, "cosine").nearest(5).ids, graph(vectors, 5, "cosine").ids)


def test_cancelling_ends_the_search_between_blocks() -> None:
    class Stopped(Exception):  # noqa: N818 - what a job raises is no error
        pass

    def stop(_fraction: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        neighbour_graph(texture(100), 5, "cosine", candidates=candidates_in_blocks(NumpyArrays()), step=stop)
