"""What the use cases ask of stored pipelines."""

from __future__ import annotations

from typing import Protocol

from shoald.domain.records.pipeline import Pipeline


class PipelineRepository(Protocol):
    """Stored pipelines, by the id of their job; they go when their job is removed."""

    def add(self, pipeline: Pipeline) -> None:
        """Store a pipeline beside its job."""
        ...

    def get(self, job_id: str) -> Pipeline | None:
        """Return the pipeline of a job."""
        ...

    def update(self, pipeline: Pipeline) -> None:
        """Store what its steps have made."""
        ...
