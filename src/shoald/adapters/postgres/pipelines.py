"""Pipelines as rows."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, insert, select, update

from shoald.adapters.postgres.tables.pipelines import pipelines
from shoald.domain.records.pipeline import Pipeline


class PostgresPipelines:
    """`PipelineRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, pipeline: Pipeline) -> None:
        """Insert a row."""
        self._connection.execute(insert(pipelines).values(**asdict(pipeline)))

    def get(self, job_id: str) -> Pipeline | None:
        """Read a row."""
        row = self._connection.execute(select(pipelines).where(pipelines.c.job_id == job_id)).one_or_none()
        return Pipeline(**row._asdict()) if row else None

    def update(self, pipeline: Pipeline) -> None:
        """Write what the steps have made."""
        self._connection.execute(
            update(pipelines)
            .where(pipelines.c.job_id == pipeline.job_id)
            .values(
                segment_set_version_id=pipeline.segment_set_version_id,
                chunk_set_version_id=pipeline.chunk_set_version_id,
                index_build_id=pipeline.index_build_id,
            )
        )
