"""Maximal marginal relevance: of the nearest, those that answer the query and do not repeat each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BALANCE = 0.5
"""1 is nearness alone, 0 is difference alone."""


def most_relevant(
    query: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32], *, k: int, balance: float = BALANCE
) -> list[int]:
    """Return up to k rows of `vectors` (m, d), best first, ties by row.

    Each next one has the greatest balance · cos(query) - (1 - balance) · (greatest cosine to one chosen before).
    Carbonell and Goldstein, 1998. O(k·m·d).
    """
    rows = _unit(vectors)
    nearness = balance * (rows @ _unit(query[np.newaxis])[0])
    chosen: list[int] = []
    likeness = np.full(len(rows), -np.inf)
    gains = nearness.copy()
    while len(chosen) < min(k, len(rows)):
        best = int(np.argmax(gains))
        chosen.append(best)
        likeness = np.maximum(likeness, rows @ rows[best])
        gains = nearness - (1 - balance) * likeness
        gains[chosen] = -np.inf
    return chosen


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths == 0, 1.0, lengths)
