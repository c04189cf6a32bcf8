"""The graph stages that compiled libraries do better than arrays: exact neighbours, trees in few dimensions, other
metrics' UMAP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.parameters import OpticsParameters, SpectralParameters, TsneParameters, UmapParameters
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step

EXACT_ON_PROCESSOR = 2e13
"""Operations up to which comparing all pairs pays on a processor: a few minutes of two cores, 200,000 rows of 256
dimensions. At 40,000 it took 10 s of processor time where the descent took 44, and only the former grows by the square.
"""


class Estimators(Protocol):
    """One implementation for the processor, one for CUDA; each refuses what it cannot do before it works."""

    name: str
    """`cpu` or `gpu`; a run records it."""

    exact_operations: float
    """Multiplications and additions up to which comparing all pairs pays; above it neighbours are found nearly."""

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

    def reference_tree(self, vectors: Floats, core: int, metric: str, alpha: float) -> Doubles:
        """Return the tree that the `hdbscan` library's class makes by itself: edges of equal weight stand as there.

        Euclidean or a metric with a tree. Borůvka in few dimensions with `alpha` 1, else Prim, O(n² d) time; one
        thread, without progress, O(n d) memory.
        """
        ...

    def library_of(self, parameters: UmapParameters | TsneParameters) -> str:
        """Name the library that `umap` or `tsne` would run for these parameters; the run records it. No data moves."""
        ...

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Return the (n, n_components) layout by a UMAP library, for metrics that Shoal's own layout does not do."""
        ...

    def tsne(self, vectors: Floats, parameters: TsneParameters, step: Step) -> Floats:
        """Return the (n, n_components) layout by a t-SNE library, the same with any number of threads.

        Up to three components in O(n log n) time a round, more in O(n²) time and memory.
        """
        ...

    def distances(
        self, vectors: Floats, metric: str, p: float, options: Mapping[str, Any]
    ) -> Callable[[Integers], Doubles]:
        """Return what gives the (rows, n) float64 distances of some rows, by ids, to all, in a library's metric.

        `p` is the power of `minkowski`; `options` are the metric's own parameters. Raises `InvalidFields` for a metric
        or an option that these vectors do not allow.
        """
        ...

    def communities(  # noqa: PLR0913 - a graph is three arrays
        self,
        left: Integers,
        right: Integers,
        weights: Doubles,
        n: int,
        *,
        start: Integers | None,
        resolution: float,
        modularity: bool,
        seed: int,
    ) -> tuple[Integers, float]:
        """Return the (n,) communities that one Leiden pass finds in a graph, and their quality.

        (m,) ends and positive weights of undirected edges, each once; `start` (n,) is where the pass begins, each row
        alone when None. `modularity` at the resolution, else the constant Potts model. Deterministic by seed.
        The quality is comparable between passes over one graph.
        """
        ...

    def steep_areas(self, plot: Reachability, parameters: OpticsParameters, least: int) -> Integers:
        """Return (n,) labels, -1 for noise, of the areas between steep edges of a reachability plot (the xi method)."""
        ...

    def similarities(self, vectors: Floats, parameters: SpectralParameters) -> Callable[[Integers], Doubles]:
        """Return what gives the (rows, n) float64 similarities of some rows, by ids, to all: a kernel of a library.

        Raises `InvalidFields` for a kernel or an option that these vectors do not allow.
        """
        ...
