"""Groups, and the groups within them, as one tree: labels go in, ids, parents and levels come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.centroids import Centroids, group_centroids, nearest_members, own_cosines
from shoald.domain.clustering.spaces import Floats, Integers, Labels

ROOT = -1
"""The parent of a group of the first level, and the label of a row in no group."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupTree:
    """Groups by number: those of the first level come first, in the order of their labels; parents before children.

    `ids` (k) are the groups' ids, `parents` (k,) their parents' numbers (ROOT on the first level), `labels` (n,) the
    deepest group of each row, ROOT for noise. A row of a group that is in none of its children stays in the group.
    """

    ids: tuple[str, ...]
    parents: Integers
    labels: Labels

    @classmethod
    def flat(cls, labels: Labels) -> GroupTree:
        """Return the tree of groups without children: `cl_0`, `cl_1` and so on."""
        k = int(labels.max(initial=ROOT)) + 1
        parents = np.full(k, ROOT, dtype=np.int64)
        return cls(ids=tuple(f"cl_{label}" for label in range(k)), parents=parents, labels=labels)

    def __len__(self) -> int:
        """Return the number of groups of all levels."""
        return len(self.ids)

    @property
    def first_level(self) -> int:
        """The number of groups on the first level."""
        return int((self.parents == ROOT).sum())

    @property
    def first_sizes(self) -> Integers:
        """The (first_level,) members of each group on the first level, those of groups below it among them."""
        first = self.at_level(0) if len(self) else self.labels
        return np.bincount(first[first >= 0], minlength=self.first_level)

    @property
    def levels(self) -> Integers:
        """The (k,) level of each group, 0 for the first."""
        found = np.zeros(len(self.ids), dtype=np.int64)
        for group, parent in enumerate(self.parents.tolist()):
            if parent != ROOT:
                found[group] = found[parent] + 1
        return found

    @property
    def depth(self) -> int:
        """The number of levels."""
        return int(self.levels.max(initial=-1)) + 1

    def children(self, group: int) -> list[int]:
        """Return the numbers of the groups right below one."""
        return [int(child) for child in np.flatnonzero(self.parents == group)]

    def at_level(self, level: int) -> Labels:
        """Return the (n,) group of each row on a level, ROOT where the row's branch ends above it."""
        levels = self.levels
        upwards = np.arange(len(self.ids) + 1)  # the last entry is for rows in no group
        upwards[-1] = ROOT
        for _ in range(self.depth):
            deeper = (upwards >= 0) & (levels[upwards] > level)
            upwards[deeper] = self.parents[upwards[deeper]]
        exact = np.where((upwards >= 0) & (levels[upwards] == level), upwards, ROOT)
        return np.asarray(exact[self.labels], dtype=np.int32)

    def members(self) -> list[Integers]:
        """Return the rows of each group, those of its children too, ascending. O(levels n log n)."""
        found: list[Integers] = [np.empty(0, dtype=np.int64)] * len(self)
        for level in range(self.depth):
            labels = self.at_level(level)
            order = np.argsort(labels, kind="stable")
            bounds = np.searchsorted(labels[order], np.arange(len(self) + 1))
            for group in np.flatnonzero(self.levels == level).tolist():
                found[group] = order[bounds[group] : bounds[group + 1]]
        return found

    def named(self, ids: Sequence[str]) -> GroupTree:
        """Return the tree with other ids."""
        return replace(self, ids=tuple(ids))


def child_ids(tree: GroupTree, first: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """Return the ids of all groups: `first` for the first level, below it the parent's id, `_sub_` and a number.

    `numbers` (k) are the numbers of groups among their siblings.
    """
    ids = list(first)
    for group in range(len(first), len(tree)):
        ids.append(f"{ids[int(tree.parents[group])]}_sub_{numbers[group]}")
    return tuple(ids)


def sibling_numbers(tree: GroupTree) -> list[int]:
    """Return the place of each group among its siblings, in their order."""
    seen: dict[int, int] = {}
    numbers = []
    for parent in tree.parents.tolist():
        numbers.append(seen.get(parent, 0))
        seen[parent] = numbers[-1] + 1
    return numbers


def tree_centroids(vectors: Floats, tree: GroupTree, kind: str = "mean", *, backend: ArrayBackend) -> Centroids:
    """Return the centroids of all groups, whose members are those of their children too; a row's cosine is that to
    its deepest group. O(levels n d).
    """
    if tree.depth <= 1:
        return group_centroids(vectors, tree.labels, kind, backend=backend)
    k, d = len(tree), vectors.shape[1]
    centres = np.zeros((k, d), dtype=np.float32)
    sizes = np.zeros(k, dtype=np.int64)
    mean, least = np.zeros(k, dtype=np.float32), np.zeros(k, dtype=np.float32)
    for level in range(tree.depth):
        labels, groups = compact(tree.at_level(level))
        found = group_centroids(vectors, labels, kind, backend=backend)
        centres[groups], sizes[groups] = found.vectors, found.sizes
        mean[groups], least[groups] = found.mean_similarity, found.min_similarity
    cosines = own_cosines(vectors, tree.labels, centres)
    return Centroids(
        vectors=centres,
        sizes=sizes,
        similarities=np.maximum(cosines, 0),
        cosines=cosines,
        mean_similarity=mean,
        min_similarity=least,
    )


def tree_representatives(tree: GroupTree, similarities: Floats, count: int) -> list[Integers]:
    """Return, for each group of any level, its rows nearest to their centroids, nearest first, at most `count`."""
    found: list[Integers] = [np.empty(0, dtype=np.int64)] * len(tree)
    for level in range(tree.depth):
        labels, groups = compact(tree.at_level(level))
        for group, rows in zip(groups.tolist(), nearest_members(labels, similarities, len(groups), count), strict=True):
            found[group] = rows
    return found


def compact(labels: Labels) -> tuple[Labels, Integers]:
    """Renumber labels to 0 … without gaps, ROOT stays; returns them and the old number of each new one.

    >>> compact(np.array([7, -1, 3], dtype=np.int32))
    (array([ 1, -1,  0], dtype=int32), array([3, 7]))
    """
    groups = np.unique(labels[labels >= 0]).astype(np.int64)
    number = np.searchsorted(groups, labels)
    return np.where(labels >= 0, number, ROOT).astype(np.int32), groups
