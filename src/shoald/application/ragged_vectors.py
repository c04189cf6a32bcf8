"""Sparse vectors and multi-vectors as callers bring them go in; columns of arrays, and what is wrong with them, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.ragged_arrays import Bounds, bounds_of, entries_of, row_numbers
from shoald.domain.records.collection import AnyVectorColumn, MultiVectorColumn, SparseColumn, VectorColumn
from shoald.domain.vocabulary import VectorKind

MOST_TERMS = 2**31 - 1
"""Indices of sparse vectors are below this, where no dimension was declared."""
MOST_NUMBERS = 1 << 22
"""Numbers in one sparse vector or multi-vector: 16 MiB of floats."""
MATRIX = 2

Rows = npt.NDArray[np.int64] | None
_KEYS = {"indices", "values"}


class BadVectorError(ValueError):
    """What is wrong with one vector, to follow the name of the vector and its document."""


def kind_of(given: Any) -> VectorKind:
    """Return what a vector is by its form: an object is sparse, a list of lists a multi-vector."""
    if isinstance(given, Mapping):
        return VectorKind.SPARSE
    if isinstance(given, np.ndarray):
        return VectorKind.MULTI_VECTOR if given.ndim == MATRIX else VectorKind.DENSE
    is_matrix = isinstance(given, list) and any(isinstance(one, list) for one in given)
    return VectorKind.MULTI_VECTOR if is_matrix else VectorKind.DENSE


def is_numbers(given: Any) -> bool:
    """Say whether this is a list of at least one number."""
    return (
        isinstance(given, list)
        and len(given) > 0
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in given)
    )


def terms_of(given: Mapping[str, Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the indices and values of a sparse vector; raises `BadVectorError`."""
    if set(given) != _KEYS:
        raise BadVectorError("must have indices and values, and nothing else")
    indices, values = (given[key] for key in ("indices", "values"))
    for key, one in (("indices", indices), ("values", values)):
        if isinstance(one, list | np.ndarray) and len(one) == 0:
            raise BadVectorError("has no terms")
        if not (isinstance(one, np.ndarray) or is_numbers(one)):
            raise BadVectorError(f"must have a list of numbers as {key}")
    if len(indices) != len(values):
        raise BadVectorError(f"has {len(indices)} indices and {len(values)} values")
    whole = np.asarray(indices, dtype=np.float64)
    if not (np.isfinite(whole).all() and (whole == np.floor(whole)).all()):
        raise BadVectorError("has an index that is no whole number")
    if whole.min() < 0 or whole.max() >= MOST_TERMS:
        raise BadVectorError(f"has an index outside 0 to {MOST_TERMS - 1}")
    with np.errstate(over="ignore"):
        return whole.astype(np.int64), np.asarray(values, dtype=np.float32)


def matrix_of(given: Any) -> npt.NDArray[np.float32]:
    """Return a multi-vector as (t, d) float32; raises `BadVectorError`."""
    if not isinstance(given, np.ndarray):
        if not all(is_numbers(one) for one in given):
            raise BadVectorError("must be a list of lists of numbers")
        widths = {len(one) for one in given}
        if len(widths) > 1:
            raise BadVectorError(f"has rows of {min(widths)} to {max(widths)} numbers; all must have the same")
    with np.errstate(over="ignore"):
        return np.asarray(given, dtype=np.float32)


def sparse_column(
    name: str, terms: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]], rows: Rows
) -> SparseColumn:
    """Put sparse vectors one after another, the terms of each in ascending order."""
    bounds = bounds_of(np.array([len(indices) for indices, _ in terms], dtype=np.int64))
    indices = np.concatenate([indices for indices, _ in terms])
    return in_order(name, indices, np.concatenate([values for _, values in terms]), bounds, rows)


def in_order(
    name: str, indices: npt.NDArray[Any], values: npt.NDArray[np.float32], bounds: Bounds, rows: Rows
) -> SparseColumn:
    """Return a column with the terms of each vector in ascending order. O(t log t)."""
    of_row = row_numbers(bounds)
    is_ascending = (indices[1:] > indices[:-1]) | (of_row[1:] > of_row[:-1])
    if not is_ascending.all():
        order = np.lexsort((indices, of_row))
        indices, values = indices[order], values[order]
    return SparseColumn(name=name, indices=indices.astype(np.int32), values=values, bounds=bounds, rows=rows)


