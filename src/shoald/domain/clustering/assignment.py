"""Vectors and centroids in, the nearest centroid of each vector out: one matrix product in blocks."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels, Step, no_step

FEWEST_ROWS = 64
PARTS_BETWEEN = 8
"""Parts of the rows between two calls of `step`."""


def assign_by_cosine(
    vectors: Floats, centroids: Floats, threshold: float, *, backend: ArrayBackend, step: Step = no_step
) -> tuple[Labels, Floats]:
    """Return, for each row, the centroid with the largest cosine, -1 where that is below the threshold; and max(0, it).

    (n, d) and (k, d) float32; ties go to the smaller centroid; no centroids give -1 and 0. O(n k d).
    """
    n, k = len(vectors), len(centroids)
    labels, similarities = np.full(n, -1, dtype=np.int32), np.zeros(n, dtype=np.float32)
    if k == 0:
        return labels, similarities
    centres = backend.send(unit_rows(centroids).T)

    def nearest_of(part: slice) -> tuple[Integers, Floats]:
        rows = vectors[part]
        # the length of a row does not change which is largest
        nearest, largest = _largest(backend.send(rows) @ centres, backend)
        return nearest, largest * _inverse_lengths(rows)

    parts = _parts(n, max(k, vectors.shape[1]), backend)
    for done, (part, found) in enumerate(zip(parts, backend.each(nearest_of, parts), strict=True), start=1):
        nearest, cosines = found
        labels[part] = np.where(cosines >= threshold, nearest, -1)
        similarities[part] = np.clip(cosines, 0.0, 1.0)
        if done % PARTS_BETWEEN == 0 or done == len(parts):
            step(done / len(parts))
    return labels, similarities


def _parts(n: int, width: int, backend: ArrayBackend) -> list[slice]:
    """Cut n rows into parts that stay near while the largest products are looked for; rows or products are so wide."""
    size = max(FEWEST_ROWS, backend.near_entries // width)
    return [slice(at, min(at + size, n)) for at in range(0, n, size)]


def _largest(products: Array, backend: ArrayBackend) -> tuple[Integers, Floats]:
    """Return where in each row of products the largest stands, the first of equal ones, and that product."""
    xp = backend.xp
    at = xp.argmax(products, axis=1)
    return backend.fetch(at), backend.fetch(xp.take_along_axis(products, at[:, None], axis=1))[:, 0]


def squared_lengths(rows: Floats) -> Floats:
    """Return (n,) float32 squared lengths of (n, d) rows. O(n d), no memory beside."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows), dtype=np.float32)


def _inverse_lengths(rows: Floats) -> Floats:
    """Return (n,) float32 1 / length, 0 for zero rows."""
    lengths = np.sqrt(squared_lengths(rows))
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def nearest_centres(
    vectors: Floats,
    centres: Floats,
    *,
    backend: ArrayBackend,
    but: Integers | None = None,
    lengths: Floats | None = None,
) -> tuple[Integers, Floats]:
    """Return, for each row, the id of the centre at the smallest Euclidean distance, and that distance squared.

    `but` (n,) names a centre that a row may not have: its own, when the second nearest is sought. `lengths` (n,) are
    the rows' squared lengths, where they are known. Float32 products; ties go to the smaller id. O(n k d).
    """
    n, k = len(vectors), len(centres)
    doubled, offsets = backend.send(2 * centres.T), backend.send(np.einsum("ij,ij->i", centres, centres))
    own = squared_lengths(vectors) if lengths is None else lengths
    ids, squares = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)

    def nearest_of(part: slice) -> tuple[Integers, Floats]:
        products = backend.send(vectors[part]) @ doubled
        products -= offsets
        if but is not None:
            barred = backend.send(but[part])[:, None] == backend.send(np.arange(k))[None, :]
            products = backend.xp.where(barred, -backend.xp.inf, products)
        return _largest(products, backend)

    parts = _parts(n, max(k, vectors.shape[1]), backend)
    for part, (nearest, largest) in zip(parts, backend.each(nearest_of, parts), strict=True):
        ids[part], squares[part] = nearest, own[part] - largest
    return ids, np.maximum(squares, 0)


def squared_gaps(rows: Floats | Doubles) -> Doubles:
    """Return (k, k) float64 squared distances of (k, d) rows to one another, by one product. O(k² d), O(k d) memory."""
    wide = rows.astype(np.float64)
    lengths = np.einsum("ij,ij->i", wide, wide)
    return np.asarray(np.maximum(lengths[:, None] + lengths[None, :] - 2 * (wide @ wide.T), 0))
