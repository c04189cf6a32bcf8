"""What the use cases ask of stored retrievals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.retrieval_run import RetrievalRun


class RetrievalRunRepository(Protocol):
    """Stored retrievals; reads see what is not deleted, in projects of the namespace."""

    def add(self, run: RetrievalRun) -> None:
        """Store a retrieval."""
        ...

    def get(self, run_id: str, *, namespace_id: str) -> RetrievalRun | None:
        """Return a retrieval."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[RetrievalRun]:
        """Return the retrievals of a project, newest first, ties by id."""
        ...
