"""What the dense stages ask of an array library: the array API namespace, and the few primitives it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

Array = Any
"""An array of the backend: NumPy's or CuPy's. Types end where the backend begins; shapes stand in the docstrings."""

Part = TypeVar("Part")


class ArrayBackend(Protocol):
    """One array library on one device. All primitives are deterministic."""

    name: str
    """`numpy` or `cupy`; a run records it."""

    xp: Any
    """The array API namespace (array-api-compat's)."""

    def send(self, values: npt.NDArray[Any]) -> Array:
        """Bring a NumPy array to the device (no copy where it is there already)."""
        ...

    def fetch(self, values: Array) -> npt.NDArray[Any]:
        """Bring an array back as NumPy's."""
        ...

    def check_room(self, needed_bytes: int) -> None:
        """Raise `Unsupported`, before data moves, when the device cannot hold that much."""
        ...

    def smallest(self, values: Array, k: int) -> Array:
        """Return (rows, k) ids of the k smallest entries of each row, in no order; 1 <= k <= columns."""
        ...

    def sum_by_label(self, values: Array, labels: Array, count: int) -> Array:
        """Add (n, d) rows by label into (count, d); labels lie in [0, count)."""
        ...

    def sparse(self, indptr: Array, indices: Array, weights: Array, columns: int) -> Callable[[Array], Array]:
        """Prepare a CSR matrix; the result multiplies it with a dense (columns, d) array."""
        ...

    def in_parts(self, work: Callable[[Part], None], parts: Sequence[Part]) -> None:
        """Call `work` for each part, in any order or at once; parts write to places of their own."""
        ...
