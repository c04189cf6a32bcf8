"""Vectors in, nearly all nearest neighbours of every row out, in nearly linear time, and how many were missed.

Trees of random cuts put near rows into small leaves, where all are compared; then neighbours of neighbours are looked
at until little changes (nearest neighbour descent: Dong, Moses and Li 2011). Both work on whole numbers so small that
every product is exact: no order of a sum, and so no number of threads, changes a neighbour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import (
    Candidates,
    ExactSearch,
    Measure,
    listed,
    nearest_proposed,
    proposal_rows,
)
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Neighbours, Step, no_step, row_slices

SEED = 42
"""One for all runs: they share the graph."""
LEAF = 256
TREES = 3
LONGEST = 2000
"""The length of the longest row in whole numbers: float32 holds sums up to the square of twice that exactly."""
OFTEN = 16
"""The nearest neighbours whose own neighbours are looked at, and so many that have the row as theirs."""
WIDE = 32
"""So many neighbours of each of them."""
MOST_ROUNDS = 8
SETTLED = 0.02
"""The share of neighbours that a round may still change when it is the last."""
ROWS_AT_ONCE = 16
ROWS_OF_A_CUT = 512
SAMPLE = 1000
"""Rows whose neighbours are found exactly, for the recall."""
ENOUGH = 0.95
"""With a lower recall the search goes on from fresh trees."""
WIDER = 16
"""So many more neighbours than asked for are followed: the more, the fewer are missed."""
ATTEMPTS = 3
NONE = np.iinfo(np.int64).max - 1

Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int64]
"""(n, w) neighbours of rows as squared distance · 2³² + id · 2 + (1 while it is new), ascending, NONE at the end."""


def approximate_graph(
    vectors: Floats, k: int, metric: str, *, candidates: Candidates, backend: ArrayBackend, step: Step = no_step
) -> Neighbours:
    """Return what `neighbour_graph` does, nearly: `recall` says which share of a sample's neighbours are the true ones.

    `vectors` (n, d) float32, finite; 1 <= k <= n. The distances are exact. Trees and descents are repeated while the
    recall is below ENOUGH, ATTEMPTS times at most. The same bits for any number of threads. O(n (LEAF + k) d) time,
    O(n (d + k)) memory.
    """
    lists = _Lists(whole_numbers(proposal_rows(vectors, metric)), k + WIDER, backend)
    search, measure = ExactSearch(vectors, metric, candidates), Measure(vectors, metric)
    sample = np.sort(np.random.default_rng(SEED).choice(len(vectors), min(SAMPLE, len(vectors)), replace=False))
    last = search.nearest(sample, k, lambda: step(0.0))[1][:, -1]
    recall = 0.0
    for attempt in range(ATTEMPTS):
        lists.improve(attempt, lambda done, begin=attempt: step(0.9 * (begin + done) / ATTEMPTS))  # type: ignore[misc]
        _, found, _ = nearest_proposed(measure, sample, lists.ids(sample), k)
        recall = recall_of(found, last)
        if recall >= ENOUGH:
            break
    ids, distances = np.empty((len(vectors), k), dtype=np.int32), np.empty((len(vectors), k))
    for part in row_slices(len(vectors), (k + WIDER) * vectors.shape[1]):
        here = np.arange(part.start, part.stop)
        ids[part], distances[part], _ = nearest_proposed(measure, here, lists.ids(here), k)
        step(0.9 + 0.1 * part.stop / len(vectors))
    return listed(ids, distances, metric, recall)


def recall_of(distances: Doubles, last: Doubles) -> float:
    """Return the share of true neighbours, the rows themselves not counted, by the distance of each row's last one.

    One that is as near as the last is as good as it.

    >>> recall_of(np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 4.0]]), np.array([2.0, 3.0]))
    0.75
    """
    found = distances[:, 1:] <= last[:, None]
    return round(float(found.mean()), 4) if found.size else 1.0


class _Lists:
    """The neighbours found so far, and which of them were not followed yet."""

    def __init__(self, rows: Floats, width: int, backend: ArrayBackend) -> None:
        self._rows, self._backend = rows, backend
        self._lengths = np.einsum("ij,ij->i", rows, rows)
        self._keys: Keys = np.full((len(rows), width), NONE)

    def ids(self, rows: Integers) -> Integers:
        """Return the neighbours of some rows; the row's own id where there is none."""
        keys = self._keys[rows]
        return np.where(keys == NONE, rows[:, None], (keys & 0xFFFFFFFF) >> 1)

    def improve(self, attempt: int, step: Step) -> None:
        """Look into fresh trees, then follow what is new until little changes."""
        random = np.random.default_rng((SEED, attempt))
        for tree in range(TREES):
            leaf = leaves(self._rows, random)
            order = np.argsort(leaf, kind="stable")
            groups = np.split(order, np.flatnonzero(np.diff(leaf[order])) + 1)
            for done, _ in enumerate(self._backend.each(self._compare, groups), start=1):
                step(0.2 * (tree + done / len(groups)) / TREES)
        for turn in range(MOST_ROUNDS):
            begin, share = 0.2 + 0.8 * turn / MOST_ROUNDS, 0.8 / MOST_ROUNDS
            if self._descend(lambda done, begin=begin, share=share: step(begin + share * done)) < SETTLED:  # type: ignore[misc]
                break

    def _compare(self, here: Integers) -> None:
        """Compare the rows of a leaf with one another."""
        rows, lengths = self._rows[here], self._lengths[here]
        squares = lengths[:, None] + lengths[None, :] - 2 * (rows @ rows.T)
        found = _new_keys(squares, here[None, :])
        width = self._keys.shape[1]
        if len(here) > width:
            found = np.partition(found, width - 1, axis=1)[:, :width]
        self._keys[here] = _merged(self._keys[here], found)

    def _descend(self, step: Step) -> float:
        """Look once at the neighbours of each row's neighbours, and of the rows it is one of; say which share changed.

        A pair is looked at when one of the two steps to it is new. Every row looks at the neighbours as they were
        before, so that the order of rows changes nothing.
        """
        n = len(self._rows)
        near, new = self.ids(np.arange(n)).astype(np.int32), self._are_new()
        around, is_new = _around(near, new)
        self._keys &= ~1

        def follow(at: int) -> int:
            here = np.arange(at, min(at + ROWS_AT_ONCE, n))
            fresh = new[around[here], :WIDE] | is_new[here, :, None]
            found = np.where(fresh, near[around[here], :WIDE], here[:, None, None]).reshape(len(here), -1)
            found = _unknown(found, near[here], here)
            products = np.matmul(self._rows[found], self._rows[here, :, None])[:, :, 0]
            squares = self._lengths[here, None] + self._lengths[found] - 2 * products
            self._keys[here] = _merged(self._keys[here], _new_keys(squares, found))
            return int(here[-1]) + 1

        for done in self._backend.each(follow, range(0, n, ROWS_AT_ONCE)):
            step(done / n)
        return float(self._are_new().mean())

    def _are_new(self) -> Flags:
        return np.asarray((self._keys & 1 == 1) & (self._keys != NONE))


