"""Labels as an algorithm numbers them in, labels in the order of size out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.spaces import Integers, Labels


def by_size(labels: npt.NDArray[Any]) -> tuple[Labels, Integers]:
    """Renumber groups by falling size, ties by their first row; empty numbers vanish, -1 stays.

    Returns the (n,) int32 labels and, for each new number, the old one. O(n log n).

    >>> by_size(np.array([5, 2, 2, -1]))
    (array([ 1,  0,  0, -1], dtype=int32), array([2, 5]))
    """
    old, first, where, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    order = order[old[order] >= 0]
    number = np.full(len(old), -1, dtype=np.int32)
    number[order] = np.arange(len(order))
    return number[where].reshape(labels.shape), old[order]
