"""Vectors in, nearly all nearest neighbours of every row out, in nearly linear time, and how many were missed.

Trees of random cuts put near rows into small leaves, where all are compared; then neighbours of neighbours are looked
at until little changes (nearest neighbour descent: Dong, Moses and Li 2011). Both work on whole numbers so small that
every product is exact: no order of a sum, and so no number of threads, changes a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.neighbour_graph import (
    Candidates,
    ExactSearch,
    Measure,
    listed,
    nearest_proposed,
    proposal_rows,
)
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Neighbours, Step, no_step

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
ROWS_AT_ONCE = 64
SAMPLE = 1000
"""Rows whose neighbours are found exactly, for the recall."""
ENOUGH = 0.95
"""A lower recall is worth a warning."""
WIDER = 16
"""So many more neighbours than asked for are followed: the more, the fewer are missed."""
NONE = np.iinfo(np.int64).max

Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int64]
"""(n, w) neighbours of rows as squared distance · 2³² + id, ascending, NONE at the end."""


def approximate_graph(
    vectors: Floats, k: int, metric: str, *, candidates: Candidates, step: Step = no_step
) -> Neighbours:
    """Return what `neighbour_graph` does, nearly: `recall` says which share of a sample's neighbours are the true ones.

    `vectors` (n, d) float32, finite; 1 <= k <= n. The distances are exact. The same bits for any number of threads.
    O(n (LEAF + k) d) time, O(n (d + k)) memory.
    """
    rows = whole_numbers(proposal_rows(vectors, metric))
    random = np.random.default_rng(SEED)
    keys = np.full((len(rows), k + WIDER), NONE)
    for tree in range(TREES):
        _compare_within(rows, leaves(rows, random), keys)
        step(0.3 * (tree + 1) / TREES)
    new = np.ones(keys.shape, dtype=np.bool_)
    for turn in range(MOST_ROUNDS):
        begin = 0.3 + 0.6 * turn / MOST_ROUNDS
        changed = _descend(rows, keys, new, lambda done, begin=begin: step(begin + 0.6 / MOST_ROUNDS * done))  # type: ignore[misc]
        if changed < SETTLED:
            break
    every = np.arange(len(rows))
    ids, distances, _ = nearest_proposed(Measure(vectors, metric), every, _ids(keys, every), k)
    step(0.95)
    recall = _recall(ExactSearch(vectors, metric, candidates), ids, distances, random)
    step(1.0)
    return listed(ids.astype(np.int32), distances, metric, recall)


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
    for at in range(0, len(rows), ROWS_AT_ONCE * 8):
        part = slice(at, at + ROWS_AT_ONCE * 8)
        found[part] = np.einsum("ij,ij->i", rows[part], directions[of[part]])
    return found


def _compare_within(rows: Floats, leaf: Integers, keys: Keys) -> None:
    """Take the nearest rows of each leaf into its rows' neighbours."""
    order = np.argsort(leaf, kind="stable")
    width = keys.shape[1]
    for here in np.split(order, np.flatnonzero(np.diff(leaf[order])) + 1):
        mine = rows[here]
        lengths = np.einsum("ij,ij->i", mine, mine)
        squares = lengths[:, None] + lengths[None, :] - 2 * (mine @ mine.T)
        found = (squares.astype(np.int64) << 32) | here[None, :]
        if len(here) > width:
            found = np.partition(found, width - 1, axis=1)[:, :width]
        keys[here] = _merged(keys[here], found)


def _merged(keys: Keys, found: Keys) -> Keys:
    """Return the nearest of both, each once."""
    both = np.sort(np.concatenate([keys, found], axis=1), axis=1)
    both[:, 1:][both[:, 1:] == both[:, :-1]] = NONE
    both.sort(axis=1)
    return both[:, : keys.shape[1]]


def _ids(keys: Keys, own: Integers) -> Integers:
    """Return the neighbours' ids; the row's own where there is none."""
    return np.where(keys == NONE, own[:, None], keys & 0xFFFFFFFF)


def _descend(rows: Floats, keys: Keys, new: Flags, step: Step) -> float:
    """Look once at the neighbours of each row's neighbours, and of the rows it is one of; say which share changed.

    A pair is looked at when one of the two steps to it is `new` (n, w), which then says what this round found. Every
    row looks at the neighbours as they were before, so that the order of rows changes nothing.
    """
    n = len(rows)
    near = _ids(keys, np.arange(n)).astype(np.int32)
    around, is_new = _around(near, new)
    lengths, old = np.einsum("ij,ij->i", rows, rows), new.copy()
    new[:] = False
    for here in _chunks(n):
        fresh = old[around[here], :WIDE] | is_new[here, :, None]
        found = np.where(fresh, near[around[here], :WIDE], here[:, None, None]).reshape(len(here), -1)
        found = _unknown(found, near[here], here)
        products = np.matmul(rows[found], rows[here, :, None])[:, :, 0]
        squares = lengths[here, None] + lengths[found] - 2 * products
        merged = _merged(keys[here], (squares.astype(np.int64) << 32) | found)
        new[here] = ~(merged[:, :, None] == keys[here, None, :]).any(axis=2)
        keys[here] = merged
        step(float(here[-1] + 1) / n)
    return float(new.mean())


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


def _recall(search: ExactSearch, ids: Integers, distances: Doubles, random: np.random.Generator) -> float:
    """Return the share of a sample's true neighbours that are listed; one as near as the last is as good as it."""
    n, k = ids.shape
    if k == 1:
        return 1.0
    sample = np.sort(random.choice(n, min(SAMPLE, n), replace=False))
    last = search.nearest(sample, k)[1][:, -1]
    found = (distances[sample, 1:] <= last[:, None]).sum(axis=1)
    return round(float(found.sum() / (len(sample) * (k - 1))), 4)


def _chunks(n: int) -> Iterator[Integers]:
    for at in range(0, n, ROWS_AT_ONCE):
        yield np.arange(at, min(at + ROWS_AT_ONCE, n))
