"""Vectors and their neighbour graph in, the exact minimum spanning tree of mutual reachability out, in O(n k) memory.

Borůvka's rounds on the listed neighbours. The distance to the last listed neighbour is a lower bound for every edge
that is not listed, so a component's cheapest edge is proven when no bound of its rows lies below it. Once no component
has a proven edge, either the few rows whose bound lies below are scanned against all others by a matrix product, or,
where groups lie apart and those are most rows, all components are compared with one another at once. The largest
component is never scanned: it is found by the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.distances import Block, blocks
from shoald.domain.clustering.mutual_reach import MutualReach
from shoald.domain.clustering.neighbour_graph import Measure, product_error, proposal_rows
from shoald.domain.clustering.piece_joining import MOST_PIECES, joining_edges, pairs_between
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Neighbours, Step, no_step

SCAN_ENTRIES = 1_000_000
"""Costs of rows that are scanned together, where sixteen rows have no more: a larger block stops no sooner."""
JOINED_FOR = 0.75
"""Comparing two rows of different components once costs at most this share of a scanned row's entry."""
SCANS_EACH = 8
"""Rows of a component that are scanned where the lists are approximate and prove nothing."""


@dataclass(frozen=True, slots=True)
class SpanningTree:
    """(n - 1, 3) float64 edges (smaller row, larger row, weight), by weight, then by the rows.

    `scanned` rows were compared with all others; `joined` components were compared with one another, 0 for none.
    """

    edges: Doubles
    scanned: int
    joined: int


def spanning_tree(
    vectors: Floats,
    neighbours: Neighbours,
    core: int,
    alpha: float,
    *,
    backend: ArrayBackend,
    step: Step = no_step,
) -> SpanningTree:
    """Return the tree whose edge (i, j) costs max(core(i), core(j), distance(i, j) / alpha).

    `core(i)` is the distance to the `core`-th other row; `neighbours` must list more rows than `core`, unless it lists
    all. Ties go to the edge with the smaller row, then the smaller other row. O(n k) memory; time O(scanned · n · d)
    beside the graph's own.
    """
    cosine = neighbours.metric == "cosine"
    distances = np.sqrt(2 * neighbours.distances) if cosine else neighbours.distances
    measured = Neighbours(neighbours.ids, distances, neighbours.metric)
    search = _Search(vectors, measured, core, math.sqrt(alpha) if cosine else alpha, backend)
    edges = search.run(step)
    if cosine:
        edges[:, 2] = edges[:, 2] ** 2 / 2
    return SpanningTree(edges, search.scanned, search.joined)


def spanning_tree_of_any_metric(block: Block, n: int, core: int, alpha: float, *, step: Step = no_step) -> Doubles:
    """Return the same tree, as ordered edges, from rows of distances of any metric (Prim's algorithm, row by row).

    O(n²) distances twice, O(n) memory beside a block.
    """
    cores = np.empty(n)
    for rows in blocks(np.arange(n), n):
        # the row itself lies at distance 0
        cores[rows] = np.partition(block(rows), min(core, n - 1), axis=1)[:, min(core, n - 1)]
        step(0.5 * (rows[-1] + 1) / n)
    best, source, here = np.full(n, np.inf), np.zeros(n, dtype=np.int64), 0
    outside = np.ones(n, dtype=np.bool_)
    edges = np.empty((n - 1, 3))
    for at in range(n - 1):
        outside[here] = False
        reach = np.maximum(np.maximum(block(np.array([here]))[0] / alpha, cores), cores[here])
        nearer = outside & (reach < best)
        best[nearer], source[nearer] = reach[nearer], here
        here = int(np.where(outside, best, np.inf).argmin())
        edges[at] = source[here], here, best[here]
        step(0.5 + 0.5 * (at + 1) / n)
    return ordered_edges(edges)


def ordered_edges(edges: Doubles) -> Doubles:
    """Return (m, 3) edges with the smaller row first, by weight, then by the rows: the fixed rule for ties."""
    low, high = edges[:, :2].min(axis=1), edges[:, :2].max(axis=1)
    return np.column_stack((low, high, edges[:, 2]))[np.lexsort((high, low, edges[:, 2]))]


