"""Distances between groups in; the order in which they merge, and at what heights, out.

The nearest-neighbour chain (Murtagh 1983) with the Lance-Williams formula, in place on one square matrix: exact for
linkages under which merging never brings groups nearer (ward, complete, average), O(m²) time and memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoald.domain.clustering.spaces import Doubles, Integers, Step, no_step

CHECKED = 256
"""Merges between two calls of `step`."""


@dataclass(frozen=True, slots=True)
class Merges:
    """m - 1 merges by rising height: `pairs` (m - 1, 2) holds one leaf of each side, `heights` (m - 1,)."""

    pairs: Integers
    heights: Doubles

    def cut(self, groups: int) -> Integers:
        """Return (m,) labels 0 … groups - 1 after as many merges as leave that many groups."""
        m = len(self.pairs) + 1
        parent = list(range(m))
        for left, right in self.pairs[: m - min(groups, m)].tolist():
            a, b = _root(parent, left), _root(parent, right)
            parent[max(a, b)] = min(a, b)
        roots = np.array([_root(parent, leaf) for leaf in range(m)])
        return np.asarray(np.unique(roots, return_inverse=True)[1], dtype=np.int64)

    def groups_below(self, threshold: float) -> int:
        """Return how many groups are left when only merges lower than the threshold are made."""
        return int((self.heights >= threshold).sum()) + 1


def chained_merges(distances: Doubles, sizes: Doubles, linkage: str, *, step: Step = no_step) -> Merges:
    """Merge m groups until one is left.

    `distances` (m, m) float64, symmetric, is used up; for `ward` the distances between means of groups of `sizes` rows
    are scaled here to what merging them costs. Ties go to the group that the chain came from, then to the smaller.
    """
    if linkage == "ward":
        for row, size in enumerate(sizes):
            distances[row] *= np.sqrt(2 * size * sizes / (size + sizes))
    np.fill_diagonal(distances, np.inf)
    chain = _Chain(distances, sizes.astype(np.float64), linkage)
    return chain.run(step)


class _Chain:
    def __init__(self, distances: Doubles, sizes: Doubles, linkage: str) -> None:
        self.distances, self.sizes, self.linkage = distances, sizes, linkage
        self.alive = np.ones(len(sizes), dtype=np.bool_)
        # added to a row when its nearest is sought: cheaper than to cross out the column of a group that is gone
        self.gone = np.zeros(len(sizes))

    def run(self, step: Step) -> Merges:
        m = len(self.sizes)
        pairs, heights = np.empty((max(m - 1, 0), 2), dtype=np.int64), np.empty(max(m - 1, 0))
        chain: list[int] = []
        first = 0
        for merge in range(m - 1):
            if not chain:
                while not self.alive[first]:
                    first += 1
                chain = [first]
            left, right, height = self._nearest_pair(chain)
            pairs[merge], heights[merge] = (left, right), height
            self._merge(left, right, height)
            if merge % CHECKED == 0:
                step(merge / m)
        order = np.argsort(heights, kind="stable")
        return Merges(pairs[order], heights[order])

    def _nearest_pair(self, chain: list[int]) -> tuple[int, int, float]:
        """Follow nearest neighbours until two are each other's; take both off the chain."""
        while True:
            here = chain[-1]
            row = self.distances[here]
            nearest = int((row + self.gone).argmin())
            if len(chain) > 1 and row[chain[-2]] <= row[nearest]:
                nearest = chain[-2]
                height = float(row[nearest])
                del chain[-2:]
                return min(here, nearest), max(here, nearest), height
            chain.append(nearest)

    def _merge(self, left: int, right: int, height: float) -> None:
        """Put the merged group in the place of the right one (Lance and Williams 1967)."""
        a, b = self.distances[left], self.distances[right]
        n_a, n_b = self.sizes[left], self.sizes[right]
        if self.linkage == "complete":
            joined = np.maximum(a, b)
        elif self.linkage == "average":
            joined = (n_a * a + n_b * b) / (n_a + n_b)
        else:
            own = np.where(self.alive, self.sizes, 1.0)
            with np.errstate(invalid="ignore"):
                joined = (n_a + own) * a**2 + (n_b + own) * b**2 - own * height**2
            joined = np.sqrt(np.maximum(joined / (n_a + n_b + own), 0))
        self.alive[left], self.gone[left] = False, np.inf
        self.sizes[right] += n_a
        joined[~self.alive] = np.inf
        joined[right] = np.inf
        self.distances[right] = joined
        self.distances[:, right] = joined


def _root(parent: list[int], node: int) -> int:
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]
    return node
