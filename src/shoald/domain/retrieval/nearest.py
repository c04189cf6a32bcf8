"""Exact order among the candidates that a vector store found: cosine first, position where cosines are equal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Candidates = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""Positions (m,) and their vectors (m, d), in any order."""

_MORE_THAN_ASKED = 8
_MOST_MORE = 4096
_EQUAL_DECIMALS = 9
_STORE_PRECISION = 1e-6


def nearest(
    query: npt.NDArray[np.float32], fetch: Callable[[int], Candidates], *, k: int, n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return positions, cosines and vectors of the k nearest of n unit vectors, best first, ties by position.

    `fetch(m)` gives the store's m nearest. Stores break ties as they like and compute in single precision, so a few
    more than k are fetched and ordered again in double; when the last of them is as near as the k-th, more still.
    """
    k = min(k, n)
    wanted = min(n, k + _MORE_THAN_ASKED)
    while True:
        positions, rows = fetch(wanted)
        scores = rows.astype(np.float64) @ query.astype(np.float64)
        order = np.lexsort((positions, -scores.round(_EQUAL_DECIMALS)))
        tied = len(order) > k > 0 and scores[order[k - 1]] - scores[order[-1]] < _STORE_PRECISION
        if not tied or wanted >= min(n, k + _MOST_MORE):
            best = order[:k]
            return positions[best], scores[best].clip(-1.0, 1.0), rows[best]
        wanted = min(n, wanted * 4)
