from __future__ import annotations

import numpy as np

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.centroids import group_centroids
from shoald.domain.clustering.group_tree import GroupTree, tree_centroids, tree_representatives
from shoald.domain.clustering.hierarchy import least_divided, subdivided
from shoald.domain.clustering.spaces import Integers, Labels


def halves(rows: Integers) -> Labels:
    """Divide rows in the middle; the first row is in neither part."""
    parts = (np.arange(len(rows)) >= len(rows) / 2).astype(np.int32)
    parts[0] = -1
    return parts


def tree_of_two(levels: int = 2) -> GroupTree:
    labels = np.repeat(np.array([0, 1, -1], dtype=np.int32), [80, 20, 3])
    return subdivided(GroupTree.flat(labels), halves, levels=levels, least=30)


def test_groups_that_are_large_enough_are_divided_and_named() -> None:
    tree = tree_of_two()
    assert tree.ids == (
        "cl_0",
        "cl_1",
        "cl_0_sub_0",
        "cl_0_sub_1",
        "cl_0_sub_0_sub_0",
        "cl_0_sub_0_sub_1",
        "cl_0_sub_1_sub_0",
        "cl_0_sub_1_sub_1",
    )
    assert tree.levels.tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    assert tree.children(0) == [2, 3]
    assert (tree.first_level, tree.depth) == (2, 3)


def test_the_depth_is_limited() -> None:
    assert tree_of_two(levels=1).depth == 2


def test_a_row_in_no_part_stays_in_its_group() -> None:
    tree = tree_of_two()
    assert tree.labels[0] == 0
    assert tree.at_level(1)[0] == -1
    assert tree.at_level(0).tolist() == [0] * 80 + [1] * 20 + [-1] * 3
    assert set(tree.at_level(1)[1:80].tolist()) == {2, 3}


def test_a_group_in_which_one_part_is_found_is_left_whole() -> None:
    labels = np.zeros(100, dtype=np.int32)
    tree = subdivided(GroupTree.flat(labels), lambda rows: np.zeros(len(rows), np.int32), levels=3, least=10)
    assert tree.ids == ("cl_0",)


def test_thresholds() -> None:
    assert (least_divided(5), least_divided(40)) == (50, 80)


def test_centroids_of_a_group_cover_those_below_it() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(103, 6)).astype(np.float32)
    tree, backend = tree_of_two(), NumpyArrays()
    centres = tree_centroids(rows, tree, backend=backend)
    assert np.allclose(centres.vectors[0], rows[:80].mean(axis=0), atol=1e-6)
    assert centres.sizes.tolist()[:4] == [80, 20, 39, 40]
    flat = group_centroids(rows, tree.at_level(0), backend=backend)
    assert np.allclose(centres.min_similarity[:2], flat.min_similarity)
    nearest = tree_representatives(tree, centres.similarities, 3)
    assert all(len(rows_of) == 3 for rows_of in nearest)
    assert set(nearest[0].tolist()) <= set(range(80))


def test_nothing_has_no_tree() -> None:
    tree = GroupTree.flat(np.full(4, -1, dtype=np.int32))
    assert (len(tree), tree.depth, tree.first_level) == (0, 0, 0)
    assert tree_centroids(np.ones((4, 2), np.float32), tree, backend=NumpyArrays()).vectors.shape == (0, 2)
