"""What the use cases ask of stored retrievals."""

from __future__ import annotations

from typing import Protocol

from shoald.domain.records.retrieval_run import RetrievalRun


class RetrievalRunRepository(Protocol):
    """Stored retrievals."""

    def add(self, run: RetrievalRun) -> None:
        """Store a retrieval."""
        ...
