"""Vectors as users give them in, checked float32 rows out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Floats, Integers
from shoald.domain.failures import InvalidVectors, NotEnoughPoints

TABLE = 2
"""Axes of a table: rows and columns."""
NAMED = 10
"""So many bad rows are named in the message; all of their count."""


def checked_vectors(vectors: npt.NDArray[Any], *, normalize: bool) -> Floats:
    """Return (n, d) float32, C-contiguous, finite; rows of unit length when `normalize`.

    Raises `NotEnoughPoints` for no rows, and `InvalidVectors` naming the first rows (counted from 0) that hold NaN or
    infinity, that overflow float32, or that are zero although they are to be normalized. O(n d).
    """
    rank = len(vectors.shape)
    if rank != TABLE or vectors.shape[1] == 0:
        raise InvalidVectors(f"vectors must be a table of numbers, not of shape {vectors.shape}")
    if len(vectors) == 0:
        raise NotEnoughPoints("there are no vectors to cluster")
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        _refuse(np.flatnonzero(~np.isfinite(rows.sum(axis=1, dtype=np.float64))), "hold NaN or infinity")
    if not normalize:
        return rows
    _refuse(np.flatnonzero(~rows.any(axis=1)), "are zero, so they have no direction")
    return unit_rows(rows)


def _refuse(bad: Integers, what: str) -> None:
    if not len(bad):
        return
    named = ", ".join(str(row) for row in bad[:NAMED].tolist())
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    raise InvalidVectors(
        f"vectors {named}{more} {what}", detail={"rows": bad[:NAMED].tolist(), "count": len(bad), "reason": what}
    )
