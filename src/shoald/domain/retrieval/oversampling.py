"""Filters a store's nearest here, where so many positions are allowed that the nearest of all hold enough of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shoald.domain.retrieval.nearest import Candidates

_DENSE = 0.1
_ROUNDS = 3
_MOST = 4_096


def oversampled(
    fetch: Callable[[int], Candidates], allowed: npt.NDArray[np.int64], m: int, *, n: int
) -> Candidates | None:
    """Return the m nearest allowed, and perhaps more, or None where the store must be told which positions may come.

    `fetch(m)` gives the m nearest of all n. What is allowed among them is nearer than whatever is not among them, so
    that the answer is as exact as the store's own.
    """
    asked = 2 * m * n // len(allowed) + m
    for _ in range(_ROUNDS if len(allowed) > _DENSE * n else 0):
        if asked > _MOST:
            return None
        positions, rows = fetch(min(asked, n))
        places = np.minimum(np.searchsorted(allowed, positions), len(allowed) - 1)
        kept = np.flatnonzero(allowed[places] == positions)
        if len(kept) >= m:
            return positions[kept], rows[kept]
        asked *= 4
    return None
