"""How hard an approximate index must look: queries like those to come, and the least effort that answers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_QUERIES = 200
_NEIGHBOURS = 10
_GOOD_RECALL = 0.995  # of a few hundred questions, for 0.98 of all
_REFINEMENTS = 2
_SEED = 1234
_BLOCK = 16_384

Found = Callable[[int], npt.NDArray[np.int64]]
"""Takes an effort, returns the (queries, asked) positions that an index finds with it, -1 where it finds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledQueries:
    """(q, d) unit queries; `asked` neighbours of each are looked for, and `own` is the row that a query is, or -1."""

    queries: npt.NDArray[np.float32]
    asked: int
    own: npt.NDArray[np.int64]

    def least_effort(self, found: Found, truth: npt.NDArray[np.int64], *, first: int, most: int) -> tuple[int, float]:
        """Double the effort from `first` until 199 of 200 of the ten nearest are found, or `most` is reached.

        Then tries in between, since what is looked at for nothing is looked at in every search. Returns the effort
        and the share that it finds. A row that is its own query is no find: it is too easy.
        """
        low, effort = 0, first
        while (recall := self._recall(found(effort), truth)) < _GOOD_RECALL and effort < most:
            low, effort = effort, min(2 * effort, most)
        for _ in range(_REFINEMENTS if low else 0):
            between = (low + effort) // 2
            less = self._recall(found(between), truth)
            if less >= _GOOD_RECALL:
                effort, recall = between, less
            else:
                low = between
        return effort, recall

    def _recall(self, found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
        """Return the recall of rows, or of points between rows, whichever is less."""
        shares = np.array([_share(*each) for each in zip(found, truth, self.own, strict=True)])
        is_row = self.own >= 0
        return float(min(shares[is_row].mean(), shares[~is_row].mean()))


def _share(found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], own: int) -> float:
    nearest = truth[(truth != own) & (truth >= 0)][:_NEIGHBOURS]
    return len(np.intersect1d(found, nearest)) / len(nearest) if len(nearest) else 1.0


def exact_neighbours(vectors: npt.NDArray[np.float32], sampled: SampledQueries) -> npt.NDArray[np.int64]:
    """Return the (queries, asked) nearest of (n, d) unit vectors, nearest first. O(n·d) a query, in blocks."""
    best = np.empty((len(sampled.queries), 0), np.int64)
    scores = np.empty((len(sampled.queries), 0), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        positions = np.arange(start, start + len(block))
        scores = np.concatenate([scores, sampled.queries @ block.T], axis=1)
        best = np.concatenate([best, np.broadcast_to(positions, (len(best), len(block)))], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : sampled.asked]
        best, scores = np.take_along_axis(best, order, 1), np.take_along_axis(scores, order, 1)
    return best


def sample_queries(vectors: npt.NDArray[np.float32], *, most: int = _QUERIES) -> SampledQueries:
    """Return rows of (n, d) unit vectors, n at least 1, and as many points half-way between two, where no row lies.

    Questions are not passages: an index that finds the neighbours of its own rows only may miss those of a question.
    """
    chance = np.random.default_rng(_SEED)
    n = len(vectors)
    own = np.sort(chance.choice(n, min(n, most // 2), replace=False))
    rows = vectors[own]
    between = rows + vectors[chance.integers(0, n, len(own))]
    lengths = np.linalg.norm(between, axis=1, keepdims=True)
    between = between / np.where(lengths > 0, lengths, 1)
    queries = np.ascontiguousarray(np.concatenate([rows, between]), np.float32)
    return SampledQueries(
        queries=queries, asked=min(n, _NEIGHBOURS + 1), own=np.concatenate([own, np.full(len(own), -1)])
    )
