"""The array backend of the processor: NumPy, with SciPy's sparse products for sums."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import array_api_compat.numpy
import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import ThreadpoolController, threadpool_limits

Part = TypeVar("Part")
Result = TypeVar("Result")
Array = npt.NDArray[Any]


@functools.cache
def _pools() -> ThreadpoolController:
    """Return what sets the threads of NumPy's BLAS; finding it takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


class NumpyArrays:
    """`ArrayBackend` on NumPy; it takes whatever the operating system can page."""

    name = "numpy"
    xp: Any = array_api_compat.numpy
    near_entries = 500_000

    def send(self, values: Array) -> Array:
        """Return the array itself."""
        return values

    def fetch(self, values: Array) -> Array:
        """Return the array itself."""
        return values

    def small_products(self) -> AbstractContextManager[object]:
        """Hold the BLAS of this process to one thread: measured 2 to 5 times faster on a busy machine."""
        held: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
        return held

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Use as many threads as the BLAS would, which itself would let all but one wait between small products."""
        pools = _pools()
        threads = max((one["num_threads"] for one in pools.info()), default=1)
        with pools.limit(limits=1), ThreadPoolExecutor(threads) as pool:
            yield from pool.map(work, parts) if threads > 1 and len(parts) > 1 else map(work, parts)

    def smallest(self, values: Array, k: int) -> Array:
        """Partition each row; O(columns) a row."""
        if k >= values.shape[1]:
            return np.broadcast_to(np.arange(values.shape[1]), values.shape).copy()
        return np.argpartition(values, k - 1, axis=1)[:, :k]

    def sum_by_label(self, values: Array, labels: Array, count: int) -> Array:
        """Multiply with the (count, n) indicator matrix, whose rows list a label's rows in order: one pass, O(n d)."""
        order = np.argsort(labels, kind="stable")
        bounds = np.searchsorted(labels[order], np.arange(count + 1))
        ones = np.ones(len(order), dtype=values.dtype)
        return np.asarray(sparse.csr_matrix((ones, order, bounds), shape=(count, len(values))) @ values)

    def adder(self, bounds: Array) -> Callable[[Array], Array]:
        """Multiply each row with an indicator matrix that is made once: half of what all rows at once would take."""
        entries = int(bounds[-1])
        ones = np.ones(entries, dtype=np.float32)
        matrix = sparse.csr_matrix((ones, np.arange(entries), bounds), shape=(len(bounds) - 1, entries))
        return lambda rows: np.stack([matrix @ row for row in rows])
