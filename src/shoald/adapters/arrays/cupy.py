"""The array backend of a CUDA device: CuPy. It refuses what does not fit before anything moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from shoald.domain.failures import MissingDependency, Unsupported

Part = TypeVar("Part")
Result = TypeVar("Result")
ROOM = 0.9
"""The share of the free device memory that one array may take."""


class CupyArrays:
    """`ArrayBackend` on the current CUDA device."""

    name = "cupy"
    near_entries = 8_000_000

    def __init__(self) -> None:
        try:
            import array_api_compat.cupy
            import cupy
            import cupyx
            import cupyx.scipy.sparse
        except ImportError as exc:
            hint = 'pip install "shoal[gpu-cu12]", or "shoal[gpu-cu13]" for CUDA 13'
            raise MissingDependency("CuPy is not installed", hint=hint) from exc
        if not cupy.cuda.is_available():
            raise MissingDependency("CuPy sees no CUDA device")
        self.xp: Any = array_api_compat.cupy
        self._cupy, self._cupyx = cupy, cupyx

    def send(self, values: npt.NDArray[Any]) -> Any:
        """Copy to the device."""
        free = self._cupy.cuda.Device().mem_info[0] + self._cupy.get_default_memory_pool().free_bytes()
        if values.nbytes > ROOM * free:
            raise Unsupported(
                f"the CUDA device has {free >> 20} MiB free, this needs {values.nbytes >> 20}",
                hint="use the array backend `numpy` or cluster a sample",
            )
        return self._cupy.asarray(values)

    def fetch(self, values: Any) -> npt.NDArray[Any]:
        """Copy to the host."""
        return np.asarray(self._cupy.asnumpy(values))

    def small_products(self) -> AbstractContextManager[object]:
        """Change nothing: a device has no threads that wait."""
        return nullcontext()

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Take one part after another: a device is busy with each."""
        return map(work, parts)

    def smallest(self, values: Any, k: int) -> Any:
        """Partition each row on the device."""
        if k >= values.shape[1]:
            return self._cupy.broadcast_to(self._cupy.arange(values.shape[1]), values.shape).copy()
        return self._cupy.argpartition(values, k - 1, axis=1)[:, :k]

    def sum_by_label(self, values: Any, labels: Any, count: int) -> Any:
        """Sort by label and multiply with the indicator matrix: no atomic additions, so the order is fixed."""
        order = self._cupy.argsort(labels, kind="stable")
        bounds = self._cupy.searchsorted(labels[order], self._cupy.arange(count + 1))
        return self._indicator(order, bounds, len(labels), values.dtype) @ values

    def adder(self, bounds: Any) -> Callable[[Any], Any]:
        """Multiply with an indicator matrix that is made once."""
        entries = int(bounds[-1])
        matrix = self._indicator(self._cupy.arange(entries), bounds, entries, np.float32)
        return lambda rows: (matrix @ rows.T).T

    def _indicator(self, columns: Any, bounds: Any, width: int, dtype: Any) -> Any:
        ones = self._cupy.ones(len(columns), dtype=dtype)
        parts = (ones, columns.astype(np.int32), bounds.astype(np.int32))
        return self._cupyx.scipy.sparse.csr_matrix(parts, shape=(len(bounds) - 1, width))
