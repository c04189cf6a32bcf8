"""Rows and their core distances in, the cost of joining two of them out: HDBSCAN's mutual reachability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoald.domain.clustering.neighbour_graph import NUMBERS_AT_ONCE, Measure
from shoald.domain.clustering.spaces import Doubles, Floats, Integers


@dataclass(frozen=True, slots=True)
class MutualReach:
    """Costs max(core(i), core(j), distance(i, j) / alpha) of rows, exact in float64 and proposed in float32.

    `rows` (n, d) float32 are those whose products propose; `slack` is how far a squared distance of theirs may lie
    beside the truth, twice. `core` (n,) float64.
    """

    rows: Floats
    measure: Measure
    core: Doubles
    alpha: float
    slack: float

    def exact(self, left: Integers, right: Integers) -> Doubles:
        """Return the costs of (m,) listed pairs. O(m d) time, flat memory."""
        apart = np.empty(len(left))
        stride = max(1, NUMBERS_AT_ONCE // self.measure.width)
        for at in range(0, len(left), stride):
            part = slice(at, at + stride)
            apart[part] = self.measure(left[part], right[part])
        return np.asarray(np.maximum(apart / self.alpha, np.maximum(self.core[left], self.core[right])))

    def squares(self) -> Floats:
        """Return (n,) float32 squares of the cores, as they compare with squared distances."""
        return np.square(self.alpha * self.core).astype(np.float32)

    def least(self, square: Doubles) -> Doubles:
        """Return what a proposed square costs at the least."""
        return np.asarray(np.sqrt(np.maximum(square - self.slack, 0)) / self.alpha)
