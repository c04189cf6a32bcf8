"""Vectors as PostgreSQL sends and takes them: rows of a binary COPY, and single values, all big-endian."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
_HEAD_BYTES = 4  # a vector's value begins with its dimension and two unused bytes
_PIECE_BYTES = 1 << 20


def copy_pieces(vectors: npt.NDArray[np.float32]) -> Iterator[tuple[int, bytes]]:
    """Yield (rows done, bytes): a row is a position, ascending from 0, and its vector."""
    n, d = vectors.shape
    row = np.dtype(
        [
            ("fields", ">i2"),
            ("position_bytes", ">i4"),
            ("position", ">i4"),
            ("vector_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("values", ">f4", (d,)),
        ]
    )
    size = max(1, _PIECE_BYTES // row.itemsize)
    for start in range(0, n, size):
        block = vectors[start : start + size]
        rows = np.zeros(len(block), row)
        rows["fields"], rows["position_bytes"] = 2, 4
        rows["position"] = np.arange(start, start + len(block))
        rows["vector_bytes"], rows["dimension"] = _HEAD_BYTES + 4 * d, d
        rows["values"] = block
        yield start + len(block), rows.tobytes()


def vector_text(vector: npt.NDArray[np.float32]) -> str:
    """Return a vector as a statement's parameter, every bit of it."""
    return f"[{','.join(map(repr, vector.tolist()))}]"


def to_rows(values: Sequence[bytes], dimension: int) -> npt.NDArray[np.float32]:
    """Return (m, d) float32 from binary values."""
    shape = (len(values), _HEAD_BYTES + 4 * dimension)
    raw = np.frombuffer(b"".join(values), np.uint8).reshape(shape)
    return np.ascontiguousarray(raw[:, _HEAD_BYTES:]).view(">f4").astype(np.float32)
