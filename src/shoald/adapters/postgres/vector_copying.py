"""Vectors and their ids go in, bytes of PostgreSQL's binary COPY come out, with no Python step for each row."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.ragged_arrays import Bounds
from shoald.domain.records.collection import MultiVectorColumn, SparseColumn, SparseVector
from shoald.domain.vocabulary import VectorKind

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_PIECE_BYTES = 1 << 20
_TERM: Any = np.dtype([("index", "<i4"), ("value", "<f4")])
"""A term of a sparse vector as it is stored."""

Floats = npt.NDArray[np.float32]


def _field(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def encoded_ids(ids: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return ids as one array of UTF-8 bytes."""
    return np.array([one.encode() for one in ids], dtype=np.bytes_)


def copy_pieces(leading: Sequence[str], ids: npt.NDArray[np.bytes_], vectors: Floats) -> Iterator[bytes]:
    """Yield a whole COPY body: rows of constant text columns, the id, and the vector's little-endian float32 bytes.

    `vectors` is (n, d) and C-contiguous. Rows come ordered by the length of their ids, since rows of one length are
    one array of fixed records.
    """
    head = struct.pack(">h", len(leading) + 2) + b"".join(_field(word.encode()) for word in leading)
    yield _HEADER
    lengths = np.strings.str_len(ids)
    for length in np.unique(lengths):
        yield from _records(head, int(length), ids, vectors, np.flatnonzero(lengths == length))
    yield _TRAILER


def _records(
    head: bytes, length: int, ids: npt.NDArray[np.bytes_], vectors: Floats, rows: npt.NDArray[np.int64]
) -> Iterator[bytes]:
    width = 4 * vectors.shape[1]
    record: Any = np.dtype(
        [("head", f"V{len(head)}"), ("l", ">i4"), ("id", f"V{length}"), ("w", ">i4"), ("vector", f"V{width}")]
    )
    block = max(1, _PIECE_BYTES // record.itemsize)
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        out = np.empty(len(part), dtype=record)
        out["head"] = np.void(head)
        out["l"], out["w"] = length, width
        out["id"] = np.ascontiguousarray(ids[part].astype(f"S{length}")).view(f"V{length}")
        out["vector"] = np.ascontiguousarray(vectors[part], dtype="<f4").view(f"V{width}")[:, 0]
        yield out.tobytes()


def ragged_pieces(
    leading: Sequence[str], ids: npt.NDArray[np.bytes_], column: SparseColumn | MultiVectorColumn
) -> Iterator[bytes]:
    """Yield a whole COPY body as `copy_pieces` does, of vectors of different lengths.

    A sparse vector is its terms, index and value, 4 bytes each; a multi-vector is its rows, one after another.
    """
    head = struct.pack(">h", len(leading) + 2) + b"".join(_field(word.encode()) for word in leading)
    body, bounds = _stored(column)
    yield _HEADER
    for start, end in _cut(bounds):
        yield _ragged_records(head, ids[start:end], body[bounds[start] : bounds[end]], bounds[start : end + 1])
    yield _TRAILER


def _stored(column: SparseColumn | MultiVectorColumn) -> tuple[npt.NDArray[np.uint8], Bounds]:
    """Return the bytes of all vectors, and where each begins."""
    if isinstance(column, MultiVectorColumn):
        values = np.ascontiguousarray(column.values, dtype="<f4")
        return values.view(np.uint8).reshape(-1), column.bounds * (4 * values.shape[1])
    terms = np.empty(len(column.indices), dtype=_TERM)
    terms["index"], terms["value"] = column.indices, column.values
    return terms.view(np.uint8), column.bounds * _TERM.itemsize


def _cut(bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about a piece each; a longer row is one by itself."""
    start, rows = 0, len(bounds) - 1
    while start < rows:
        end = int(np.searchsorted(bounds, bounds[start] + _PIECE_BYTES, side="right")) - 1
        end = max(end, start + 1)
        yield start, end
        start = end


def _ragged_records(head: bytes, ids: npt.NDArray[np.bytes_], body: npt.NDArray[np.uint8], bounds: Bounds) -> bytes:
    """Lay each part of the records where it belongs: one step for a part of all rows."""
    n, lengths, id_lengths = len(ids), np.diff(bounds), np.strings.str_len(ids)
    ends = np.cumsum(len(head) + 4 + id_lengths + 4 + lengths)
    starts = ends - (len(head) + 4 + id_lengths + 4 + lengths)
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    out[starts[:, None] + np.arange(len(head))] = np.frombuffer(head, np.uint8)
    at = starts + len(head)
    out[at[:, None] + np.arange(4)] = id_lengths.astype(">i4").view(np.uint8).reshape(n, 4)
    letters = np.ascontiguousarray(ids).view(np.uint8).reshape(n, -1)
    is_letter = np.arange(letters.shape[1]) < id_lengths[:, None]
    out[(at[:, None] + 4 + np.arange(letters.shape[1]))[is_letter]] = letters[is_letter]
    at = at + 4 + id_lengths
    out[at[:, None] + np.arange(4)] = lengths.astype(">i4").view(np.uint8).reshape(n, 4)
    out[np.repeat(at + 4 - (bounds[:-1] - bounds[0]), lengths) + np.arange(len(body))] = body
    return out.tobytes()


def vector_of(stored: bytes, kind: str, dimension: int) -> Floats | SparseVector:
    """Return a stored vector: an array, (t, d) for a multi-vector, or the terms of a sparse one."""
    if kind == VectorKind.SPARSE:
        terms = np.frombuffer(stored, dtype=_TERM)
        return SparseVector(indices=terms["index"], values=terms["value"])
    values = np.frombuffer(stored, dtype="<f4")
    return values.reshape(-1, dimension) if kind == VectorKind.MULTI_VECTOR else values
