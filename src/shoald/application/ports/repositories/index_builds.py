"""What the use cases ask of stored index builds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.index import Index, IndexBuild


class IndexBuildRepository(Protocol):
    """Stored builds; reads see what is not deleted, in projects of the namespace."""

    def add(self, build: IndexBuild) -> None:
        """Store a new build."""
        ...

    def get(self, build_id: str, *, namespace_id: str) -> IndexBuild | None:
        """Return a build whose index is not deleted either."""
        ...

    def chunk_set_of(self, build_id: str) -> str | None:
        """Return the id of the chunk set that a build is made of, be the build hidden or not."""
        ...

    def with_parts(self, build_id: str, *, namespace_id: str) -> tuple[IndexBuild, Index, ChunkSet] | None:
        """Return a build as `get` does, its index, and the chunk set that it is made of."""
        ...

    def list(self, index_id: str, *, offset: int, limit: int) -> Sequence[IndexBuild]:
        """Return the builds of an index, newest first, ties by id."""
        ...

    def set_status(self, build_id: str, status: str, *, at: datetime) -> None:
        """Move a build that has not succeeded to another status."""
        ...

    def fail(self, build_id: str, failure: JsonObject, *, at: datetime) -> None:
        """Move a build that has not succeeded to `failed`, with the failure's code and message in its `input_refs`."""
        ...

    def has_failed_since(self, at: datetime) -> bool:
        """Say whether any build, of any namespace, has failed since then."""
        ...

    def states(self, build_ids: Sequence[str]) -> dict[str, tuple[str, JsonObject]]:
        """Return status and manifest of the builds that there are, of any namespace, deleted ones too."""
        ...

    def collections_over(self, set_id: str) -> Sequence[str]:
        """Return the ids of the collections that indexes keep which have a build over the items of a chunk or segment
        set, the one that changed last first.
        """
        ...

    def publish(self, build: IndexBuild) -> None:
        """Store the end of a build that succeeded, and make it the active one of its index.

        The caller holds the index's lock.
        """
        ...
