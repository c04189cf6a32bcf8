from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.condensed_tree import (
    Flat,
    Selection,
    condense,
    effective_hdbscan,
    flatten,
    single_linkage,
    stabilities,
)
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks, neighbour_graph
from shoald.domain.clustering.parameters import HdbscanParameters
from shoald.domain.clustering.spanning_tree import spanning_tree
from support.vectors import planted, texture


def edges_of(vectors: npt.NDArray[np.float32], core: int = 5) -> npt.NDArray[np.float64]:
    backend = NumpyArrays()
    listed = neighbour_graph(vectors, 16, "euclidean", candidates=candidates_in_blocks(backend))
    return spanning_tree(vectors, listed, core, 1.0, backend=backend).edges


def flat(vectors: npt.NDArray[np.float32], size: int = 10, selection: Selection | None = None) -> Flat:
    return flatten(condense(edges_of(vectors), size), selection or Selection())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Selection(), {}),
        (Selection(method="leaf"), {"cluster_selection_method": "leaf"}),
        (Selection(epsilon=0.62), {"cluster_selection_epsilon": 0.62}),
        (Selection(max_cluster_size=60), {"max_cluster_size": 60}),
        (Selection(allow_single_cluster=True), {"allow_single_cluster": True}),
        (
            Selection(method="leaf", epsilon=0.62),
            {"cluster_selection_method": "leaf", "cluster_selection_epsilon": 0.62},
        ),
    ],
)
def test_groups_and_probabilities_are_those_of_a_known_implementation(
    ours: Selection, theirs: dict[str, object]
) -> None:
    vectors, _ = planted(700, 9, noise=0.15, spread=0.9, seed=3)
    found = flat(vectors, 10, ours)
    known = HDBSCAN(min_cluster_size=10, min_samples=6, algorithm="brute", copy=True, **theirs).fit(
        vectors.astype(float)
    )
    assert found.labels.max() >= 0
    assert adjusted_rand_score(known.labels_, found.labels) == pytest.approx(1.0)
    np.testing.assert_allclose(found.probabilities, known.probabilities_, atol=1e-5)


def test_planted_groups_are_found_though_the_neighbour_graph_falls_apart() -> None:
    vectors, truth = planted(2000, 25, 128, spread=0.7, noise=0.1)
    assert adjusted_rand_score(truth, flat(vectors).labels) >= 0.99


def test_persistence_is_a_share_for_each_group() -> None:
    found = flat(planted(600, 8)[0])
    assert len(found.persistence) == found.labels.max() + 1
    assert ((found.persistence > 0) & (found.persistence <= 1)).all()


def test_stability_counts_what_rows_spend_in_their_cluster() -> None:
    edges = np.array([[0, 1, 1.0], [1, 2, 1.0], [3, 4, 0.5], [4, 5, 0.5], [2, 3, 2.0]])
    edges = edges[np.argsort(edges[:, 2], kind="stable")]
    tree = condense(edges, 3)
    assert tree.parent.tolist() == [-1, 0, 0]
    assert sorted(stabilities(tree).tolist()) == pytest.approx([3 * (1 - 0.5), 6 * 0.5, 3 * (2 - 0.5)])


def test_a_chain_of_rows_has_no_groups() -> None:
    edges = np.column_stack((np.arange(9.0), np.arange(1.0, 10), np.arange(1.0, 10)))
    assert (flatten(condense(edges, 5), Selection()).labels == -1).all()
    single = flatten(condense(edges, 5), Selection(allow_single_cluster=True))
    assert set(single.labels.tolist()) == {-1, 0}


def test_one_row_and_no_edges_are_noise() -> None:
    found = flatten(condense(np.empty((0, 3)), 5), Selection())
    assert found.labels.tolist() == [-1]
    assert found.probabilities.tolist() == [0]


def test_rows_that_are_all_equal_are_one_group_or_noise_and_never_nan() -> None:
    edges = np.column_stack((np.zeros(19), np.arange(1.0, 20), np.zeros(19)))
    for allowed in (False, True):
        found = flatten(condense(edges, 5), Selection(allow_single_cluster=allowed))
        assert np.isfinite(found.probabilities).all()
        assert np.isfinite(found.persistence).all()
        assert set(found.labels.tolist()) == ({0} if allowed else {-1})


def test_many_copies_of_few_rows_are_one_group_each() -> None:
    vectors = np.repeat(texture(4), 30, axis=0)
    found = flat(vectors, 10)
    assert adjusted_rand_score(np.repeat(np.arange(4), 30), found.labels) == 1
    assert np.isfinite(found.persistence).all()


def test_merges_are_numbered_after_the_rows() -> None:
    children, sizes, distances = single_linkage(np.array([[0, 2, 0.1], [1, 2, 0.4], [3, 0, 0.7]]))
    assert children.tolist() == [[0, 2], [1, 4], [3, 5]]
    assert sizes.tolist() == [1, 1, 1, 1, 2, 3, 4]
    assert distances.tolist() == [0.1, 0.4, 0.7]


def test_min_samples_follows_the_cluster_size_and_the_rows() -> None:
    assert effective_hdbscan(HdbscanParameters(min_cluster_size=12), 100).min_samples == 12
    assert effective_hdbscan(HdbscanParameters(min_cluster_size=12), 4).min_samples == 3
    assert effective_hdbscan(HdbscanParameters(min_samples=3), 1).min_samples == 1
    matched = effective_hdbscan(HdbscanParameters(min_samples=3, match_reference_implementation=True), 100)
    assert (matched.min_samples, matched.min_cluster_size) == (2, 6)
