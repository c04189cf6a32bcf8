"""Vectors and centroids in, the nearest centroid of each vector out: one matrix product in blocks."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels, Step, no_step

BLOCK_ENTRIES = 8_000_000
FEWER_ENTRIES = 4_000_000
"""Products at once where hardly anything else is done: few enough to be near still when the largest are looked for."""


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
    block = max(256, FEWER_ENTRIES // k)
    for at in range(0, n, block):
        rows = vectors[at : at + block]
        products = backend.send(rows) @ centres
        # the length of a row does not change which is largest
        nearest = backend.xp.argmax(products, axis=1)
        largest = backend.fetch(backend.xp.take_along_axis(products, nearest[:, None], axis=1))[:, 0]
        largest, nearest = largest * _inverse_lengths(rows), backend.fetch(nearest)
        labels[at : at + block] = np.where(largest >= threshold, nearest, -1)
        similarities[at : at + block] = np.clip(largest, 0.0, 1.0)
        step(min(1.0, (at + block) / n))
    return labels, similarities


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
    xp = backend.xp
    n, k = len(vectors), len(centres)
    doubled, offsets = backend.send(2 * centres.T), backend.send(np.einsum("ij,ij->i", centres, centres))
    own = squared_lengths(vectors) if lengths is None else lengths
    ids, squares = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
    # what is wider, products or rows, is copied once
    block = max(256, BLOCK_ENTRIES // max(k, vectors.shape[1]))
    for at in range(0, n, block):
        rows = backend.send(vectors[at : at + block])
        products = rows @ doubled
        products -= offsets
        if but is not None:
            barred = backend.send(but[at : at + block])[:, None] == backend.send(np.arange(k))[None, :]
            products = xp.where(barred, -xp.inf, products)
        nearest = xp.argmax(products, axis=1)
        ids[at : at + block] = backend.fetch(nearest)
        largest = xp.take_along_axis(products, nearest[:, None], axis=1)[:, 0]
        squares[at : at + block] = own[at : at + block] - backend.fetch(largest)
    return ids, np.maximum(squares, 0)


def squared_gaps(rows: Floats | Doubles) -> Doubles:
    """Return (k, k) float64 squared distances of (k, d) rows to one another, by one product. O(k² d), O(k d) memory."""
    wide = rows.astype(np.float64)
    lengths = np.einsum("ij,ij->i", wide, wide)
    return np.asarray(np.maximum(lengths[:, None] + lengths[None, :] - 2 * (wide @ wide.T), 0))
