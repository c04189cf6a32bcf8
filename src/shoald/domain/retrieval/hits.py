"""What a search found, as arrays: positions and scores, best first; written to bytes for the cache."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

Rows = npt.NDArray[np.int64] | slice

_HEAD = struct.Struct("<IB")
_HAS_BASE, _HAS_FOUND_BY = 1, 2


@dataclass(frozen=True, slots=True)
class Hits:
    """Positions of items in their set (h,), and their scores, larger is better; equal scores stand by position.

    `base_scores` are those that the items had before a model put them into this order. `found_by` are the positions
    of other items, where hits were found by these in another set: segments by their best chunks.
    """

    positions: Positions
    scores: Scores
    base_scores: Scores | None = None
    found_by: Positions | None = None

    @classmethod
    def ordered(cls, positions: Positions, scores: Scores, found_by: Positions | None = None) -> Hits:
        """Put hits in order: greatest score first, ties by position."""
        return cls(positions, scores, None, found_by).rows(np.lexsort((positions, -scores)))

    @classmethod
    def joined(cls, parts: Sequence[Hits]) -> Hits:
        """Put hits behind each other that have no further scores and were found by themselves."""
        positions = np.concatenate([np.zeros(0, np.int64), *(part.positions for part in parts)])
        return cls(positions, np.concatenate([np.zeros(0), *(part.scores for part in parts)]))

    @property
    def searched(self) -> Positions:
        """The positions of the items that were searched."""
        return self.positions if self.found_by is None else self.found_by

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.positions)

    def part(self, start: int, end: int) -> Hits:
        """Return those from `start` to before `end`."""
        return self.rows(slice(start, end))

    def rows(self, rows: Rows) -> Hits:
        """Return those at these rows, in their order."""
        base = None if self.base_scores is None else self.base_scores[rows]
        found_by = None if self.found_by is None else self.found_by[rows]
        return Hits(self.positions[rows], self.scores[rows], base, found_by)

    def to_bytes(self) -> bytes:
        """Return the hits as a few bytes each."""
        has = _HAS_BASE * (self.base_scores is not None) + _HAS_FOUND_BY * (self.found_by is not None)
        parts = [_HEAD.pack(len(self), has), self.positions.astype("<i4").tobytes(), self.scores.tobytes()]
        if self.base_scores is not None:
            parts.append(self.base_scores.tobytes())
        if self.found_by is not None:
            parts.append(self.found_by.astype("<i4").tobytes())
        return zlib.compress(b"".join(parts), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Hits:
        """Read what `to_bytes` wrote."""
        plain = zlib.decompress(data)
        n, has = _HEAD.unpack_from(plain)
        positions = np.frombuffer(plain, "<i4", n, _HEAD.size).astype(np.int64)
        scores = np.frombuffer(plain, "<f8", n, _HEAD.size + 4 * n)
        end = _HEAD.size + 12 * n
        base = np.frombuffer(plain, "<f8", n, end) if has & _HAS_BASE else None
        end += 0 if base is None else 8 * n
        found_by = np.frombuffer(plain, "<i4", n, end).astype(np.int64) if has & _HAS_FOUND_BY else None
        return cls(positions, scores, base, found_by)
