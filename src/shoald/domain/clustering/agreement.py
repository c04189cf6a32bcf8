"""Two labellings of the same rows in, how far they agree out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many rows differ, and the adjusted Rand index (1: the same groups, 0: no more alike than by chance)."""

    differing: int
    adjusted_rand_index: float


def agreement(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> Agreement:
    """Compare two labellings of equal length by their words. O(n log n).

    >>> agreement(np.array(["a", "a", "b"]), np.array(["a", "a", "b"]))
    Agreement(differing=0, adjusted_rand_index=1.0)
    """
    if len(before) == 0:
        return Agreement(0, 1.0)
    rows, columns = (np.unique(labels.astype(str), return_inverse=True)[1] for labels in (before, after))
    width = int(columns.max()) + 1
    table = np.bincount(rows * width + columns)
    pairs, left, right = (_pairs(counts) for counts in (table, np.bincount(rows), np.bincount(columns)))
    total = len(before) * (len(before) - 1) / 2
    chance = left * right / total if total else 0.0
    largest = (left + right) / 2
    index = 1.0 if largest == chance else (pairs - chance) / (largest - chance)
    return Agreement(int((before != after).sum()), float(index))


def _pairs(counts: npt.NDArray[np.int64]) -> float:
    return float((counts * (counts - 1.0)).sum() / 2)
