"""Groups go in, the groups within them come out: each that is large enough is divided again, level by level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from shoald.domain.clustering.group_tree import ROOT, GroupTree, child_ids, sibling_numbers
from shoald.domain.clustering.spaces import Integers, Labels, Step, no_step

LEAST_MEMBERS = 50
"""A smaller group has no structure worth a level."""
PARTS = 2
"""Fewer parts than this are no division."""

Divide = Callable[[Integers], Labels]
"""The rows of one group to their labels within it, ROOT for rows in none of the parts."""


def least_divided(min_cluster_size: int) -> int:
    """Return from how many members on a group is divided: twice the least group, and no less than LEAST_MEMBERS."""
    return max(LEAST_MEMBERS, 2 * min_cluster_size)


def subdivided(tree: GroupTree, divide: Divide, *, levels: int, least: int, step: Step = no_step) -> GroupTree:
    """Return the tree with up to so many levels below its first.

    A group of fewer than `least` members, or in which `divide` finds fewer than two parts, is left whole. `step` gets
    the share of the rows that are done on the level that is being divided.
    """
    parents = tree.parents.tolist()
    labels = tree.labels.copy()
    open_groups = list(range(len(tree)))
    for level in range(levels):
        below: list[int] = []
        for at, group in enumerate(open_groups):
            rows = np.flatnonzero(labels == group)
            if len(rows) >= least:
                below += _divided(rows, divide(rows), group, parents, labels)
            step((level + (at + 1) / len(open_groups)) / levels)
        if not below:
            break
        open_groups = below
    step(1.0)
    whole = GroupTree(ids=("",) * len(parents), parents=np.array(parents, dtype=np.int64), labels=labels)
    return whole.named(child_ids(whole, tree.ids, sibling_numbers(whole)))


def _divided(rows: Integers, parts: Labels, group: int, parents: list[int], labels: Labels) -> list[int]:
    """Add the parts of one group to the tree; return their numbers."""
    count = int(parts.max(initial=ROOT)) + 1
    if count < PARTS:
        return []
    first = len(parents)
    parents += [group] * count
    labels[rows] = np.where(parts >= 0, first + parts, group)
    return list(range(first, first + count))
