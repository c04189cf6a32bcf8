"""Labels and vectors in; one centroid a group out, with each member's cosine to its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Floats, Integers, Labels, block_rows, row_blocks

KINDS = ("mean", "median", "medoid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Centroids:
    """The centres of the groups 0 … k - 1.

    `vectors` is (k, d) float32; `sizes` (k,) counts of members; `similarities` (n,) float32, each row's
    max(0, cosine) to its own centroid, and 0 for noise; `mean_similarity` and `min_similarity` are (k,) float32 over
    the members. `cosines` (n,) are those of the rows as they are, which may be negative.
    """

    vectors: Floats
    sizes: Integers
    similarities: Floats
    mean_similarity: Floats
    min_similarity: Floats
    cosines: Floats


def group_centroids(vectors: Floats, labels: Labels, kind: str = "mean", *, backend: ArrayBackend) -> Centroids:
    """Return the centroids of (n, d) float32 rows by label (-1 is left out; every label 0 … k - 1 has a row).

    `mean` is the arithmetic mean, `median` the median of each column, `medoid` the member with the largest cosine to
    the mean (for unit rows: with the least summed cosine distance to the others), ties to the smaller row. O(n d), the
    median O(n d log n).
    """
    k = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    centres = _means(vectors, labels, k, backend)
    if kind == "median" and k:
        centres = np.stack([np.median(vectors[labels == group], axis=0) for group in range(k)]).astype(np.float32)
    elif kind == "medoid":
        centres = vectors[_medoids(labels, own_cosines(vectors, labels, centres), k)]
    raw = own_cosines(vectors, labels, centres)
    cosines = np.maximum(raw, 0)
    lowest = np.ones(k, dtype=np.float32)
    inside = labels >= 0
    np.minimum.at(lowest, labels[inside], cosines[inside])
    total = np.bincount(labels[inside], weights=cosines[inside], minlength=k)
    return Centroids(
        vectors=centres,
        sizes=sizes,
        similarities=cosines,
        mean_similarity=(total / np.maximum(sizes, 1)).astype(np.float32),
        min_similarity=lowest,
        cosines=raw,
    )


def own_cosines(vectors: Floats, labels: Labels, centres: Floats) -> Floats:
    """Return the (n,) float32 cosine of each row to the centroid of its label, 0 for noise. O(n d)."""
    cosines = np.zeros(len(vectors), dtype=np.float32)
    unit = unit_rows(centres)
    for part in row_blocks(np.flatnonzero(labels >= 0), vectors.shape[1]):
        products = np.einsum("ij,ij->i", unit_rows(vectors[part]), unit[labels[part]])
        cosines[part] = np.clip(products, -1, 1)
    return cosines


def nearest_members(labels: Labels, similarities: Floats, k: int, count: int) -> list[Integers]:
    """Return, for each of k groups, its rows by falling similarity, ties by row, at most `count`. O(n log n)."""
    order = np.lexsort((np.arange(len(labels)), -similarities, labels))
    bounds = np.searchsorted(labels[order], np.arange(k + 1))
    return [order[first : min(last, first + count)] for first, last in pairwise(bounds)]


def _means(vectors: Floats, labels: Labels, k: int, backend: ArrayBackend) -> Floats:
    """Add in float64, block by block, noise into a group of its own that is dropped."""
    total = np.zeros((k + 1, vectors.shape[1]))
    size = block_rows(vectors.shape[1])
    for at in range(0, len(vectors), size):
        part = slice(at, at + size)
        where = np.where(labels[part] < 0, k, labels[part])
        rows = backend.send(vectors[part].astype(np.float64))
        total += backend.fetch(backend.sum_by_label(rows, backend.send(where), k + 1))
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    return np.asarray((total[:k] / np.maximum(sizes, 1)[:, None]).astype(np.float32))


def _medoids(labels: Labels, cosines: Floats, k: int) -> Integers:
    return np.array([rows[0] for rows in nearest_members(labels, cosines, k, 1)], dtype=np.int64)
