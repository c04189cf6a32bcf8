from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering import piece_joining
from shoald.domain.clustering.condensed_tree import Selection, condense, flatten
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks, neighbour_graph
from shoald.domain.clustering.spanning_tree import SpanningTree, spanning_tree
from support.vectors import planted, texture

BACKEND = NumpyArrays()


def tree(
    vectors: npt.NDArray[np.float32], core: int, metric: str = "euclidean", alpha: float = 1.0, k: int = 16
) -> SpanningTree:
    listed = neighbour_graph(vectors, max(k, core + 1), metric, candidates=candidates_in_blocks(BACKEND))
    return spanning_tree(vectors, listed, core, alpha, backend=BACKEND)


def prim(
    vectors: npt.NDArray[np.float32], core: int, metric: str = "euclidean", alpha: float = 1.0
) -> npt.NDArray[np.float64]:
    """Return the sorted weights by dense float64 Prim: the reference for a few thousand rows."""
    rows = vectors.astype(np.float64)
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    apart = np.array([np.square(rows - row).sum(axis=1) for row in rows])
    apart = apart / 2 if metric == "cosine" else np.sqrt(apart)
    radius = np.sort(apart, axis=1)[:, core]
    reach = np.maximum(apart / alpha, np.maximum(radius[:, None], radius[None, :]))
    best, inside, at, weights = np.full(len(rows), np.inf), np.zeros(len(rows), dtype=bool), 0, []
    for _ in range(len(rows) - 1):
        inside[at] = True
        best = np.minimum(best, reach[at])
        at = int(np.where(inside, np.inf, best).argmin())
        weights.append(best[at])
    return np.sort(weights)


def spans(edges: npt.NDArray[np.float64], n: int) -> bool:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = edges[:, :2].astype(int)
    return bool(connected_components(coo_matrix((np.ones(len(ends)), ends.T), shape=(n, n)))[0] == 1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("core", [1, 5, 20])
def test_the_weights_are_those_of_a_dense_float64_search(metric: str, core: int) -> None:
    vectors = texture(900)
    found = tree(vectors, core, metric)
    assert spans(found.edges, 900)
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, core, metric), rtol=0, atol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_neighbour_graph_in_pieces_is_joined_exactly(metric: str) -> None:
    vectors, _ = planted(900, 15)
    found = tree(vectors, 5, metric)
    assert (found.joined, found.scanned) == (15, 0)
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 5, metric), rtol=0, atol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_alpha_divides_the_distances_but_not_the_core(metric: str) -> None:
    vectors = texture(400)
    found = tree(vectors, 5, metric, alpha=1.3)
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 5, metric, 1.3), rtol=0, atol=1e-9)


def test_tight_groups_far_apart_are_exact_too() -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(8, 40)) * 10
    vectors = (np.repeat(centres, 60, axis=0) + 0.005 * random.normal(size=(480, 40))).astype(np.float32)
    np.testing.assert_allclose(tree(vectors, 5).edges[:, 2], prim(vectors, 5), rtol=0, atol=1e-9)


def test_short_lists_only_cost_more_scans() -> None:
    vectors = texture(500)
    short, long = tree(vectors, 2, k=4), tree(vectors, 2, k=40)
    assert short.scanned > long.scanned
    np.testing.assert_allclose(short.edges[:, 2], long.edges[:, 2], rtol=0, atol=1e-12)


def test_many_copies_cost_no_more_than_their_lists() -> None:
    vectors = np.repeat(texture(6), 100, axis=0)[np.random.default_rng(1).permutation(600)]
    found = tree(vectors, 5)
    assert spans(found.edges, 600)
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 5), rtol=0, atol=1e-9)
    assert np.count_nonzero(found.edges[:, 2]) == 5


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows(n: int) -> None:
    vectors = texture(20)[:n]
    found = tree(vectors, min(5, n - 1))
    assert spans(found.edges, n)
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, min(5, n - 1)), rtol=0, atol=1e-9)


def test_all_rows_equal_give_a_tree_of_nothing() -> None:
    found = tree(np.ones((300, 8), dtype=np.float32), 5)
    assert spans(found.edges, 300)
    assert not found.edges[:, 2].any()


