"""Stored retrievals as rows."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from shoald.adapters.postgres.tables.rag import retrieval_runs
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
