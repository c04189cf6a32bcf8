"""The estimators of a CUDA device: neighbours by FAISS or CuPy, reductions by cuML where it has them, and the trees of
few dimensions on the processor, where they are best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.adapters.estimators.cuml import CumlReductions, find_cuml
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import Candidates, candidates_in_blocks
from shoald.domain.clustering.parameters import OpticsParameters, SpectralParameters, TsneParameters, UmapParameters
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step

EXACT_OPERATIONS = 2e15
"""A minute of a large device: 1.4 million rows of 512 dimensions."""
FAISS_MOST = 2048
"""FAISS selects at most so many neighbours on a device."""


class GpuEstimators:
    """`Estimators` beside a CUDA array backend. The dual trees of few dimensions run on the processor.

    What the installed libraries can do is found out once, here: FAISS counts its devices, cuML is imported.
    """

    name = "gpu"
    exact_operations = EXACT_OPERATIONS

    def __init__(self, *, arrays: ArrayBackend) -> None:
        self._by_product = candidates_in_blocks(arrays)
        self._processor = CpuEstimators(arrays=arrays)
        self._faiss = _faiss_with_device()
        self._search = None if self._faiss is None else _search_on_device(self._faiss)
        self._cuml = find_cuml()

    def versions(self) -> dict[str, str]:
        """Return the processor's libraries, CuPy's version, and those of FAISS and cuML where they work on a device."""
        import cupy

        found = {**self._processor.versions(), "cupy": str(cupy.__version__)}
        if self._faiss is not None:
            found["faiss-gpu"] = str(self._faiss.__version__)
        if self._cuml is not None:
            found["cuml"] = self._cuml.version
        return found

    def candidates(self, rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        """Ask FAISS on the device, which selects while it multiplies; without it, multiply and select in blocks."""
        if self._search is None or k > FAISS_MOST:
            return self._by_product(rows, vectors, k)
        return self._search(rows, vectors, k)

    def spanning_tree(self, vectors: Floats, core: int, metric: str) -> Doubles:
        """Run the processor's dual trees."""
        return self._processor.spanning_tree(vectors, core, metric)

    def reference_tree(self, vectors: Floats, core: int, metric: str, alpha: float) -> Doubles:
        """Run the processor's library."""
        return self._processor.reference_tree(vectors, core, metric, alpha)

    def library_of(self, parameters: UmapParameters | TsneParameters) -> str:
        """Return `cuml`, or the processor's library for what cuML does not do."""
        return "cuml" if self._on_device(parameters) else self._processor.library_of(parameters)

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Run cuML's, or the processor's for a metric that cuML does not have."""
        return (self._on_device(parameters) or self._processor).umap(vectors, parameters, step)

    def tsne(self, vectors: Floats, parameters: TsneParameters, step: Step) -> Floats:
        """Run cuML's into two dimensions, else the processor's."""
        return (self._on_device(parameters) or self._processor).tsne(vectors, parameters, step)

    def _on_device(self, parameters: UmapParameters | TsneParameters) -> CumlReductions | None:
        return self._cuml if self._cuml is not None and self._cuml.refusal(parameters) is None else None

    def distances(
        self, vectors: Floats, metric: str, p: float, options: Mapping[str, Any]
    ) -> Callable[[Integers], Doubles]:
        """Ask the processor's library."""
        return self._processor.distances(vectors, metric, p, options)

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
        return self._processor.communities(
            left, right, weights, n, start=start, resolution=resolution, modularity=modularity, seed=seed
        )

    def steep_areas(self, plot: Reachability, parameters: OpticsParameters, least: int) -> Integers:
        """Ask the processor's library."""
        return self._processor.steep_areas(plot, parameters, least)

    def similarities(self, vectors: Floats, parameters: SpectralParameters) -> Callable[[Integers], Doubles]:
        """Ask the processor's library."""
        return self._processor.similarities(vectors, parameters)


def _faiss_with_device() -> Any:
    """Return FAISS where it was built for CUDA and counts a device, else None."""
    try:
        import faiss
    except ImportError:
        return None
    return faiss if getattr(faiss, "get_num_gpus", lambda: 0)() else None


def _search_on_device(faiss: Any) -> Candidates:
    """Return an exhaustive search; the vectors of the last call stay on the device, as blocks of one graph follow."""
    resources = faiss.StandardGpuResources()
    held: list[tuple[Floats, Any]] = []

    def search(rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        if not held or held[0][0] is not vectors:
            held.clear()
            index = faiss.GpuIndexFlatL2(resources, vectors.shape[1])
            index.add(vectors)
            held.append((vectors, index))
        return np.asarray(held[0][1].search(rows, k)[1], dtype=np.int64)

    return search