def whole_numbers(rows: Floats) -> Floats:
    """Return rows scaled and rounded to whole numbers, in float32, none longer than LONGEST and rounding."""
    longest = float(np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64).max(initial=0)))
    room = LONGEST - np.sqrt(rows.shape[1]) / 2
    scaled = rows * np.float32(room / longest if longest > 0 else 0)
    return np.asarray(np.rint(scaled, out=scaled))


def leaves(rows: Floats, random: np.random.Generator) -> Integers:
    """Return (n,) the leaf of each row: rows are halved, again and again, across the line between two of them."""
    n = len(rows)
    leaf, order = np.zeros(n, dtype=np.int64), np.arange(n)
    count = 1
    while n / count > LEAF:
        bounds = np.searchsorted(leaf[order], np.arange(count + 1))
        ends = bounds[:-1] + (random.random((2, count)) * np.diff(bounds)).astype(np.int64)
        across = rows[order[ends[0]]] - rows[order[ends[1]]]
        along = _products(rows, across, leaf)
        order = np.lexsort((along, leaf))
        place = np.arange(n) - bounds[leaf[order]]
        leaf[order] = 2 * leaf[order] + (2 * place >= np.diff(bounds)[leaf[order]])
        count *= 2
    return leaf


def _products(rows: Floats, directions: Floats, of: Integers) -> Floats:
    """Return each row's product with its leaf's direction."""
    found = np.empty(len(rows), dtype=np.float32)
    for at in range(0, len(rows), ROWS_OF_A_CUT):
        part = slice(at, at + ROWS_OF_A_CUT)
        found[part] = np.einsum("ij,ij->i", rows[part], directions[of[part]])
    return found


def _new_keys(squares: Floats, ids: npt.NDArray[Any]) -> Keys:
    return np.asarray((squares.astype(np.int64) << 32) | (ids.astype(np.int64) << 1) | 1)


def _merged(keys: Keys, found: Keys) -> Keys:
    """Return the nearest of both, each once; what was there is not new."""
    both = np.sort(np.concatenate([keys, found], axis=1), axis=1)
    both[:, 1:][both[:, 1:] >> 1 == both[:, :-1] >> 1] = NONE
    both.sort(axis=1)
    return both[:, : keys.shape[1]]


def _around(near: npt.NDArray[np.int32], new: Flags) -> tuple[npt.NDArray[np.int32], Flags]:
    """Return (n, 2 OFTEN) the nearest rows of each and those that list it foremost, and which of these are new.

    The row itself stands where too few list it.
    """
    n = len(near)
    ahead, flags = near[:, 1 : OFTEN + 1], new[:, 1 : OFTEN + 1]
    target = ahead.T.ravel().astype(np.int64)
    order = np.argsort(target, kind="stable")
    place = np.arange(len(order)) - np.searchsorted(target[order], target[order])
    order, place = order[place < OFTEN], place[place < OFTEN]
    back = np.repeat(np.arange(n, dtype=np.int32)[:, None], OFTEN, axis=1)
    back_flags = np.zeros((n, OFTEN), dtype=np.bool_)
    back[target[order], place] = order % n
    back_flags[target[order], place] = flags.T.ravel()[order]
    return np.concatenate([ahead, back], axis=1), np.concatenate([flags, back_flags], axis=1)


def _unknown(found: npt.NDArray[np.int32], known: npt.NDArray[np.int32], own: Integers) -> npt.NDArray[np.int32]:
    """Return (rows, widest) what is found and not known, each once; the row's own id fills up."""
    found = np.sort(found, axis=1)
    old = found == own[:, None]
    old[:, 1:] |= found[:, 1:] == found[:, :-1]
    for column in range(known.shape[1]):
        old |= found == known[:, column, None]
    order = np.argsort(old, axis=1, kind="stable")[:, : max(1, int((~old).sum(axis=1).max()))]
    old, found = (np.take_along_axis(part, order, axis=1) for part in (old, found))
    return np.where(old, own[:, None].astype(np.int32), found)
