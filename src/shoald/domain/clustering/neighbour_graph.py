"""Vectors in, the exact nearest neighbours of every row out: float32 products propose, float64 decides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Neighbours, Step, no_step, row_slices

Candidates = Callable[[Floats, Floats, int], npt.NDArray[np.int64]]
"""(rows, vectors, k) to the ids of the k vectors nearest to each row, as float32 squared distances see it."""

SPARE = 8
"""So many candidates more than asked for: float32 cannot tell the order of near-equal distances."""
WIDER = 4
"""Rows whose candidates prove nothing get so many times as many."""
MANTISSA = 2.0**-24

NUMBERS_AT_ONCE = 400_000
"""Coordinates of listed pairs that are in float64 at once: what a processor's own cache holds."""
BLOCK_OPERATIONS = 2.5e10
"""Work between two calls of `step`: about half a second on two cores."""
NUMBERS_BETWEEN = 1e8
"""Coordinates that are measured in float64 between two calls of `step`: as long."""


def unit_rows(vectors: Floats) -> Floats:
    """Return (n, d) float32 with rows of length 1, computed in float64; zero rows stay zero. O(n d)."""
    scales = inverse_lengths(vectors)
    rows = np.empty(vectors.shape, dtype=np.float32)
    for part in row_slices(*vectors.shape):
        rows[part] = vectors[part] * scales[part, None]
    return rows


def inverse_lengths(vectors: Floats) -> Doubles:
    """Return (n,) float64 1 / length of each row, 0 for zero rows. O(n d)."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return np.asarray(np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0))


def neighbour_graph(
    vectors: Floats, k: int, metric: str, *, candidates: Candidates, step: Step = no_step
) -> Neighbours:
    """Return the k nearest rows of every row, itself first.

    `vectors` (n, d) float32, finite; 1 <= k, more than n gives n. `metric` is `euclidean` (`l2`) or `cosine`, which is
    half the squared Euclidean distance of the unit rows. Exact up to float64 rounding: a row whose float32 candidates
    do not prove its neighbours gets more of them. O(n² d) time in matrix products, O(n k) memory.
    """
    search = ExactSearch(vectors, metric, candidates)
    n, d = vectors.shape
    k = min(k, n)
    ids = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k), dtype=np.float64)
    block = int(max(256, min(4096, BLOCK_OPERATIONS / (2.0 * n * d))))
    for at in range(0, n, block):
        here = slice(at, min(at + block, n))
        ids[here], distances[here] = search.nearest(np.arange(here.start, here.stop), k, lambda at=at: step(at / n))  # type: ignore[misc]
        step(here.stop / n)
    return listed(ids, distances, metric)


def listed(ids: npt.NDArray[np.int32], distances: Doubles, metric: str, recall: float | None = None) -> Neighbours:
    """Return the graph of Euclidean distances (of directions, for `cosine`) in its own metric."""
    if metric == "cosine":
        return Neighbours(ids, np.square(distances) / 2, "cosine", recall)
    return Neighbours(ids, distances, "euclidean", recall)


class ExactSearch:
    """Finds the nearest rows of some rows among all of them."""

    def __init__(self, vectors: Floats, metric: str, candidates: Candidates) -> None:
        self._rows, self._measure = proposal_rows(vectors, metric), Measure(vectors, metric)
        self._candidates = candidates

    def nearest(self, here: Integers, k: int, tick: Callable[[], None] = lambda: None) -> tuple[Integers, Doubles]:
        """Return (rows, k) ids and Euclidean distances, exact: rows whose candidates prove nothing get more of them."""
        n = len(self._rows)
        ids, distances = np.empty((len(here), k), dtype=np.int64), np.empty((len(here), k))
        waiting, width = np.arange(len(here)), k + SPARE
        while len(waiting):
            height = max(16, int(NUMBERS_BETWEEN / (min(n, width) * self._rows.shape[1])))
            open_rows = [np.empty(0, dtype=np.int64)]
            for part in (waiting[at : at + height] for at in range(0, len(waiting), height)):
                rows = self._rows[here[part]]
                proposed = self._candidates(rows, self._rows, min(n, width))
                ids[part], distances[part], furthest = nearest_proposed(self._measure, here[part], proposed, k)
                open_rows.append(part[~_proven(rows, distances[part, -1], furthest)])
                tick()
            waiting = np.concatenate(open_rows) if width < n else waiting[:0]
            width *= WIDER
        return ids, distances


def product_error(lengths: Doubles, d: int) -> Doubles:
    """Return how wrong a squared distance is that float32 products of d terms give, for pairs of so long rows together.

    Roundings of d terms, as a random walk, with room.
    """
    return np.asarray(MANTISSA * (4 + np.sqrt(d)) * np.square(lengths))


def _proven(rows: Floats, last: Doubles, furthest: Doubles) -> npt.NDArray[np.bool_]:
    """Say whose neighbours are certain: whatever was not proposed lies, beyond all error, further than the last one."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    error = product_error(2 * lengths + furthest, rows.shape[1])
    return np.asarray((np.square(last) <= np.square(furthest) - 2 * error) | (last == 0))


