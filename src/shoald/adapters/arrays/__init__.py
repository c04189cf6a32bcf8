"""Array libraries behind the port `arrays`: NumPy always, CuPy where it is installed and sees a device."""

from __future__ import annotations

from shoald.adapters.arrays.cupy import CupyArrays
from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.failures import MissingDependency, Unsupported


class ArrayLibraries:
    """`Arrays`: `numpy`, `cupy`, or `auto`, which is CuPy where it works and NumPy elsewhere."""

    def get(self, name: str) -> ArrayBackend:
        """Return the backend."""
        if name == "numpy":
            return NumpyArrays()
        if name == "cupy":
            return CupyArrays()
        if name != "auto":
            raise Unsupported(f"unknown array backend {name!r}: numpy, cupy or auto")
        try:
            return CupyArrays()
        except MissingDependency:
            return NumpyArrays()
