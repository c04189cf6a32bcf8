"""Rows in, their distances to all rows out, a block at a time: by products where they serve, else by a library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.metrics import own_metric
from shoald.domain.clustering.neighbour_graph import Measure, inverse_lengths, product_error, proposal_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers
from shoald.domain.clustering.tools import ClusterTools

Block = Callable[[Integers], Doubles]
"""Ids of rows to their (rows, n) float64 distances to all rows."""
Within = Callable[[Integers], npt.NDArray[np.bool_]]
"""Ids of rows to (rows, n): which rows lie within the radius."""

BLOCK_ENTRIES = 4_000_000
PAIR_NUMBERS = 4_000_000


def distance_block_bytes(n: int, d: int, per_entry: int = 16) -> int:
    """Return the bytes of float64 rows and a block of distances, with so many bytes an entry in what is done to it."""
    return 8 * n * d + per_entry * min(n * n, BLOCK_ENTRIES)


def blocks(rows: Integers, n: int, entries: int = BLOCK_ENTRIES) -> Iterator[Integers]:
    """Cut ids into blocks of at most `entries` distances to n rows."""
    height = max(1, entries // max(n, 1))
    for at in range(0, len(rows), height):
        yield rows[at : at + height]


def distance_blocks(
    vectors: Floats, metric: str, *, tools: ClusterTools, p: float = 2.0, metric_params: Any = None
) -> Block:
    """Return what computes (rows, n) float64 distances; euclidean and cosine by products on the array backend.

    Raises `InvalidFields` where the library refuses the metric or its parameters. O(n d) memory.
    """
    own = own_metric(metric, p, metric_params)
    if own is None:
        return tools.estimators.distances(vectors, metric, p, metric_params or {})
    return _products(vectors, own, tools.arrays)


def _products(vectors: Floats, metric: str, backend: ArrayBackend) -> Block:
    """Distances from float64 products of centred rows (or of directions); a row lies at 0 from itself."""
    cosine = metric == "cosine"
    rows = vectors * inverse_lengths(vectors)[:, None] if cosine else vectors - vectors.mean(axis=0, dtype=np.float64)
    squares = backend.send(np.einsum("ij,ij->i", rows, rows))
    device, xp = backend.send(rows), backend.xp

    def block(ids: Integers) -> Doubles:
        at = backend.send(ids)
        products = xp.take(device, at, axis=0) @ device.T
        products *= 2
        gaps = squares[at][:, None] + squares[None, :]
        gaps -= products
        found: Doubles = backend.fetch(gaps)
        np.maximum(found, 0, out=found)
        found[np.arange(len(ids)), ids] = 0
        return np.divide(found, 2, out=found) if cosine else np.sqrt(found, out=found)

    return block


def within_radius(
    vectors: Floats, radius: float, metric: str, *, tools: ClusterTools, p: float = 2.0, metric_params: Any = None
) -> Within:
    """Return what finds the rows within a radius (itself included): exact up to float64 rounding, O(n d) a row.

    Float32 products decide where they can; pairs too near to the radius for them are measured in float64.
    """
    own = own_metric(metric, p, metric_params)
    if own is None:
        block = distance_blocks(vectors, metric, tools=tools, p=p, metric_params=metric_params)
        return lambda ids: block(ids) <= radius
    return _ProductsWithin(vectors, radius, own, tools.arrays)


class _ProductsWithin:
    def __init__(self, vectors: Floats, radius: float, metric: str, backend: ArrayBackend) -> None:
        self._backend = backend
        self._measure = Measure(vectors, metric)
        self._limit = np.sqrt(2 * radius) if metric == "cosine" else radius
        rows = proposal_rows(vectors, metric)
        squares = np.einsum("ij,ij->i", rows, rows)
        longest = np.sqrt(squares.max(initial=0))
        self._slack = float(2 * product_error(2 * longest, rows.shape[1]))
        self._rows, self._squares = backend.send(rows), backend.send(squares)

    def __call__(self, ids: Integers) -> npt.NDArray[np.bool_]:
        at = self._backend.send(ids)
        gaps = self._backend.xp.take(self._rows, at, axis=0) @ self._rows.T
        gaps *= -2
        gaps += self._squares[None, :]
        gaps += self._squares[at][:, None]
        gaps -= float(np.float32(self._limit**2))
        near = self._backend.fetch(gaps <= 0)
        row, other = np.nonzero(self._backend.fetch(self._backend.xp.abs(gaps) <= self._slack))
        chunk = max(1, PAIR_NUMBERS // self._measure.width)
        for first in range(0, len(row), chunk):
            part = slice(first, first + chunk)
            near[row[part], other[part]] = self._measure(ids[row[part]], other[part]) <= self._limit
        return near
