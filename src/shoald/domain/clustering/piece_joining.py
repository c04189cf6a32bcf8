"""Pieces of a spanning tree in, the edges that join them out: every two pieces are compared once, by products.

Where groups lie far apart no list of neighbours leaves a piece, and every row of it might hold its cheapest edge.
Looking at all rows from each of them costs more than the neighbours did, and again whenever pieces have grown together.
Here the least cost of every two pieces is found once, for all rounds: half of all pairs, and nothing to select. A
sample says first what the dearest edge of the tree costs at the most: rows in thin places, whose every edge costs more
than that, are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.mutual_reach import MutualReach
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step, no_step, row_slices

NO_EDGE = (np.inf, -1, -1)
MOST_PIECES = 2048
"""The table of pieces by pieces has at most 32 MB."""
TILE_ROWS = 1024
TILE_COLUMNS = 1024
TILES_IN_A_PART = 16
"""Tiles of rows and columns that are one part of the work: some tenths of a second."""
TILE_ENTRIES = TILE_ROWS * TILE_COLUMNS
SAMPLED = 4
"""One of so many rows, in the denser half of each piece, says what edges cost at the most."""
SAMPLE_SHARE = 0.2
"""A sample of more rows costs more than it may save."""
TILES_BETWEEN = 16
"""Tiles of two pieces that are compared between two calls of `step`: about a second."""


def pairs_between(sizes: Integers) -> float:
    """Return how many pairs of rows lie in two different pieces."""
    whole = float(sizes.sum())
    return (whole * whole - float(np.square(sizes.astype(np.float64)).sum())) / 2


def joining_edges(reach: MutualReach, component: Integers, *, backend: ArrayBackend, step: Step = no_step) -> Doubles:
    """Return the (pieces - 1, 3) edges (smaller row, larger row, cost) of the cheapest tree over the pieces.

    `component` (n,) numbers the piece of each row from 0; at most MOST_PIECES. Exact: products in float32 give every
    two pieces a bound, and what could be in the tree is measured in float64. Ties go to the smaller row, then the
    smaller other row. O(pairs · d) time for the pairs of rows in different pieces, O(n d + pieces²) memory.
    """
    order, begins = _dense_first(reach, component)
    limit = _most(reach, order, begins, backend, lambda done: step(0.1 * done))
    pieces = _Pieces.of(reach, *_only(order, begins, np.flatnonzero(reach.squares()[order] <= limit)))
    table = _squares_between(pieces, backend, lambda done: step(0.1 + 0.7 * done))
    least, known = reach.least(table), np.zeros(table.shape, dtype=np.bool_)
    edges: dict[tuple[int, int], tuple[float, int, int]] = {}

    def measured(part: tuple[tuple[int, int], slice]) -> tuple[float, int, int]:
        ends, rows = part
        return pieces.cheapest(rows, ends[1], backend)

    while True:
        left, right = _tree(least)
        waiting = [(int(left[at]), int(right[at])) for at in np.flatnonzero(~known[left, right])]
        if not waiting:
            break
        parts = [(ends, rows) for ends in waiting for rows in pieces.parts(*ends)]
        for (ends, _), edge in zip(parts, backend.each(measured, parts), strict=True):
            edges[ends] = min(edge, edges.get(ends, NO_EDGE))
            step(0.8)
        for ends in waiting:
            least[ends] = least[ends[::-1]] = edges[ends][0]
            known[ends] = known[ends[::-1]] = True
    step(1.0)
    return _chosen(edges, len(pieces.begins) - 1)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Rows in order of their pieces, the smallest piece first: piece p is `order[begins[p]:begins[p + 1]]`.

    In a piece the rows with the smallest core distances come first. Products of `left` (rows, d + 2) and `right`
    (d + 2, n) float32 are squared distances; `squares` (n,) are the rows' own, `cores` (n,) are squared too.
    """

    reach: MutualReach
    order: Integers
    begins: Integers
    squares: Floats
    right: Floats
    cores: Floats

    @classmethod
    def of(cls, reach: MutualReach, order: Integers, begins: Integers) -> _Pieces:
        n, d = len(order), reach.rows.shape[1]
        squares, right = np.empty(n, dtype=np.float32), np.empty((d + 2, n), dtype=np.float32)
        for part in row_slices(n, d):
            rows = reach.rows[order[part]]
            squares[part] = np.einsum("ij,ij->i", rows, rows)
            np.multiply(rows.T, np.float32(-2), out=right[:d, part])
        right[d], right[d + 1] = 1, squares
        return cls(reach, order, begins, squares, right, reach.squares()[order])

    def left(self, part: slice) -> Floats:
        """Return the left side of some rows: made anew each time, since a tile of it is little beside the product."""
        rows = self.reach.rows[self.order[part]]
        squares = self.squares[part, None]
        return np.concatenate([rows, squares, np.ones_like(squares)], axis=1)

    def parts(self, one: int, other: int) -> Iterator[slice]:
        """Cut the rows of a piece into parts that are compared with another between two calls of `step`."""
        begin, end = int(self.begins[one]), int(self.begins[one + 1])
        size = max(1, TILES_BETWEEN * TILE_ENTRIES // int(self.begins[other + 1] - self.begins[other]))
        return (slice(at, min(at + size, end)) for at in range(begin, end, size))

    def cheapest(self, rows: slice, other: int, backend: ArrayBackend) -> tuple[float, int, int]:
        """Return the exact cheapest edge from some rows to another piece: of those that products say could be it."""
        columns = slice(int(self.begins[other]), int(self.begins[other + 1]))
        right, cores = backend.send(self.right[:, columns]), backend.send(self.cores[columns])
        height = max(1, TILE_ENTRIES // (columns.stop - columns.start))
        best, least = NO_EDGE, np.inf
        for at in range(rows.start, rows.stop, height):
            part = slice(at, min(at + height, rows.stop))
            block = _squares(backend, self.left(part), right, self.cores[part], cores)
            least = min(least, float(backend.xp.min(block)))
            near = [backend.fetch(found) for found in backend.xp.nonzero(block <= least + self.reach.slack)]
            best = min(best, self._measured(self.order[part][near[0]], self.order[columns][near[1]]))
        return best

    def _measured(self, left: Integers, right: Integers) -> tuple[float, int, int]:
        if not len(left):
            return NO_EDGE
        costs, low, high = self.reach.exact(left, right), np.minimum(left, right), np.maximum(left, right)
        first = np.lexsort((high, low, costs))[0]
        return float(costs[first]), int(low[first]), int(high[first])


def _squares(backend: ArrayBackend, rows: Floats, right: Any, row_cores: Floats, cores: Any) -> Any:
    """Return the (rows, columns) squares of the costs on the device."""
    xp = backend.xp
    block = backend.send(rows) @ right
    return xp.maximum(xp.maximum(block, cores[None, :]), backend.send(row_cores)[:, None])


def _dense_first(reach: MutualReach, component: Integers) -> tuple[Integers, Integers]:
    """Return the rows by the size of their piece, the piece, and their core distance; and where each piece begins."""
    sizes = np.bincount(component)
    by_size = np.argsort(sizes, kind="stable")
    rank = np.empty_like(by_size)
    rank[by_size] = np.arange(len(sizes))
    return np.lexsort((reach.core, rank[component])), np.concatenate([[0], np.cumsum(sizes[by_size])])


def _only(order: Integers, begins: Integers, kept: Integers) -> tuple[Integers, Integers]:
    """Return the same with some of the rows, given by place, ascending."""
    return order[kept], np.searchsorted(kept, begins)


def _most(reach: MutualReach, order: Integers, begins: Integers, backend: ArrayBackend, step: Step) -> float:
    """Return a square that no edge of the tree exceeds: the dearest edge of a tree over a sample of the rows."""
    sizes = np.diff(begins)
    place = np.arange(len(order)) - np.repeat(begins[:-1], sizes)
    sample = np.flatnonzero((place % SAMPLED == 0) & (2 * place < np.repeat(sizes, sizes)))
    if len(sample) > SAMPLE_SHARE * len(order):
        return np.inf
    table = _squares_between(_Pieces.of(reach, *_only(order, begins, sample)), backend, step, at_most=True)
    # what products propose lies within half the slack of the truth, and so does what it is compared with
    return float(table[_tree(table)].max()) + 2 * reach.slack


def _squares_between(pieces: _Pieces, backend: ArrayBackend, step: Step, *, at_most: bool = False) -> Doubles:
    """Return the symmetric (pieces, pieces) squares that edges cost at least, or at most; infinite on the diagonal."""
    count = len(pieces.begins) - 1
    table = np.full((count, count), np.inf)
    piece = np.repeat(np.arange(count), np.diff(pieces.begins))
    xp, right = backend.xp, backend.send(pieces.right)

    def compared(part: tuple[slice, slice]) -> list[tuple[Any, Doubles]]:
        rows, every = part
        runs = _runs(piece[rows])
        left, mine, found = backend.send(pieces.left(rows)), piece[rows][[run.start for run in runs]], []
        # one core for each run, and not for each row: a pass over the products less
        cores = pieces.cores[rows][[run.stop - 1 if at_most else run.start for run in runs], None]
        for columns in _tiles(every.start, every.stop, TILE_COLUMNS):
            block = left @ right[:, columns]
            lows = np.stack([backend.fetch(xp.min(block[run, :], axis=0)) for run in runs])
            lows = np.maximum(np.maximum(lows, cores), pieces.cores[columns])
            starts = [run.start for run in _runs(piece[columns])]
            found.append((np.ix_(mine, piece[columns][starts]), np.minimum.reduceat(lows, starts, axis=1)))
        return found

    parts = _halves(pieces, piece)
    for done, found in enumerate(backend.each(compared, parts), start=1):
        for corner, least in found:
            table[corner] = np.minimum(table[corner], least)
        step(done / len(parts))
    np.fill_diagonal(table, np.inf)
    return np.asarray(np.minimum(table, table.T))


def _halves(pieces: _Pieces, piece: Integers) -> list[tuple[slice, slice]]:
    """Return rows and columns that are compared together, so that all rows meet those of their and the later pieces.

    The rows of the last, largest piece are met as columns.
    """
    end, n, width = int(pieces.begins[-2]), len(pieces.order), TILES_IN_A_PART * TILE_COLUMNS
    every = _tiles(0, end, TILE_ROWS)
    return [(rows, columns) for rows in every for columns in _tiles(int(pieces.begins[piece[rows.start]]), n, width)]


def _tiles(begin: int, end: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, end)) for at in range(begin, end, size))


