"""Rows of different lengths that lie one after another: which entries belong to some of them, in their order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bounds = npt.NDArray[np.int64]
"""(n + 1,) ascending from 0: row i is what lies from `bounds[i]` to `bounds[i + 1]`."""


def bounds_of(lengths: npt.NDArray[np.integer]) -> Bounds:
    """Return the bounds of rows of these lengths.

    >>> bounds_of(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    found = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


def entries_of(bounds: Bounds, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Bounds]:
    """Return where the entries of some rows lie, row after row, and the bounds of these rows by themselves.

    >>> entries_of(np.array([0, 2, 2, 5]), np.array([2, 0]))[0].tolist()
    [2, 3, 4, 0, 1]
    """
    starts, lengths = bounds[:-1][rows], np.diff(bounds)[rows]
    own = bounds_of(lengths)
    return np.repeat(starts - own[:-1], lengths) + np.arange(own[-1]), own


def row_numbers(bounds: Bounds) -> npt.NDArray[np.int64]:
    """Return the number of the row that each entry belongs to.

    >>> row_numbers(np.array([0, 2, 2, 3])).tolist()
    [0, 0, 2]
    """
    return np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
