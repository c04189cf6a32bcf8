from __future__ import annotations

import numpy as np
import pytest

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.group_tree import GroupTree, tree_centroids
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.hierarchy import subdivided
from shoald.domain.clustering.kmeans import kmeans
from shoald.domain.clustering.lineage import Continued, Fate, FormerGroups, continued, first_numbers
from shoald.domain.clustering.parameters import KmeansParameters
from shoald.domain.clustering.spaces import Floats, Labels

BACKEND = NumpyArrays()


def went_on(before: list[int], after: list[int], *, rows: Floats | None = None) -> Continued:
    """Let groups of rows become others; -2 is a row that the run before did not have."""
    old, new = np.array(before, dtype=np.int32), np.array(after, dtype=np.int32)
    vectors = np.eye(len(new), dtype=np.float32) if rows is None else rows
    former = GroupTree.flat(np.where(old < 0, -1, old).astype(np.int32))
    tree = GroupTree.flat(new)
    return continued(
        tree,
        tree_centroids(vectors, tree, backend=BACKEND).vectors,
        FormerGroups(
            tree=former,
            was_there=old != -2,
            sizes=np.bincount(old[old >= 0], minlength=len(former)),
            centroids=tree_centroids(vectors, former, backend=BACKEND).vectors,
            next_numbers=first_numbers(former),
        ),
    )


def told(found: Continued) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [(str(event.fate), event.before, event.after) for event in found.events]


def test_groups_keep_their_ids_whatever_their_order() -> None:
    found = went_on([0, 0, 0, 1, 1], [1, 1, 1, 0, 0])
    assert found.ids == ("cl_1", "cl_0")
    assert told(found) == [("kept", ("cl_0",), ("cl_0",)), ("kept", ("cl_1",), ("cl_1",))]


def test_a_new_group_gets_a_number_that_nobody_had() -> None:
    found = went_on([0, 0, 0, 1, 1, -2, -2], [0, 0, 0, 2, 2, 1, 1])
    assert found.ids == ("cl_0", "cl_2", "cl_1")
    assert ("born", (), ("cl_2",)) in told(found)
    assert found.next_numbers[""] == 3


def test_a_number_of_a_group_that_died_is_not_given_again() -> None:
    found = went_on([0, 0, 0, 1, 1, -2], [0, 0, 0, -1, -1, 1])
    assert found.ids == ("cl_0", "cl_2")
    assert ("died", ("cl_1",), ()) in told(found)


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    found = went_on([0] * 5, [1, 1, 0, 0, 0])
    assert found.ids == ("cl_0", "cl_1")
    assert told(found) == [("split", ("cl_0",), ("cl_0", "cl_1"))]


def test_a_merger_names_all_that_went_into_it() -> None:
    found = went_on([0, 0, 0, 1, 1], [0, 0, 0, 0, 0])
    assert told(found) == [("merged", ("cl_0", "cl_1"), ("cl_0",))]
    assert found.events[0].shared == 5
    assert found.events[0].as_json()["fate"] == Fate.MERGED


def test_documents_that_were_all_exchanged_are_matched_by_their_place() -> None:
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], dtype=np.float32)
    former = GroupTree.flat(np.full(4, -1, dtype=np.int32))
    former = GroupTree(ids=("cl_4", "cl_7"), parents=np.array([-1, -1]), labels=former.labels)
    tree = GroupTree.flat(np.array([0, 0, 1, 1], dtype=np.int32))
    found = continued(
        tree,
        tree_centroids(rows, tree, backend=BACKEND).vectors,
        FormerGroups(
            tree=former,
            was_there=np.zeros(4, dtype=bool),
            sizes=np.array([9, 9]),
            centroids=np.array([[0, 1], [1, 0]], dtype=np.float32),
            next_numbers={"": 8},
        ),
    )
    assert found.ids == ("cl_7", "cl_4")


def test_parts_of_a_group_keep_their_ids_below_it() -> None:
    def halves(rows: np.ndarray) -> Labels:
        return (np.arange(len(rows)) % 2).astype(np.int32)

    def other_halves(rows: np.ndarray) -> Labels:
        return ((np.arange(len(rows)) + 1) % 2).astype(np.int32)

    flat = GroupTree.flat(np.repeat(np.array([0, 1], dtype=np.int32), [60, 20]))
    old = subdivided(flat, halves, levels=1, least=50)
    new = subdivided(flat, other_halves, levels=1, least=50)
    rows = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    found = continued(
        new,
        tree_centroids(rows, new, backend=BACKEND).vectors,
        FormerGroups(
            tree=old,
            was_there=np.ones(80, dtype=bool),
            sizes=tree_centroids(rows, old, backend=BACKEND).sizes,
            centroids=tree_centroids(rows, old, backend=BACKEND).vectors,
            next_numbers=first_numbers(old),
        ),
    )
    assert found.ids == ("cl_0", "cl_1", "cl_0_sub_1", "cl_0_sub_0")
    assert first_numbers(old) == {"": 2, "cl_0": 2}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_nothing_was_added_at_least_95_percent_keep_their_id(seed: int) -> None:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, 32)) * 2
    truth = random.integers(0, 12, 1500)
    rows = (centres[truth] + random.normal(scale=0.8, size=(1500, 32))).astype(np.float32)
    added = random.integers(0, 6, 150)  # a tenth more, all in the first half of the clusters
    more = (centres[added] + random.normal(scale=0.8, size=(150, 32))).astype(np.float32)
    parameters = KmeansParameters(n_clusters=12, n_init=3)

    def grouped(vectors: Floats, with_seed: int) -> GroupTree:
        return GroupTree.flat(by_size(kmeans(vectors, parameters, with_seed, backend=BACKEND).labels)[0])

    old, whole = grouped(rows, seed), np.concatenate([rows, more])
    new = grouped(whole, seed + 100)
    absent = np.full(150, -1, dtype=np.int32)
    former = GroupTree(ids=old.ids, parents=old.parents, labels=np.concatenate([old.labels, absent]))
    found = continued(
        new,
        tree_centroids(whole, new, backend=BACKEND).vectors,
        FormerGroups(
            tree=former,
            was_there=np.arange(1650) < 1500,
            sizes=np.bincount(old.labels),
            centroids=tree_centroids(rows, old, backend=BACKEND).vectors,
            next_numbers=first_numbers(old),
        ),
    )
    untouched = np.flatnonzero(truth >= 6)
    before = np.array(old.ids)[old.labels[untouched]]
    after = np.array(found.ids)[new.labels[untouched]]
    assert (before == after).mean() >= 0.95