def test_edges_come_by_weight_then_rows_and_again_the_same() -> None:
    vectors = texture(400)
    edges = tree(vectors, 5).edges
    assert (edges[:, 0] < edges[:, 1]).all()
    np.testing.assert_array_equal(np.lexsort((edges[:, 1], edges[:, 0], edges[:, 2])), np.arange(399))
    assert edges.tobytes() == tree(vectors, 5).edges.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_pieces_are_joined_by_the_same_edges_with_any_number_of_threads(threads: int) -> None:
    vectors, _ = planted(1500, 25, noise=0.1)
    with threadpool_limits(threads):
        edges = tree(vectors, 5).edges
    assert edges.tobytes() == tree(vectors, 5).edges.tobytes()


def test_pieces_of_all_sizes_and_equal_distances_are_joined_by_a_tree() -> None:
    corners = np.eye(9, 12, dtype=np.float32) * 3
    vectors = np.concatenate([np.repeat(corners[at : at + 1], 20 + 30 * at, axis=0) for at in range(9)])
    found = tree(vectors, 3)
    assert spans(found.edges, len(vectors))
    np.testing.assert_allclose(found.edges[-8:, 2], 3 * np.sqrt(2), rtol=0, atol=1e-9)
    assert not found.edges[:-8, 2].any()


def test_two_large_pieces_are_measured_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece_joining, "TILE_ENTRIES", 400)
    vectors = np.concatenate([texture(300, 8), texture(300, 8, seed=1) + np.float32(50)])
    listed = neighbour_graph(vectors, 16, "euclidean", candidates=candidates_in_blocks(BACKEND))
    seen: list[float] = []
    found = spanning_tree(vectors, listed, 3, 1.0, backend=BACKEND, step=seen.append)
    assert found.joined == 2
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 3), rtol=0, atol=1e-9)
    last_but_one = sorted(set(seen))[-2]
    assert seen.count(last_but_one) >= 300 * 300 // (400 * piece_joining.TILES_BETWEEN)


@pytest.mark.parametrize(("metric", "alpha"), [("euclidean", 1.0), ("euclidean", 1.4), ("cosine", 1.0)])
def test_rows_in_thin_places_are_left_out_where_pieces_are_compared(
    metric: str, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, _ = planted(1500, 25)
    vectors[:, 0] += 1
    vectors[::10] = 3 * np.random.default_rng(1).normal(size=(150, 48))
    compared: list[int] = []
    squares_between = piece_joining._squares_between

    def counted(pieces: piece_joining._Pieces, *given: Any, **options: Any) -> npt.NDArray[np.float64]:
        compared.append(len(pieces.order))
        return squares_between(pieces, *given, **options)

    monkeypatch.setattr(piece_joining, "_squares_between", counted)
    found = tree(vectors, 5, metric, alpha)
    assert found.joined > 1
    assert compared[0] < 300, "a sample"
    assert compared[1] <= 1500 - 100, "most strays"
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 5, metric, alpha), rtol=0, atol=1e-9)


def test_pieces_that_differ_in_density_within_a_tile_are_joined_exactly() -> None:
    """One core distance stands for all rows of a piece in a tile: what it hides is found when edges are measured."""
    random = np.random.default_rng(4)
    centres = np.repeat(random.normal(size=(12, 40)) * 3, 40, axis=0)
    widths = np.tile(np.linspace(0.01, 3, 40), 12)[:, None] / np.sqrt(40)
    vectors = (centres + widths * random.normal(size=(480, 40))).astype(np.float32)
    found = tree(vectors, 5)
    assert found.joined > 1
    np.testing.assert_allclose(found.edges[:, 2], prim(vectors, 5), rtol=0, atol=1e-9)


def test_components_are_compared_once_however_many_rounds_would_follow() -> None:
    """Rows scanned from each component: all of them, once a round."""
    vectors, _ = planted(1200, 30)
    found = tree(vectors, 5)
    assert (found.joined, found.scanned) == (30, 0)


@pytest.mark.nightly
def test_ten_thousand_rows_in_groups_that_no_neighbour_joins() -> None:
    vectors, truth = planted(10_000, 100, 384, noise=0.05)
    flat = flatten(condense(tree(vectors, 5).edges, 15), Selection())
    clear = truth >= 0
    assert adjusted_rand_score(truth[clear], flat.labels[clear]) >= 0.99
