from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.approximate_graph import (
    ATTEMPTS,
    LEAF,
    TREES,
    approximate_graph,
    leaves,
    whole_numbers,
)
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks, neighbour_graph
from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.clustering.spaces import Neighbours, Space
from shoald.domain.clustering.tools import ClusterTools, graph_note, neighbours
from support.vectors import planted, texture

BACKEND = NumpyArrays()
CANDIDATES = candidates_in_blocks(BACKEND)


def nearly(vectors: npt.NDArray[np.float32], k: int, metric: str = "cosine") -> Neighbours:
    return approximate_graph(vectors, k, metric, candidates=CANDIDATES, backend=BACKEND)


@pytest.fixture
def tools() -> ClusterTools:
    """Tools that find more than a few hundred rows too many to compare."""
    arrays = NumpyArrays()
    estimators = CpuEstimators(arrays=arrays)
    estimators.exact_operations = 1e7
    return ClusterTools(arrays=arrays, estimators=estimators)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_nearly_all_neighbours_are_found_and_the_share_is_what_it_says(metric: str) -> None:
    vectors = texture(4000, 48)
    exact, found = neighbour_graph(vectors, 16, metric, candidates=CANDIDATES), nearly(vectors, 16, metric)
    shared = np.mean([len(np.intersect1d(a, b)) for a, b in zip(exact.ids, found.ids, strict=True)])
    assert found.recall is not None
    assert found.recall >= 0.95
    assert abs((shared - 1) / 15 - found.recall) < 0.02
    np.testing.assert_array_equal(found.ids[:, 0], np.arange(4000))
    assert (np.diff(found.distances, axis=1) >= 0).all()
    same = exact.ids == found.ids
    np.testing.assert_array_equal(exact.distances[same], found.distances[same])


def test_no_row_is_listed_twice() -> None:
    vectors, _ = planted(2500, 40, 32)
    ids = np.sort(nearly(vectors, 12).ids, axis=1)
    assert (ids[:, 1:] != ids[:, :-1]).all()


def test_the_same_bits_with_one_thread_and_with_two() -> None:
    vectors = texture(3000, 40)

    def once(threads: int) -> bytes:
        with threadpool_limits(threads):
            graph = nearly(vectors, 15)
        return graph.ids.tobytes() + graph.distances.tobytes()

    assert once(1) == once(2)


def test_products_of_whole_rows_are_exact() -> None:
    rows = whole_numbers(texture(200, 300))
    exact = rows.astype(np.int64) @ rows.astype(np.int64).T
    np.testing.assert_array_equal((rows @ rows.T).astype(np.int64), exact)
    squares = 2 * np.abs(exact).max() + 2 * np.abs(exact).max()
    assert squares <= 2**24


def test_leaves_are_small_and_hold_near_rows() -> None:
    vectors, truth = planted(3000, 6, 32)
    leaf = leaves(whole_numbers(vectors), np.random.default_rng(0))
    assert np.bincount(leaf).max() <= LEAF
    assert np.bincount(leaf).min() > 0
    purity = np.mean([np.bincount(truth[leaf == one]).max() / (leaf == one).sum() for one in np.unique(leaf)])
    assert purity > 0.5


@pytest.mark.parametrize(
    "vectors", [np.ones((700, 5), dtype=np.float32), np.zeros((700, 5), dtype=np.float32), texture(30, 6)]
)
def test_rows_that_are_equal_or_few(vectors: npt.NDArray[np.float32]) -> None:
    found = nearly(vectors, 10, "euclidean")
    assert found.ids.shape == (len(vectors), 10)
    np.testing.assert_array_equal(found.ids[:, 0], np.arange(len(vectors)))
    assert found.recall == 1


def test_cancelling_ends_it() -> None:
    class Stopped(Exception):  # noqa: N818 - what a job raises is no error
        pass

    def stop(_done: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        approximate_graph(texture(600), 5, "cosine", candidates=CANDIDATES, backend=BACKEND, step=stop)


def test_it_tells_how_far_it_is_from_the_sample_on_and_leaf_by_leaf() -> None:
    seen: list[float] = []
    approximate_graph(texture(1500, 16), 5, "cosine", candidates=CANDIDATES, backend=BACKEND, step=seen.append)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert sum(0 < done <= 0.2 / ATTEMPTS for done in seen) >= TREES * 1500 // LEAF


def test_above_its_size_a_space_has_an_approximate_graph_and_the_record_says_so(tools: ClusterTools) -> None:
    small, large = Space(texture(100)), Space(texture(1500, 32))
    assert neighbours(small, 10, "cosine", tools=tools).recall is None
    assert not graph_note(small, tools=tools)
    recall = neighbours(large, 10, "cosine", tools=tools).recall
    assert recall is not None
    assert graph_note(large, tools=tools)["approximate_neighbours"]["recall"] == {"cosine": recall}
    assert neighbours(large, 10, "cosine", tools=tools, exact=True).recall is None


@pytest.mark.parametrize("method", ["leiden", "evoc"])
def test_groups_of_an_approximate_graph_say_how_many_neighbours_were_missed(method: str, tools: ClusterTools) -> None:
    vectors, _ = planted(1500, 10, 40)
    found = group(Space(vectors), parse_algorithm(method, {}, loc=())[0], tools=tools)
    assert found.notes["approximate_neighbours"]["recall"]["cosine"] >= 0.95


def test_an_approximate_tree_finds_the_planted_groups_and_says_what_it_is(tools: ClusterTools) -> None:
    vectors, truth = planted(2000, 12, 48, noise=0.05)
    found = group(Space(vectors), parse_algorithm("hdbscan", {"min_cluster_size": 15}, loc=())[0], tools=tools)
    assert found.notes["spanning_tree"] == "approximate"
    assert found.notes["neighbours_recall"] >= 0.95
    assert any("approximate" in warning for warning in found.warnings)
    clear = (truth >= 0) & (found.labels >= 0)
    assert found.count == 12
    assert clear.mean() > 0.9
    pairs = np.unique(np.stack([truth[clear], found.labels[clear]]), axis=1)
    assert pairs.shape[1] == 12
