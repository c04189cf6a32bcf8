"""Rows and vectors in, the nearest of the vectors out: matrix products, and a limit for each row that few of them pass.

Selecting costs exhaustive searches more than multiplying does. Here a sample of the vectors tells each row how near its
nearest ones will be about; what lies further is dropped by one comparison, and only the rest is put in order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.spaces import Floats, Integers

TILE_ROWS = 256
TILE_COLUMNS = 4096
RANK = 5
"""The place among the sampled vectors whose distance becomes the limit."""
PASSING = 5
"""The limit lets about so many times as many pass as are asked for; about four rows of a thousand get too few."""
FEW = 40
"""With fewer vectors than so many times those asked for a limit saves nothing."""
CROWDED = 8
"""A limit that PASSING times so many times as many pass as are asked for says nothing: many vectors are alike."""

Near = npt.NDArray[np.float32]
"""Products less half the square of the vector's length: the larger, the nearer."""


def nearest_rows(rows: Floats, vectors: Floats, k: int, *, backend: ArrayBackend) -> Integers:
    """Return (len(rows), k) ids of the vectors nearest to each row by float32 squared distance, in no order.

    (m, d) and (n, d) float32, 1 <= k <= n. O(m n d) time; O(n + tile) memory beside the result.
    """
    half = np.einsum("ij,ij->i", vectors, vectors) / np.float32(2)
    n = len(vectors)
    if n < FEW * k:
        return _selected_at_once(rows, vectors, half, k)
    sample = np.linspace(0, n - 1, -(-n * RANK // (PASSING * k))).astype(np.int64)
    sampled, half_of_sampled = vectors[sample], half[sample]

    def tile(at: int) -> Integers:
        part = rows[at : at + TILE_ROWS]
        limit = _limits(part, sampled, half_of_sampled)
        nearest, enough = _passing(part, vectors, half, limit, k)
        if not enough.all():
            nearest[~enough] = _selected_at_once(part[~enough], vectors, half, k)
        return nearest

    return np.concatenate(list(backend.each(tile, range(0, len(rows), TILE_ROWS))))


def _near(rows: Floats, vectors: Floats, half: Floats) -> Near:
    products = rows @ vectors.T
    products -= half
    return products


def _limits(rows: Floats, vectors: Floats, half: Floats) -> Near:
    near = _near(rows, vectors, half)
    near.partition(near.shape[1] - RANK, axis=1)
    return near[:, -RANK]


def _selected_at_once(rows: Floats, vectors: Floats, half: Floats, k: int) -> Integers:
    """Select among all vectors, a few rows at a time."""
    found = np.empty((len(rows), k), dtype=np.int64)
    height = max(1, TILE_ROWS * TILE_COLUMNS // len(vectors))
    for at in range(0, len(rows), height):
        near = _near(rows[at : at + height], vectors, half)
        found[at : at + height] = np.argpartition(near, len(vectors) - k, axis=1)[:, -k:]
    return found


def _passing(
    rows: Floats, vectors: Floats, half: Floats, limit: Near, k: int
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Return the k nearest of what passes each row's limit, and for which rows so many did, and not far too many."""
    row, column, near, crowded = _below_limits(rows, vectors, half, limit, CROWDED * PASSING * k)
    # rows fit two bytes: those are sorted by counting
    order = np.argsort(row.astype(np.int16), kind="stable")
    row, column, near = row[order], column[order], near[order]
    counts = np.bincount(row, minlength=len(rows))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = max(k, int(counts.max(initial=0)))
    table, ids = np.full((len(rows), width), -np.inf, dtype=np.float32), np.zeros((len(rows), width), dtype=np.int64)
    table[row, place], ids[row, place] = near, column
    chosen = np.argpartition(table, width - k, axis=1)[:, -k:]
    return np.take_along_axis(ids, chosen, axis=1), (counts >= k) & ~crowded


def _below_limits(
    rows: Floats, vectors: Floats, half: Floats, limit: Near, most: int
) -> tuple[Integers, Integers, Near, npt.NDArray[np.bool_]]:
    """Return (row, vector, product) of what passes, and which rows more than `most` pass: they are given up."""
    limit, counts, parts = limit.copy(), np.zeros(len(rows), dtype=np.int64), []
    for at in range(0, len(vectors), TILE_COLUMNS):
        tile = slice(at, at + TILE_COLUMNS)
        # a name for the products would hold them while those of the next tile are made
        row, column, near = _above(_near(rows, vectors[tile], half[tile]), limit)
        counts += np.bincount(row, minlength=len(rows))
        limit[counts > most] = np.inf
        listed = np.isfinite(limit)[row]
        parts.append((row[listed], column[listed] + at, near[listed]))
    row, column, near = (np.concatenate(values) for values in zip(*parts, strict=True))
    return row, column, near, counts > most


def _above(near: Near, limit: Near) -> tuple[Integers, Integers, Near]:
    """Return row, column and value of what reaches its row's limit."""
    row, column = np.divmod(np.flatnonzero(near >= limit[:, None]), near.shape[1])
    return row, column, near[row, column]
