"""Sparse rows in, dense ones in few dimensions out: truncated singular value decomposition, by repeated products.

Halko, Martinsson and Tropp 2011, algorithm 4.4, with Gram matrices in float64 where they have QR decompositions: what
is not sparse is as small as the number of components.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.row_order import Hashes, mixed
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step, no_step
from shoald.domain.ragged_arrays import Bounds

OVERSAMPLED = 10
ROUNDS = 6
BLOCK_ROWS = 2048
PRODUCTS_AT_ONCE = 1 << 28
"""So many multiplications take a fraction of a second; after them a decomposition may be stopped."""
LEAST_COLUMNS = 8
_RANK = 1e-10
"""Directions with less than this share of the largest squared length are noise of float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseRows:
    """(n, any number) rows of terms, as `SparseSnapshot.of_rows` gives them: row i has the `indices` and `values` from
    `bounds[i]` to `bounds[i + 1]`.
    """

    indices: npt.NDArray[np.int32]
    values: Floats
    bounds: Bounds

    @classmethod
    def of(cls, indices: npt.NDArray[np.int32], values: Floats, bounds: Bounds) -> SparseRows:
        """Return rows of these arrays."""
        return cls(indices=indices, values=values, bounds=bounds)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def squares(self) -> Doubles:
        """(n,) the squared length of each row."""
        wide = self.values.astype(np.float64)
        return np.asarray(np.add.reduceat(wide * wide, self.bounds[:-1]), dtype=np.float64)

    def of_unit_length(self) -> SparseRows:
        """Return the rows, each divided by its length; a row of zeros stays."""
        lengths = np.sqrt(self.squares)
        factors = 1.0 / np.where(lengths > 0, lengths, 1.0)
        values = (self.values * np.repeat(factors, np.diff(self.bounds))).astype(np.float32)
        return SparseRows(indices=self.indices, values=values, bounds=self.bounds)

    def hashes(self) -> Hashes:
        """Return (n,) 64-bit hashes: equal rows have equal ones."""
        bits = (self.values + np.float32(0)).view(np.uint32).astype(np.uint64)
        words = mixed((self.indices.astype(np.uint64) << np.uint64(32)) | bits)
        return mixed(np.add.reduceat(words, self.bounds[:-1]))

    def over(self, terms: npt.NDArray[np.int32]) -> Any:
        """Return the rows as a (n, len(terms)) SciPy matrix whose columns are these terms, ascending; others are left
        out.
        """
        at = np.minimum(np.searchsorted(terms, self.indices), max(len(terms) - 1, 0))
        known = terms[at] == self.indices
        counts = np.add.reduceat(known.astype(np.int64), self.bounds[:-1])
        bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        shape = (len(self), len(terms))
        return sparse.csr_matrix((self.values[known], at[known].astype(np.int32), bounds), shape=shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruncatedSvd:
    """The (t, c) `loadings`, orthonormal, the (n, c) `scores` = rows · loadings, both float32, and the share of the
    variance of all columns that the scores keep.
    """

    loadings: Floats
    scores: Floats
    variance_kept: float


def svd_bytes(rows: int, entries: int, terms: int, components: int) -> int:
    """Return what `truncated_svd` takes of memory with what makes its matrix, in bytes."""
    width = min(components + OVERSAMPLED, rows, terms)
    blocks = 16 * min(BLOCK_ROWS, max(rows, terms)) * width
    if width == terms:
        # nothing is sought: the scores, and then once more in the order of the rows
        return 32 * entries + max(4 * rows * width + blocks, 8 * rows * width)
    return 32 * entries + (8 * (rows + terms) + 4 * max(rows, terms)) * width + blocks


def truncated_svd(
    matrix: Any, components: int, *, seed: int, backend: ArrayBackend, step: Step = no_step
) -> TruncatedSvd:
    """Decompose a (n, t) float32 CSR matrix; components are at most min(n, t). Its columns are not centred.

    The same matrix and seed give the same bytes with any number of threads. The sign of a component is that of its
    largest loading. `step` is called every `PRODUCTS_AT_ONCE` multiplications. O(entries · c · rounds + (n + t) c²).
    """
    n, t = matrix.shape
    width = min(components + OVERSAMPLED, n, t)
    with backend.small_products():
        if width == t:
            axes = np.eye(t, dtype=np.float32)
        else:
            axes = np.random.default_rng(seed).standard_normal((t, width)).astype(np.float32)
            for at in range(ROUNDS):
                pause = partial(step, at / (ROUNDS + 1))
                axes = _orthonormal(_times(matrix.T, _orthonormal(_times(matrix, axes, pause)), pause))
            axes = _orthonormal(axes)
        pause = partial(step, ROUNDS / (ROUNDS + 1))
        _, turn = _ordered(_gram(_times(matrix, axes, pause)))
        turn = turn[:, : min(components, turn.shape[1])]
        loadings = _signed(_product(axes, turn))
        scores = _times(matrix, loadings, pause)
    step(1.0)
    return TruncatedSvd(loadings=loadings, scores=scores, variance_kept=_share(matrix, scores))


def _times(matrix: Any, columns: Floats, pause: Callable[[], None]) -> Floats:
    """Return matrix · columns, so many columns at a time that `pause` is called often; each is summed as ever."""
    at_once = max(LEAST_COLUMNS, PRODUCTS_AT_ONCE // max(1, matrix.nnz))
    if at_once >= columns.shape[1]:
        pause()
        return np.asarray(matrix @ columns, dtype=np.float32)
    out = np.empty((matrix.shape[0], columns.shape[1]), dtype=np.float32)
    for at in range(0, columns.shape[1], at_once):
        pause()
        out[:, at : at + at_once] = matrix @ np.ascontiguousarray(columns[:, at : at + at_once])
    return out


def _gram(rows: Floats) -> Doubles:
    """Return rowsᵀ · rows in float64, block by block."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for at in range(0, len(rows), BLOCK_ROWS):
        block = rows[at : at + BLOCK_ROWS].astype(np.float64)
        total += block.T @ block
    return total


def _ordered(gram: Doubles) -> tuple[Doubles, Doubles]:
    """Return the eigenvalues, the largest first, and the eigenvectors; those of noise are left out."""
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    alive = values > _RANK * max(float(values[0]), 1e-300)
    alive[0] = True
    return values[alive], vectors[:, alive]


def _orthonormal(columns: Floats) -> Floats:
    """Return an orthonormal basis of what the columns span."""
    values, vectors = _ordered(_gram(columns))
    return _product(columns, vectors / np.sqrt(np.maximum(values, 1e-300)))


def _product(rows: Floats, turn: Doubles) -> Floats:
    out = np.empty((len(rows), turn.shape[1]), dtype=np.float32)
    for at in range(0, len(rows), BLOCK_ROWS):
        out[at : at + BLOCK_ROWS] = rows[at : at + BLOCK_ROWS].astype(np.float64) @ turn
    return out


def _signed(loadings: Floats) -> Floats:
    largest: Integers = np.argmax(np.abs(loadings), axis=0)
    signs = np.where(loadings[largest, np.arange(loadings.shape[1])] < 0, np.float32(-1), np.float32(1))
    return np.ascontiguousarray(loadings * signs)


def _share(matrix: Any, scores: Floats) -> float:
    """Return how much of the variance of the columns the scores have."""
    n = matrix.shape[0]
    wide = matrix.data.astype(np.float64)
    means = np.bincount(matrix.indices, weights=wide, minlength=matrix.shape[1]) / n
    total = float((wide * wide).sum()) / n - float((means * means).sum())
    middle = scores.mean(axis=0, dtype=np.float64)
    kept = float(np.einsum("ij,ij->", scores, scores, dtype=np.float64)) / n - float((middle * middle).sum())
    return 1.0 if total <= 0 else min(1.0, kept / total)
