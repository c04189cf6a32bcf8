"""Vectors and their ids go in, bytes of PostgreSQL's binary COPY come out, with no Python step for each row."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_PIECE_BYTES = 1 << 20

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


def vector_of(stored: bytes) -> Floats:
    """Return a stored vector as an array."""
    return np.frombuffer(stored, dtype="<f4")
