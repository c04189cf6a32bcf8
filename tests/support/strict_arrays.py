"""An array backend that allows nothing but the array API standard: what runs on it needs no NumPy in disguise."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import array_api_strict
import numpy as np
import numpy.typing as npt


class StrictArrays:
    """`ArrayBackend` on array-api-strict; the primitives that the standard lacks are made of NumPy."""

    name = "strict"
    xp: Any = array_api_strict
    near_entries = 5000

    def send(self, values: npt.NDArray[Any]) -> Any:
        return array_api_strict.asarray(np.ascontiguousarray(values))

    def fetch(self, values: Any) -> npt.NDArray[Any]:
        assert isinstance(values, array_api_strict._array_object.Array), type(values)
        return np.from_dlpack(values).copy()

    def small_products(self) -> AbstractContextManager[object]:
        return nullcontext()

    def each(self, work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
        return map(work, parts)

    def smallest(self, values: Any, k: int) -> Any:
        return array_api_strict.argsort(values, axis=1, stable=True)[:, :k]

    def sum_by_label(self, values: Any, labels: Any, count: int) -> Any:
        rows, of = self.fetch(values), self.fetch(labels)
        sums = np.zeros((count, rows.shape[1]), dtype=rows.dtype)
        np.add.at(sums, of, rows)
        return self.send(sums)

    def adder(self, bounds: Any) -> Callable[[Any], Any]:
        ends = self.fetch(bounds)

        def add(rows: Any) -> Any:
            values = self.fetch(rows)
            # one after another, as a processor does it: a layout of few rows turns last bits into other places
            parts = [np.cumsum(values[:, a:b], axis=1)[:, -1:] for a, b in itertools.pairwise(ends) if b > a]
            sums = np.zeros((len(values), len(ends) - 1), dtype=values.dtype)
            sums[:, np.diff(ends) > 0] = np.concatenate(parts, axis=1) if parts else 0
            return self.send(sums)

        return add