def centred(vectors: Floats) -> Floats:
    """Return the rows less their mean: distances stay, and float32 products lose less of them."""
    middle = vectors.mean(axis=0, dtype=np.float64)
    rows = np.empty(vectors.shape, dtype=np.float32)
    for part in row_slices(*vectors.shape):
        rows[part] = vectors[part] - middle
    return rows


def candidates_in_blocks(backend: ArrayBackend) -> Candidates:
    """Propose neighbours by one matrix product a block and the backend's own selection.

    The vectors of the last call stay on the device, since blocks of one graph follow one another.
    """
    held: list[tuple[Floats, Array, Array]] = []

    def propose(rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        if not held or held[0][0] is not vectors:
            device = backend.send(vectors)
            held[:] = [(vectors, device, backend.xp.sum(device * device, axis=1)[None, :])]
        _, right, squares = held[0]
        products = squares - 2 * (backend.send(rows) @ right.T)
        return backend.fetch(backend.smallest(products, k)).astype(np.int64)

    return propose


def proposal_rows(vectors: Floats, metric: str) -> Floats:
    """Return the float32 rows whose Euclidean distances order neighbours as the metric does."""
    return unit_rows(vectors) if metric == "cosine" else centred(vectors)


class Measure:
    """Euclidean distances of listed pairs in float64: of the rows as given, or of their directions for `cosine`."""

    def __init__(self, vectors: Floats, metric: str) -> None:
        self._vectors = vectors
        self._scale = inverse_lengths(vectors) if metric == "cosine" else None
        self.width = vectors.shape[1]

    def __call__(self, left: Integers, right: Integers) -> Doubles:
        """Return the distances; `left` and `right` broadcast to the result's shape."""
        gap = self._rows(left) - self._rows(right)
        return np.asarray(np.sqrt(np.einsum("...j,...j->...", gap, gap)))

    def _rows(self, ids: Integers) -> Doubles:
        rows = self._vectors[ids].astype(np.float64)
        if self._scale is not None:
            rows *= self._scale[ids][..., None]
        return rows


def nearest_proposed(measure: Measure, here: Integers, proposed: Integers, k: int) -> tuple[Integers, Doubles, Doubles]:
    """Measure (rows, w) proposed ids in float64; return the k nearest (the row first, ties by id) and the furthest."""
    ids = np.empty((len(here), k), dtype=np.int64)
    distances = np.empty((len(here), k), dtype=np.float64)
    furthest = np.empty(len(here), dtype=np.float64)
    stride = max(1, NUMBERS_AT_ONCE // (proposed.shape[1] * measure.width))
    for at in range(0, len(here), stride):
        part = slice(at, at + stride)
        measured = measure(here[part, None], proposed[part])
        furthest[part] = measured.max(axis=1)
        ids[part], distances[part] = _ordered(here[part], proposed[part], measured, k)
    return ids, distances, furthest


def _ordered(here: Integers, proposed: Integers, measured: Doubles, k: int) -> tuple[Integers, Doubles]:
    """Order proposed neighbours by (is the row itself, distance, id); a row missing among its own is put back."""
    missing = ~(proposed == here[:, None]).any(axis=1)
    last = measured.argmax(axis=1)
    proposed[missing, last[missing]] = here[missing]
    measured[missing, last[missing]] = 0.0
    key = np.where(proposed == here[:, None], -1.0, measured)
    order = np.lexsort((proposed, key), axis=1)[:, :k]
    return np.take_along_axis(proposed, order, axis=1), np.take_along_axis(measured, order, axis=1)
