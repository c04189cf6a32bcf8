"""What the use cases ask of stored indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.index import Index


class IndexRepository(Protocol):
    """Stored indexes; reads see what is not deleted, in projects of the namespace."""

    def add(self, index: Index) -> None:
        """Store a new index."""
        ...

    def get(self, index_id: str, *, namespace_id: str) -> Index | None:
        """Return an index."""
        ...

    def get_for_change(self, index_id: str, *, namespace_id: str) -> Index | None:
        """Return an index and keep others from changing it, or its active build, until the transaction ends."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[Index]:
        """Return the indexes of a project, newest first, ties by id."""
        ...

    def update(self, index: Index) -> None:
        """Store `config`, `status` and `updated_at` of an index that exists."""
        ...
