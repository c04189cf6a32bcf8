"""What a search found, as arrays: positions and scores, best first; written to bytes for the cache."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

_HEAD = struct.Struct("<IB")


@dataclass(frozen=True, slots=True)
class Hits:
    """Positions of items in their set (h,), and their scores, larger is better; equal scores stand by position.

    `base_scores` are those that the items had before a model put them into this order.
    """

    positions: Positions
    scores: Scores
    base_scores: Scores | None = None

    @classmethod
    def ordered(cls, positions: Positions, scores: Scores) -> Hits:
        """Put hits in order: greatest score first, ties by position."""
        order = np.lexsort((positions, -scores))
        return cls(positions[order], scores[order])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.positions)

    def part(self, start: int, end: int) -> Hits:
        """Return those from `start` to before `end`."""
        base = None if self.base_scores is None else self.base_scores[start:end]
        return Hits(self.positions[start:end], self.scores[start:end], base)

    def to_bytes(self) -> bytes:
        """Return the hits as a few bytes each."""
        base = b"" if self.base_scores is None else self.base_scores.tobytes()
        head = _HEAD.pack(len(self), self.base_scores is not None)
        return zlib.compress(head + self.positions.astype("<i4").tobytes() + self.scores.tobytes() + base, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Hits:
        """Read what `to_bytes` wrote."""
        plain = zlib.decompress(data)
        n, has_base = _HEAD.unpack_from(plain)
        positions = np.frombuffer(plain, "<i4", n, _HEAD.size).astype(np.int64)
        scores = np.frombuffer(plain, "<f8", n, _HEAD.size + 4 * n)
        base = np.frombuffer(plain, "<f8", n, _HEAD.size + 12 * n) if has_base else None
        return cls(positions, scores, base)
