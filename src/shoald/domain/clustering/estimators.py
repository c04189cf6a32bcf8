"""The graph stages that compiled libraries do better than arrays: exact neighbours, trees in few dimensions, other
metrics' UMAP.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.parameters import UmapParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Step


class Estimators(Protocol):
    """One implementation for the processor, one for CUDA; each refuses what it cannot do before it works."""

    name: str
    """`cpu` or `gpu`; a run records it."""

    def versions(self) -> dict[str, str]:
        """Say which library versions would be used, for the run's record."""
        ...

    def candidates(self, rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        """Return (len(rows), k) ids of the vectors nearest to each row by float32 squared Euclidean distance.

        (n, d) float32 arrays; O(rows · n · d). The caller computes the distances again and orders them.
        """
        ...

    def spanning_tree(self, vectors: Floats, core: int, metric: str) -> Doubles:
        """Return the minimum spanning tree of mutual reachability: (n - 1, 3) float64 edges (left, right, weight).

        The edges come in any order. For few dimensions (d <= 30) or a metric that Shoal does not compute itself;
        `core` is the neighbour whose distance is the core distance (1 = the nearest other point). Exact.
        Raises `Unsupported` for an unknown metric.
        """
        ...

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Return the (n, n_components) layout by a UMAP library, for metrics that Shoal's own layout does not do."""
        ...
