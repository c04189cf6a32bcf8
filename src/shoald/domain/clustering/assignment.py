"""Vectors and centroids in, the nearest centroid of each vector out: one matrix product in blocks."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels, Step, no_step

BLOCK_ENTRIES = 8_000_000


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
    block = max(256, BLOCK_ENTRIES // k)
    for at in range(0, n, block):
        cosines = backend.send(unit_rows(vectors[at : at + block])) @ centres
        nearest = backend.fetch(backend.xp.argmax(cosines, axis=1))
        largest = backend.fetch(backend.xp.max(cosines, axis=1))
        labels[at : at + block] = np.where(largest >= threshold, nearest, -1)
        similarities[at : at + block] = np.clip(largest, 0.0, 1.0)
        step(min(1.0, (at + block) / n))
    return labels, similarities


def nearest_centres(
    vectors: Floats, centres: Floats, *, backend: ArrayBackend, but: Integers | None = None
) -> tuple[Integers, Floats]:
    """Return, for each row, the id of the centre at the smallest Euclidean distance, and that distance squared.

    `but` (n,) names a centre that a row may not have: its own, when the second nearest is sought. Float32 products;
    ties go to the smaller id. O(n k d).
    """
    xp = backend.xp
    n, k = len(vectors), len(centres)
    doubled, lengths = backend.send(2 * centres.T), backend.send(np.einsum("ij,ij->i", centres, centres))
    ids, squares = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
    # what is wider, products or rows, is copied once
    block = max(256, BLOCK_ENTRIES // max(k, vectors.shape[1]))
    for at in range(0, n, block):
        rows = backend.send(vectors[at : at + block])
        products = rows @ doubled
        products -= lengths
        if but is not None:
            barred = backend.send(but[at : at + block])[:, None] == backend.send(np.arange(k))[None, :]
            products = xp.where(barred, -xp.inf, products)
        nearest = xp.argmax(products, axis=1)
        ids[at : at + block] = backend.fetch(nearest)
        largest = xp.take_along_axis(products, nearest[:, None], axis=1)[:, 0]
        squares[at : at + block] = backend.fetch(xp.sum(rows * rows, axis=1) - largest)
    return ids, np.maximum(squares, 0)


def squared_gaps(rows: Floats | Doubles) -> Doubles:
    """Return (k, k) float64 squared distances of (k, d) rows to one another, by one product. O(k² d), O(k d) memory."""
    wide = rows.astype(np.float64)
    lengths = np.einsum("ij,ij->i", wide, wide)
    return np.asarray(np.maximum(lengths[:, None] + lengths[None, :] - 2 * (wide @ wide.T), 0))
