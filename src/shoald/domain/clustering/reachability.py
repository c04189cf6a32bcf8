"""Neighbour lists and a way to scan whole rows in; the order in which OPTICS visits rows, and at what distance, out.

OPTICS (Ankerst and others 1999) always visits the row that is reached at the smallest distance from any row visited
before. That is Prim's algorithm, and most of its steps stay within the nearest neighbours: so rows are expanded by
their lists first. The last listed distance bounds all that is not listed; when the next step would go as far as that
bound, the row is scanned in full, together with others that wait with small bounds. The order is the exact one.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.distances import Block, blocks
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.spaces import Doubles, Step, no_step

DECIMALS = 15
"""Distances are rounded so, as in scikit-learn: rows reached at the same distance go by their number."""
TOGETHER = 16
"""Rows scanned together at least: a product of so many costs hardly more than one."""
SCANNED_ENTRIES = 1_000_000
"""Distances of rows scanned together at most, where TOGETHER rows have no more: a larger product is no faster."""
CHECKED = 256


@dataclass(frozen=True, slots=True)
class Lists:
    """The k nearest rows of each row, itself first: (n, k) ids and float64 distances."""

    ids: npt.NDArray[np.int32]
    distances: Doubles


def listed(block: Block, n: int, k: int, step: Step = no_step) -> Lists:
    """Return the lists of any metric, by all distances a block at a time. O(n²) distances, O(n k) memory."""
    ids, distances = np.empty((n, k), dtype=np.int32), np.empty((n, k))
    for rows in blocks(np.arange(n), n):
        found = block(rows)
        found[np.arange(len(rows)), rows] = -1.0
        nearest = np.argpartition(found, k - 1, axis=1)[:, :k] if k < n else np.tile(np.arange(n), (len(rows), 1))
        apart = np.take_along_axis(found, nearest, axis=1)
        order = np.lexsort((nearest, apart), axis=1)
        ids[rows] = np.take_along_axis(nearest, order, axis=1)
        distances[rows] = np.maximum(np.take_along_axis(apart, order, axis=1), 0.0)
        step((rows[-1] + 1) / n)
    return Lists(ids, distances)


def reachability(lists: Lists, scan: Block, min_samples: int, max_eps: float, *, step: Step = no_step) -> Reachability:
    """Visit all rows. `min_samples` counts the row itself; the lists hold at least that many rows.

    O(n · (n + k)) time and at most one scan a row; O(n k) memory and a block of distances.
    """
    return _Walk(lists, scan, min_samples, max_eps).run(step)


class _Walk:
    def __init__(self, lists: Lists, scan: Block, min_samples: int, max_eps: float) -> None:
        n, k = lists.ids.shape
        self.lists, self.scan, self.max_eps = lists, scan, max_eps
        cores = np.around(lists.distances[:, min_samples - 1], DECIMALS)
        self.cores = np.where(cores > max_eps, np.inf, cores)
        self.bounds = lists.distances[:, -1] * (1 - 1e-12) if k < n else np.full(n, np.inf)
        self.reach, self.open = np.full(n, np.inf), np.full(n, np.inf)
        self.source = np.full(n, -1, dtype=np.int64)
        self.rank = np.full(n + 1, n, dtype=np.int64)
        self.visited = np.zeros(n, dtype=np.bool_)
        self.waiting: list[tuple[float, int]] = []

    def run(self, step: Step) -> Reachability:
        n = len(self.reach)
        ordering = np.empty(n, dtype=np.int64)
        first = 0
        for at in range(n):
            row = int(self.open.argmin())
            while self.waiting and self.waiting[0][0] <= self.open[row]:
                self._scan_waiting(float(self.open[row]))
                row = int(self.open.argmin())
                step(at / n)
            if not np.isfinite(self.open[row]):
                while self.visited[first]:
                    first += 1
                row = first
            ordering[at] = row
            self._visit(row, at)
            if at % CHECKED == 0:
                step(at / n)
        return Reachability(ordering, self.reach, self.cores, self.source)

    def _visit(self, row: int, at: int) -> None:
        """Take a row, and reach what it lists."""
        self.visited[row], self.open[row], self.rank[row] = True, np.inf, at
        core = self.cores[row]
        if not np.isfinite(core):
            return
        ids, apart = self.lists.ids[row], self.lists.distances[row]
        reached = np.around(np.maximum(apart, core), DECIMALS)
        nearer = (reached < self.reach[ids]) & ~self.visited[ids] & (apart <= self.max_eps)
        ids, reached = ids[nearer], reached[nearer]
        self.reach[ids] = self.open[ids] = reached
        self.source[ids] = row
        if self.bounds[row] <= self.max_eps and np.isfinite(self.bounds[row]):
            heapq.heappush(self.waiting, (float(self.bounds[row]), row))

    def _scan_waiting(self, needed: float) -> None:
        """Scan the rows whose bound lies within what is needed, and a few more that wait."""
        most = max(TOGETHER, SCANNED_ENTRIES // len(self.reach))
        taken: list[int] = []
        while self.waiting and len(taken) < most:
            if self.waiting[0][0] > needed and len(taken) >= TOGETHER:
                break
            taken.append(heapq.heappop(self.waiting)[1])
        rows = np.array(sorted(taken, key=self.rank.__getitem__))
        apart = self.scan(rows)
        apart[apart > self.max_eps] = np.inf
        np.maximum(apart, self.cores[rows][:, None], out=apart)
        best = apart.argmin(axis=0)
        reached = np.around(apart[best, np.arange(apart.shape[1])], DECIMALS)
        source = rows[best]
        # of several rows that reach one at the same distance, the one visited first counts
        earlier = (reached == self.reach) & (self.rank[source] < self.rank[self.source])
        nearer = np.isfinite(reached) & ~self.visited & ((reached < self.reach) | earlier)
        self.reach[nearer] = self.open[nearer] = reached[nearer]
        self.source[nearer] = source[nearer]
