"""Stored embeddings in a dictionary, in a unit of work that holds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt


class MemoryEmbeddings:
    """`EmbeddingRepository` that sees what was committed and what this unit of work added."""

    def __init__(self, committed: dict[tuple[str, bytes], npt.NDArray[np.float32]]) -> None:
        self._committed = committed
        self.added: dict[tuple[str, bytes], npt.NDArray[np.float32]] = {}

    def known(
        self, embedder: str, hashes: Sequence[bytes], *, dimension: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        found = [(place, self._get(embedder, digest)) for place, digest in enumerate(hashes)]
        rows = [(place, row) for place, row in found if row is not None and len(row) == dimension]
        places = np.array([place for place, _ in rows], np.int64)
        return places, np.array([row for _, row in rows], np.float32).reshape(len(rows), dimension)

    def add(self, embedder: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        for digest, row in zip(hashes, vectors, strict=True):
            if self._get(embedder, digest) is None:
                self.added[embedder, digest] = row.copy()

    def _get(self, embedder: str, digest: bytes) -> npt.NDArray[np.float32] | None:
        return self.added.get((embedder, digest), self._committed.get((embedder, digest)))


class EmbeddingsOnly:
    """Opens units of work with `embeddings` only."""

    def __init__(self) -> None:
        self.committed: dict[tuple[str, bytes], npt.NDArray[np.float32]] = {}

    def __call__(self) -> _Unit:
        return _Unit(self.committed)


class _Unit:
    def __init__(self, committed: dict[tuple[str, bytes], npt.NDArray[np.float32]]) -> None:
        self._committed = committed

    def __enter__(self) -> Self:
        self.embeddings = MemoryEmbeddings(self._committed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def commit(self) -> None:
        self._committed.update(self.embeddings.added)
