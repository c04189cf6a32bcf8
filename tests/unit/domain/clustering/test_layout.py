from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse.csgraph import connected_components
from sklearn.manifold import trustworthiness

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.fuzzy_graph import fuzzy_graph
from shoald.domain.clustering.layout import (
    FEWEST_ROWS,
    LIMIT,
    NEAR,
    PUSH,
    SOFTENING,
    TURNS,
    Forces,
    LayoutParameters,
    _blocks,
    curve_parameters,
    layout,
)
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks, neighbour_graph
from shoald.domain.clustering.spaces import Neighbours
from shoald.domain.clustering.starting_positions import principal_positions, starting_positions
from support.vectors import planted, texture

BACKEND = NumpyArrays()


def listed(vectors: npt.NDArray[np.float32], k: int = 15) -> Neighbours:
    return neighbour_graph(vectors, k, "cosine", candidates=candidates_in_blocks(BACKEND))


def laid_out(vectors: npt.NDArray[np.float32], dimensions: int = 2, *, seed: int = 42) -> npt.NDArray[np.float32]:
    start = starting_positions(vectors, dimensions, seed=seed, backend=BACKEND)
    return layout(fuzzy_graph(listed(vectors)), start, LayoutParameters(seed=seed), backend=BACKEND)


def test_memberships_are_symmetric_and_sum_to_the_neighbours_logarithm_before_the_union() -> None:
    near = listed(texture(300))
    graph = fuzzy_graph(near)
    assert abs(graph - graph.T).max() < 1e-6
    assert graph.diagonal().max() == 0
    assert 0 < graph.data.min() <= graph.data.max() <= 1
    one_way = graph.minimum(1).sum(axis=1)
    assert (np.asarray(one_way).ravel() >= np.log2(15) - 1e-3).all()


def test_each_row_is_bound_fully_to_its_nearest_other_row() -> None:
    near = listed(texture(300))
    graph = fuzzy_graph(near)
    np.testing.assert_allclose(np.asarray(graph[np.arange(300), near.ids[:, 1]]).ravel(), 1, atol=1e-6)


def test_a_map_keeps_neighbours_near() -> None:
    vectors = texture(1500)
    at = laid_out(vectors)
    principal = principal_positions(vectors, 2, backend=BACKEND)
    score = trustworthiness(vectors, at, n_neighbors=15, metric="cosine")
    assert score > trustworthiness(vectors, principal, n_neighbors=15, metric="cosine") + 0.1