def _runs(piece: Integers) -> list[slice]:
    """Return the runs of equal values."""
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(piece)) + 1, [len(piece)]])
    return [slice(first, last) for first, last in itertools.pairwise(bounds.tolist())]


def _tree(costs: Doubles) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the ends, smaller first, of the cheapest tree over a full table (Prim's algorithm). O(pieces²)."""
    count = len(costs)
    best, source = costs[0].copy(), np.zeros(count, dtype=np.intp)
    inside = np.zeros(count, dtype=np.bool_)
    inside[0] = True
    ends = np.empty((count - 1, 2), dtype=np.intp)
    for at in range(count - 1):
        here = int(np.where(inside, np.inf, best).argmin())
        ends[at] = source[here], here
        inside[here] = True
        nearer = costs[here] < best
        best[nearer], source[nearer] = costs[here][nearer], here
    ends.sort(axis=1)
    return ends[:, 0], ends[:, 1]


def _chosen(edges: dict[tuple[int, int], tuple[float, int, int]], count: int) -> Doubles:
    """Return the cheapest tree of the measured edges, which hold one: by cost, smaller row, larger row."""
    parent = list(range(count))
    kept = []
    for edge, ends in sorted((edge, ends) for ends, edge in edges.items()):
        roots = [_root(parent, end) for end in ends]
        if roots[0] != roots[1]:
            parent[max(roots)] = min(roots)
            kept.append((edge[1], edge[2], edge[0]))
    return np.array(kept, dtype=np.float64).reshape(-1, 3)


def _root(parent: list[int], node: int) -> int:
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]
    return node
