"""Vectors and a bandwidth in, the modes of their density out: mean shift with a flat kernel, in blocks of products.

Every seed moves to the mean of the rows within the bandwidth until it rests. Seeds that have the same rows around them
go the same way from then on, so only one of them is followed: after a few rounds few are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.distances import BLOCK_ENTRIES, Block, blocks
from shoald.domain.clustering.spaces import Floats, Integers, Step, no_step

REST = 1e-3
"""A seed rests when it moves less than this share of the bandwidth."""


@dataclass(frozen=True, slots=True)
class Modes:
    """(k, d) float32 centres by falling number of rows around them, and those numbers; rounds taken; if all rested."""

    centres: Floats
    rows: Integers
    rounds: int
    rested: bool


def typical_bandwidth(block: Block, n: int, quantile: float, *, asked: Integers, step: Step = no_step) -> float:
    """Return the mean distance of some rows to the last of their nearest `quantile` share of all rows (themselves
    included). O(asked · n) distances.
    """
    k = max(1, int(n * quantile))
    total = 0.0
    for rows in blocks(asked, n):
        total += float(np.partition(block(rows), k - 1, axis=1)[:, k - 1].sum())
        step(min(1.0, (rows[-1] + 1) / n))
    return total / len(asked)


def find_modes(
    vectors: Floats, seeds: Floats, *, bandwidth: float, max_iter: int, backend: ArrayBackend, step: Step = no_step
) -> Modes:
    """Follow the seeds to their modes, and leave out modes within the bandwidth of one with more rows.

    O(rounds · seeds still moving · n d) time, O(n d) memory and a block of distances.
    """
    walk = _Walk(vectors, bandwidth, backend)
    moving, rounds = np.unique(seeds, axis=0), 0
    first, codes = len(moving), [0] * len(moving)
    while len(moving) and rounds <= max_iter:
        moving, codes = walk.round(moving, codes, last=rounds == max_iter, check=partial(step, 1 - len(moving) / first))
        rounds += 1
    centres, rows = walk.settled()
    kept = _apart(centres, rows, bandwidth)
    return Modes(centres[kept], rows[kept], rounds, rested=rounds <= max_iter)


class _Walk:
    def __init__(self, vectors: Floats, bandwidth: float, backend: ArrayBackend) -> None:
        self._backend, self._bandwidth = backend, bandwidth
        self._n = len(vectors)
        self._rows = backend.send(vectors)
        self._squares = backend.xp.sum(self._rows * self._rows, axis=1)
        self._seen: set[int] = set()
        self._found: list[tuple[Floats, Integers]] = []

    def round(
        self, moving: Floats, codes: list[int], *, last: bool, check: Callable[[], None]
    ) -> tuple[Floats, list[int]]:
        """Move every seed once; return those that have not come to rest, without those that go the same way.

        `codes` stand for the rows that a seed last had around it.
        """
        still, then = [moving[:0]], []
        for ids in blocks(np.arange(len(moving)), self._n, BLOCK_ENTRIES):
            there, after = self._moved(moving[ids], codes[ids[0] : ids[-1] + 1], last=last)
            still.append(there)
            then += after
            check()
        return np.concatenate(still), then

    def _moved(self, here: Floats, before: list[int], *, last: bool) -> tuple[Floats, list[int]]:
        near = self._near(here)
        fresh, codes = self._fresh(near, before)
        here, near = here[fresh], near[fresh]
        counts = near.sum(axis=1)
        sums = self._backend.fetch(self._backend.send(near.astype(np.float32)) @ self._rows)
        there = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        there = np.where(counts[:, None] > 0, there, here)
        steps = np.sqrt(np.square(there - here, dtype=np.float64).sum(axis=1))
        rests = (steps <= REST * self._bandwidth) | last
        inside = rests & (counts > 0)
        self._found.append((there[inside], counts[inside].astype(np.int64)))
        return there[~rests], [codes[at] for at in np.flatnonzero(~rests).tolist()]

    def _near(self, here: Floats) -> npt.NDArray[np.bool_]:
        gaps = self._squares[None, :] - 2 * (self._backend.send(here) @ self._rows.T)
        lengths = np.einsum("ij,ij->i", here, here)
        limit = (np.float32(self._bandwidth**2) - lengths)[:, None]
        return np.asarray(self._backend.fetch(gaps <= self._backend.send(limit.astype(np.float32))))

    def _fresh(self, near: npt.NDArray[np.bool_], before: list[int]) -> tuple[Integers, list[int]]:
        """Return the seeds whose rows around them no other seed had before: the others' way is known from there."""
        fresh, codes = [], []
        for at, bits in enumerate(np.packbits(near, axis=1)):
            code = hash(bits.tobytes())
            if code not in self._seen or code == before[at]:
                self._seen.add(code)
                fresh.append(at)
                codes.append(code)
        return np.array(fresh, dtype=np.int64), codes

    def settled(self) -> tuple[Floats, Integers]:
        """Return where seeds came to rest, most rows first, then by coordinates."""
        centres = np.concatenate([one for one, _ in self._found] or [np.empty((0, self._rows.shape[1]), np.float32)])
        rows = np.concatenate([one for _, one in self._found] or [np.empty(0, np.int64)])
        order = np.lexsort((*(-centres.T[::-1]), -rows))
        return centres[order], rows[order]


def _apart(centres: Floats, rows: Integers, bandwidth: float) -> Integers:
    """Keep, most rows first, the centres that lie further than the bandwidth from all that are kept."""
    kept: list[int] = []
    for at in range(len(rows)):
        if kept:
            gaps = np.square(centres[kept] - centres[at], dtype=np.float64).sum(axis=1)
            if np.sqrt(gaps.min()) <= bandwidth:
                continue
        kept.append(at)
    return np.array(kept, dtype=np.int64)


def binned_seeds(vectors: Floats, size: float, least: int) -> Floats:
    """Return the middles of grid cells of a size that hold at least so many rows; the rows when every one is alone."""
    cells, counts = np.unique(np.round(vectors / size), axis=0, return_counts=True)
    if len(cells) == len(vectors):
        return vectors
    return np.asarray(cells[counts >= least] * size, dtype=np.float32)
