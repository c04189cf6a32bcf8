"""What the use cases ask of stored chunk sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from shoald.application.ports.repositories.segment_sets import SetItemRepository
from shoald.domain.records.chunk_set import ChunkSet

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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

    def source_positions(self, set_id: str) -> npt.NDArray[np.int64]:
        """Return for each chunk of a set, by position, the position of the segment that it was cut from.

        -1 for a chunk whose metadata name no segment of the set's own segment set.
        """
        ...

    def all_source_positions(self, set_id: str) -> npt.NDArray[np.int64]:
        """Return the ascending positions of the segments that chunks were cut from, each once."""
        ...