def test_pieces_that_no_edge_joins_stay_whole_and_apart() -> None:
    vectors, truth = planted(1500, 20)
    assert connected_components(fuzzy_graph(listed(vectors)))[0] >= 20
    at = laid_out(vectors)
    centres = np.stack([at[truth == group].mean(axis=0) for group in range(20)])
    own = np.linalg.norm(at - centres[truth], axis=1)
    nearest = np.linalg.norm(at[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == truth).mean() > 0.99
    assert np.median(own) < 3


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    vectors = texture(400)
    assert laid_out(vectors, 3).tobytes() == laid_out(vectors, 3).tobytes()
    assert laid_out(vectors, 3, seed=1).tobytes() != laid_out(vectors, 3).tobytes()


def test_more_dimensions_than_the_vectors_have() -> None:
    at = laid_out(texture(200, 5), 12)
    assert at.shape == (200, 12)
    assert np.isfinite(at).all()


def test_equal_rows_are_laid_out_without_blowing_up() -> None:
    at = laid_out(np.repeat(texture(1, 8), 60, axis=0))
    assert np.isfinite(at).all()
    assert np.abs(at).max() < 100


def test_copies_among_other_rows_do_not_push_the_map_apart() -> None:
    vectors = texture(300)
    at = laid_out(np.concatenate([vectors, np.repeat(vectors[:1], 100, axis=0)]))
    assert np.isfinite(at).all()
    assert np.abs(at).max() < 200


def test_two_rows_and_a_graph_of_one() -> None:
    assert laid_out(texture(2)).shape == (2, 2)
    assert np.isfinite(laid_out(texture(1))).all()


def test_progress_reaches_the_end_and_cancelling_stops() -> None:
    seen: list[float] = []
    vectors = texture(100)
    start = starting_positions(vectors, 2, seed=1, backend=BACKEND)
    layout(fuzzy_graph(listed(vectors)), start, LayoutParameters(epochs=20), backend=BACKEND, step=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(_done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layout(fuzzy_graph(listed(vectors)), start, LayoutParameters(), backend=BACKEND, step=stop)


def test_start_is_principal_components_with_fixed_signs() -> None:
    vectors = texture(500)
    start = principal_positions(vectors, 2, backend=BACKEND)
    assert np.abs(start).max() == pytest.approx(10, abs=1e-2)
    assert abs(float(np.corrcoef(start[:, 0], start[:, 1]).ravel()[1])) < 1e-3
    turned = principal_positions(vectors[::-1], 2, backend=BACKEND)
    np.testing.assert_array_equal(turned[::-1], start)


def test_eigenvectors_are_found_by_one_thread() -> None:
    """More of them wait for one another: forty times the processor seconds at 384 columns, and other last bits."""

    class Watched(NumpyArrays):
        held = 0

        def small_products(self) -> AbstractContextManager[object]:
            self.held += 1
            return super().small_products()

    watched = Watched()
    principal_positions(texture(50), 2, backend=watched)
    assert watched.held == 1


def test_the_curve_falls_from_one() -> None:
    for distance in (0.0, 0.1, 0.5, 1.0):
        a, b = curve_parameters(distance)
        assert a > 0
        assert 0.5 < b < 2.5


def test_no_pull_is_longer_than_the_longest_push() -> None:
    far = np.linspace(1e-4, 10, 20_000)
    for distance in np.linspace(0, 1, 11):
        a, b = curve_parameters(float(distance))
        assert (4 * a * b * far ** (2 * b - 1) / (1 + a * far ** (2 * b))).max() < LIMIT


def test_in_all_turns_together_each_edge_pulls_by_its_strength() -> None:
    graph = fuzzy_graph(listed(texture(300)))
    seen = np.zeros(graph.shape)
    visits = np.zeros(TURNS)
    for tile in (tile for block in _blocks(graph, 200, BACKEND) for tile in block):
        for turn, parts in enumerate(tile.turns):
            for edges in parts:
                np.add.at(seen, (edges.sources, edges.targets), edges.weights / TURNS)
                visits[turn] += len(edges.sources)
    np.testing.assert_allclose(seen, graph.toarray() * (graph.toarray() >= 1 / 500), rtol=1e-5)
    assert visits.max() < 0.75 * graph.nnz
    assert visits.max() - visits.min() < 0.01 * graph.nnz


def test_forces_are_those_of_every_pair() -> None:
    random = np.random.default_rng(0)
    graph = fuzzy_graph(listed(texture(300)))
    position = random.normal(size=(3, 300)).astype(np.float32)
    others = random.normal(size=(3, 32)).astype(np.float32)
    forces = Forces(*curve_parameters(0.1), BACKEND.xp)
    tile = _blocks(graph, 200, BACKEND)[1][0]
    found = sum(forces.on(position, tile, forces.sample(others), epoch) for epoch in range(TURNS)) / TURNS
    strength = graph.toarray() * (graph.toarray() >= 1 / 500)
    wanted = _pulls(position, strength, forces) + _pushes(position, strength.sum(axis=1), others, forces)
    np.testing.assert_allclose(found, wanted[:, tile.rows], rtol=2e-3, atol=2e-2)


def _pulls(position: npt.NDArray[np.float32], strength: npt.NDArray[np.float32], by: Forces) -> npt.NDArray[np.float64]:
    gap = position[:, None, :] - position[:, :, None]
    square = np.maximum(np.square(gap).sum(axis=0), 1e-12)
    factor = 4 * by.a * by.b * square ** (by.b - 1) / (1 + by.a * square**by.b)
    return np.asarray((strength * factor * gap).sum(axis=2))


def _pushes(
    position: npt.NDArray[np.float32], degree: npt.NDArray[np.float32], others: npt.NDArray[np.float32], by: Forces
) -> npt.NDArray[np.float64]:
    gap = position[:, :, None] - others[:, None, :]
    square = np.square(gap).sum(axis=0) + SOFTENING
    factor = np.minimum(2 * by.b / (square * (1 + by.a * square**by.b)), LIMIT / np.sqrt(square))
    return np.asarray((factor * gap).sum(axis=2) * degree * (PUSH / others.shape[1]))


def test_a_block_moves_alike_in_one_tile_and_in_several() -> None:
    class Small(NumpyArrays):
        near_entries = NEAR

    vectors = texture(1200)
    graph, start = fuzzy_graph(listed(vectors)), starting_positions(vectors, 2, seed=1, backend=BACKEND)
    assert [len(block) for block in _blocks(graph, 5, Small())] == [-(-300 // FEWEST_ROWS)] * 4
    whole, parts = (layout(graph, start, LayoutParameters(epochs=3), backend=one) for one in (BACKEND, Small()))
    np.testing.assert_allclose(parts, whole, atol=1e-2)
