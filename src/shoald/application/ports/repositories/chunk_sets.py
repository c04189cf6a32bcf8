"""What the use cases ask of stored chunk sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.application.ports.repositories.segment_sets import SetItemRepository
from shoald.domain.records.chunk_set import ChunkSet


class ChunkSetRepository(SetItemRepository, Protocol):
    """Stored chunk sets; reads see what is not deleted, in projects of the namespace."""

    def add(self, chunk_set: ChunkSet) -> None:
        """Store a new set, before its items."""
        ...

    def finish(self, chunk_set: ChunkSet) -> None:
        """Store the totals of a set whose items are written, and make it the active one of its project.

        The caller holds the project's lock.
        """
        ...

    def get(self, set_id: str, *, namespace_id: str) -> ChunkSet | None:
        """Return a set."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[ChunkSet]:
        """Return the sets of a project, newest first, ties by id."""
        ...

    def active(self, project_id: str) -> ChunkSet | None:
        """Return the active set of a project."""
        ...