def multi_column(name: str, matrices: Sequence[npt.NDArray[np.float32]], rows: Rows) -> MultiVectorColumn:
    """Put multi-vectors of one width one after another."""
    bounds = bounds_of(np.array([len(one) for one in matrices], dtype=np.int64))
    return MultiVectorColumn(name=name, values=np.concatenate(matrices), bounds=bounds, rows=rows)


def chosen(column: AnyVectorColumn, kept: npt.NDArray[np.int64], rows: Rows) -> AnyVectorColumn:
    """Return some vectors of a column, which belong to these rows of a batch."""
    if isinstance(column, VectorColumn):
        return replace(column, values=column.values[kept], rows=rows)
    entries, bounds = entries_of(column.bounds, kept)
    if isinstance(column, MultiVectorColumn):
        return replace(column, values=column.values[entries], bounds=bounds, rows=rows)
    return replace(column, indices=column.indices[entries], values=column.values[entries], bounds=bounds, rows=rows)


def dimension_of(column: AnyVectorColumn) -> int:
    """Return the dimension that a column shows; sparse vectors show none, and so have the largest."""
    return MOST_TERMS if isinstance(column, SparseColumn) else int(column.values.shape[1])


def flaws(column: AnyVectorColumn, dimension: int, *, needs_direction: bool) -> list[tuple[npt.NDArray[np.bool_], str]]:
    """Return which vectors of a column are wrong, (m,), with what is wrong with them. O(numbers)."""
    if isinstance(column, SparseColumn):
        found = _flaws_of_terms(column, dimension)
        per_row = _zeros(column.values != 0, column.bounds)
    elif isinstance(column, MultiVectorColumn):
        found = _flaws_of_rows(column)
        per_row = _anywhere(~column.values.any(axis=1), column.bounds)
    else:
        found = [(_marked(~np.isfinite(column.values).all(axis=1)), "hold numbers that are not finite")]
        per_row = _marked(~column.values.any(axis=1))
    if needs_direction:
        inside = "hold a row that is all zero" if isinstance(column, MultiVectorColumn) else "are all zero"
        found.append((per_row, f"{inside}, which has no direction"))
    return found


def _flaws_of_terms(column: SparseColumn, dimension: int) -> list[tuple[npt.NDArray[np.bool_], str]]:
    lengths = np.diff(column.bounds)
    of_row, indices = row_numbers(column.bounds), column.indices
    twice = np.zeros(len(lengths), dtype=bool)
    twice[of_row[1:][(indices[1:] == indices[:-1]) & (of_row[1:] == of_row[:-1])]] = True
    outside = _anywhere((indices < 0) | (indices >= dimension), column.bounds)
    return [
        (lengths == 0, "have no terms"),
        (lengths > MOST_NUMBERS, f"have more than {MOST_NUMBERS} terms"),
        (outside, f"have an index outside 0 to {dimension - 1}"),
        (twice, "have an index twice"),
        (_anywhere(~np.isfinite(column.values), column.bounds), "hold numbers that are not finite"),
    ]


def _flaws_of_rows(column: MultiVectorColumn) -> list[tuple[npt.NDArray[np.bool_], str]]:
    lengths = np.diff(column.bounds)
    return [
        (lengths == 0, "have no rows"),
        (lengths * column.values.shape[1] > MOST_NUMBERS, f"have more than {MOST_NUMBERS} numbers"),
        (_anywhere(~np.isfinite(column.values).all(axis=1), column.bounds), "hold numbers that are not finite"),
    ]


def _marked(rows: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(rows, dtype=bool)


def _anywhere(bad: Any, bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Return for each row whether any of its entries is marked."""
    found = np.zeros(len(bounds) - 1, dtype=bool)
    found[row_numbers(bounds)[bad]] = True
    return found


def _zeros(has_value: npt.NDArray[np.bool_], bounds: Bounds) -> npt.NDArray[np.bool_]:
    return ~_anywhere(has_value, bounds)
