"""The estimators of a CUDA device: neighbours on the device, trees in few dimensions where they are best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import candidates_in_blocks
from shoald.domain.clustering.parameters import OpticsParameters, SpectralParameters, TsneParameters, UmapParameters
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step


class GpuEstimators:
    """`Estimators` beside a CUDA array backend. The dual trees of few dimensions run on the processor."""

    name = "gpu"

    def __init__(self, *, arrays: ArrayBackend) -> None:
        self._on_device = candidates_in_blocks(arrays)
        self._trees = CpuEstimators(arrays=arrays)

    def versions(self) -> dict[str, str]:
        """Return the processor's libraries and CuPy's version."""
        import cupy

        return {**self._trees.versions(), "cupy": str(cupy.__version__)}

    def candidates(self, rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        """Multiply and select on the device, a block at a time."""
        return self._on_device(rows, vectors, k)

    def spanning_tree(self, vectors: Floats, core: int, metric: str) -> Doubles:
        """Run the processor's dual trees."""
        return self._trees.spanning_tree(vectors, core, metric)

    def reference_tree(self, vectors: Floats, core: int, metric: str, alpha: float) -> Doubles:
        """Run the processor's library."""
        return self._trees.reference_tree(vectors, core, metric, alpha)

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Run umap-learn on the processor: it serves the metrics that nothing here has on the device."""
        return self._trees.umap(vectors, parameters, step)

    def tsne(self, vectors: Floats, parameters: TsneParameters, step: Step) -> Floats:
        """Run the processor's library."""
        return self._trees.tsne(vectors, parameters, step)

    def distances(
        self, vectors: Floats, metric: str, p: float, options: Mapping[str, Any]
    ) -> Callable[[Integers], Doubles]:
        """Ask the processor's library."""
        return self._trees.distances(vectors, metric, p, options)

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
        """Run the processor's library."""
        return self._trees.communities(
            left, right, weights, n, start=start, resolution=resolution, modularity=modularity, seed=seed
        )

    def steep_areas(self, plot: Reachability, parameters: OpticsParameters, least: int) -> Integers:
        """Ask the processor's library."""
        return self._trees.steep_areas(plot, parameters, least)

    def similarities(self, vectors: Floats, parameters: SpectralParameters) -> Callable[[Integers], Doubles]:
        """Ask the processor's library."""
        return self._trees.similarities(vectors, parameters)
