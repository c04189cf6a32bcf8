"""What the dense stages ask of an array library: the array API namespace, and the few primitives it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

Part = TypeVar("Part")
Result = TypeVar("Result")
Array = Any
"""An array of the backend: NumPy's or CuPy's. Types end where the backend begins; shapes stand in the docstrings."""


class ArrayBackend(Protocol):
    """One array library on one device. All primitives are deterministic."""

    name: str
    """`numpy` or `cupy`; a run records it."""

    xp: Any
    """The array API namespace (array-api-compat's)."""

    near_entries: int
    """So many float32 products of one part of the work are best made at once where each is read again.

    On a processor as many as stay in its own cache, on a device as many as keep it busy.
    """

    def send(self, values: npt.NDArray[Any]) -> Array:
        """Bring a NumPy array to the device (no copy where it is there already).

        Raises `Unsupported`, before data moves, when the device has no room for it.
        """
        ...

    def fetch(self, values: Array) -> npt.NDArray[Any]:
        """Bring an array back as NumPy's."""
        ...

    def small_products(self) -> AbstractContextManager[object]:
        """Within it, matrix products are so small that threads would wait for one another longer than they work."""
        ...

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Do independent work on each part, several at once where that is faster, and yield the results in order.

        Matrix products within take one thread each, so their bits do not depend on how many there are. `work` must not
        touch what other parts touch.
        """
        ...

    def smallest(self, values: Array, k: int) -> Array:
        """Return (rows, k) ids of the k smallest entries of each row, in no order; 1 <= k <= columns."""
        ...

    def sum_by_label(self, values: Array, labels: Array, count: int) -> Array:
        """Add (n, d) rows by label into (count, d); labels lie in [0, count)."""
        ...

    def adder(self, bounds: Array) -> Callable[[Array], Array]:
        """Prepare to add runs of columns: the result turns (d, m) into (d, len(bounds) - 1).

        Run i is the columns bounds[i] … bounds[i + 1] - 1 and may be empty.
        """
        ...
