"""Stored retrievals as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.tables.rag import projects, retrieval_runs
from shoald.domain.records.retrieval_run import RetrievalRun


class PostgresRetrievalRuns:
    """`RetrievalRunRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, run: RetrievalRun) -> None:
        """Insert a row."""
        self._connection.execute(
            insert(retrieval_runs).values(
                run_id=run.run_id,
                project_id=run.project_id,
                strategy=run.strategy,
                query=run.query,
                target_type=run.target_type,
                target_id=run.target_id,
                params=run.params,
                results=run.results,
                artifact_uri=run.artifact_uri,
                is_deleted=run.is_deleted,
                created_at=run.created_at,
            )
        )

    def get(self, run_id: str, *, namespace_id: str) -> RetrievalRun | None:
        """Read a row that is not deleted."""
        statement = (
            select(retrieval_runs)
            .join(projects, projects.c.project_id == retrieval_runs.c.project_id)
            .where(
                retrieval_runs.c.run_id == run_id,
                visible(retrieval_runs),
                projects.c.namespace_id == namespace_id,
            )
        )
        row = self._connection.execute(statement).one_or_none()
        return _record(row) if row else None

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[RetrievalRun]:
        """Read rows, newest first."""
        statement = (
            select(retrieval_runs)
            .where(retrieval_runs.c.project_id == project_id, visible(retrieval_runs))
            .order_by(retrieval_runs.c.created_at.desc(), retrieval_runs.c.run_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]


def _record(row: Row[Any]) -> RetrievalRun:
    return RetrievalRun(
        run_id=row.run_id,
        project_id=row.project_id,
        strategy=row.strategy,
        query=row.query,
        target_type=row.target_type,
        target_id=row.target_id,
        params=row.params,
        results=row.results,
        artifact_uri=row.artifact_uri,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
    )