class _Search:
    """One run of Borůvka's algorithm: components grow until there is one."""

    def __init__(
        self,
        vectors: Floats,
        neighbours: Neighbours,
        core: int,
        alpha: float,
        backend: ArrayBackend,
    ) -> None:
        ids, distances = neighbours.ids, neighbours.distances
        n, k = ids.shape
        rows = proposal_rows(vectors, neighbours.metric)
        squares = np.einsum("ij,ij->i", rows, rows)
        slack = float(2 * product_error(2 * np.sqrt(squares.max(initial=0)), rows.shape[1]))
        self.core = distances[:, min(core, k - 1)]
        self.cost = MutualReach(rows, Measure(vectors, neighbours.metric), self.core, alpha, slack)
        self.ids, self.backend, self.is_exact = ids, backend, neighbours.recall is None
        self.reach = np.maximum(distances / alpha, np.maximum(self.core[:, None], self.core[ids]))
        unlisted = distances[:, -1] / alpha if k < n else np.full(n, np.inf)
        self.bound = np.maximum(self.core, unlisted)
        self.found, self.found_at = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
        self.component = np.arange(n)
        self.edges: list[npt.NDArray[Any]] = []
        self.scanned = self.joined = 0
        self._device: tuple[Array, ...] | None = None

    def run(self, step: Step) -> Doubles:
        """Join components round by round; returns the edges in order."""
        n = len(self.ids)
        self._join_copies()
        while True:
            groups = int(self.component.max(initial=0)) + 1
            step(1 - (groups - 1) / max(n, 1))
            if groups <= 1:
                break
            weight, other = self._listed()
            proven = self._proven(weight)
            if not proven.any():
                if self._join_all(weight, step):
                    break
                self._prove(weight, other, step)
                proven[:] = True
            self._merge(weight, other, proven)
        return ordered_edges(np.concatenate([*self.edges, np.empty((0, 3))]))

    def _join_copies(self) -> None:
        """Chain equal rows whose core distance is 0: lists cannot hold all of them, and every edge there costs 0."""
        dense = np.flatnonzero(self.core == 0)
        if not len(dense):
            return
        rows = np.ascontiguousarray(self.cost.rows[dense])
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        copies = np.flatnonzero(dense[first[group]] != dense)
        heads = dense[first[group[copies]]]
        self.edges.append(np.column_stack((heads, dense[copies], np.zeros(len(copies)))).astype(np.float64))
        self.component[dense[copies]] = heads
        self.component = np.unique(self.component, return_inverse=True)[1]

    def _listed(self) -> tuple[Doubles, Integers]:
        """Return each row's cheapest known edge out of its component: listed (ties to the smaller row) or scanned."""
        n = len(self.ids)
        outside = np.where(self.component[self.ids] != self.component[:, None], self.reach, np.inf)
        weight = outside.min(axis=1)
        other = np.where(outside == weight[:, None], self.ids, n).min(axis=1)
        scanned = (self.component[self.found_at] != self.component) & (self.found < weight)
        other = np.minimum(other, n - 1).astype(np.int64)
        return np.where(scanned, self.found, weight), np.where(scanned, self.found_at, other)

    def _open(self, weight: Doubles) -> tuple[npt.NDArray[np.bool_], Doubles]:
        """Return which rows could hold a cheaper edge than their component's best, and that best of each component."""
        sizes = np.bincount(self.component)
        best = np.full(len(sizes), np.inf)
        np.minimum.at(best, self.component, weight)
        return (self.component != sizes.argmax()) & (self.bound < best[self.component]), best

    def _proven(self, weight: Doubles) -> npt.NDArray[np.bool_]:
        """Say of each component but the largest whether its best known edge is its cheapest."""
        could, best = self._open(weight)
        proven = np.isfinite(best)
        proven[self.component[could]] = False
        proven[np.bincount(self.component).argmax()] = False
        return proven

    def _join_all(self, weight: Doubles, step: Step) -> bool:
        """Compare all components at once where that costs less than scanning rows; says whether it did."""
        sizes = np.bincount(self.component)
        scans = float(self._open(weight)[0].sum()) * len(self.ids)
        if not self.is_exact or len(sizes) > MOST_PIECES or pairs_between(sizes) > JOINED_FOR * scans:
            return False
        done = 1 - (len(sizes) - 1) / len(self.ids)
        self._device = None
        edges = joining_edges(
            self.cost, self.component, backend=self.backend, step=lambda part: step(done + (1 - done) * part)
        )
        self.edges.append(edges)
        self.joined = len(sizes)
        return True

    def _prove(self, weight: Doubles, other: Integers, step: Step) -> None:
        """Scan, nearest bound first, the rows that could hold a cheaper edge than their component's best."""
        could, best = self._open(weight)
        waiting = np.flatnonzero(could)
        waiting = waiting[np.argsort(self.bound[waiting], kind="stable")]
        if not self.is_exact:
            waiting = _some_of_each(waiting, self.component)
        block = scanned_rows(len(self.ids))
        while len(waiting):
            rows, waiting = waiting[:block], waiting[block:]
            found, where = self._scan(rows)
            better = found < weight[rows]
            weight[rows[better]], other[rows[better]] = found[better], where[better]
            np.minimum.at(best, self.component[rows], found)
            # all that is outside now and later lies at least this far away
            self.bound[rows] = np.maximum(self.bound[rows], found)
            self.found[rows], self.found_at[rows] = found, where
            waiting = waiting[self.bound[waiting] < best[self.component[waiting]]]
            self.scanned += len(rows)
            step(1 - (len(best) - 1) / len(self.ids))

    def _on_device(self) -> tuple[Array, ...]:
        """Return the rows, their negative doubles as columns, their squares and those of their cores."""
        if self._device is None:
            rows = self.cost.rows
            parts = (rows, np.ascontiguousarray(-2 * rows.T), np.einsum("ij,ij->i", rows, rows), self.cost.squares())
            self._device = tuple(self.backend.send(part) for part in parts)
        return self._device

    def _scan(self, rows: Integers) -> tuple[Doubles, Integers]:
        """Return the exact cheapest edge of each row into another component.

        Float32 squares choose; whatever lies within their error of the smallest is measured in float64.
        """
        xp, send = self.backend.xp, self.backend.send
        vectors, doubled, squares, core = self._on_device()
        at, component = send(rows), send(self.component)
        reach = xp.take(vectors, at, axis=0) @ doubled
        reach += squares[None, :]
        reach += squares[at][:, None]
        reach = xp.maximum(xp.maximum(reach, core[None, :]), core[at][:, None])
        reach = xp.where(component[at][:, None] == component[None, :], xp.inf, reach)
        near = reach <= xp.min(reach, axis=1)[:, None] + self.cost.slack
        row, other = (self.backend.fetch(x) for x in xp.nonzero(near))
        exact = self.cost.exact(rows[row], other)
        order = np.lexsort((other, exact, row))
        chosen = order[np.flatnonzero(np.r_[True, np.diff(row[order]) != 0])]
        return exact[chosen], other[chosen]

    def _merge(self, weight: Doubles, other: Integers, proven: npt.NDArray[np.bool_]) -> None:
        """Join each proven component but the largest along its cheapest edge, by (weight, smaller row, larger row)."""
        groups = len(proven)
        every = np.arange(len(weight))
        low, high = np.minimum(every, other), np.maximum(every, other)
        largest = np.bincount(self.component).argmax()
        usable = np.flatnonzero(np.isfinite(weight) & proven[self.component] & (self.component != largest))
        order = usable[np.lexsort((high[usable], low[usable], weight[usable]))]
        _, first = np.unique(self.component[order], return_index=True)
        chosen = order[np.sort(first)]
        parent = list(range(groups))
        kept = []
        pairs = zip(self.component[chosen].tolist(), self.component[other[chosen]].tolist(), strict=True)
        for edge, (left, right) in enumerate(pairs):
            a, b = _root(parent, left), _root(parent, right)
            if a != b:
                parent[max(a, b)] = min(a, b)
                kept.append(edge)
        chosen = chosen[kept]
        self.edges.append(np.column_stack((low[chosen], high[chosen], weight[chosen])))
        roots = np.array([_root(parent, group) for group in range(groups)])
        self.component = np.unique(roots, return_inverse=True)[1][self.component]


def scanned_rows(n: int) -> int:
    """Return how many of n rows are scanned together."""
    return min(n, max(16, min(512, SCAN_ENTRIES // n)))


def _some_of_each(rows: Integers, component: Integers) -> Integers:
    """Return at most SCANS_EACH rows of each component, evenly from the first to the last, in the given order."""
    order = np.argsort(component[rows], kind="stable")
    of = component[rows][order]
    begins = np.searchsorted(of, of)
    sizes = np.searchsorted(of, of, side="right") - begins
    rank, wanted = np.arange(len(rows)) - begins, np.minimum(sizes, SCANS_EACH)
    # the ranks at which the share of wanted rows grows by one
    taken = rank * wanted // sizes != (rank - 1) * wanted // sizes
    return np.asarray(rows[np.sort(order[taken])])


def _root(parent: list[int], node: int) -> int:
    """Follow the parents, halving the path."""
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]
    return node
