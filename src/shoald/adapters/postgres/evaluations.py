"""Evaluations as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select, update

from shoald.adapters.postgres.tables.evaluations import evaluations
from shoald.adapters.postgres.tables.rag import projects
from shoald.domain.records.evaluation import Evaluation, Questions

# everything but the questions, which may be long
_SHOWN = [column for column in evaluations.c if column.name != "questions"]


class PostgresEvaluations:
    """`EvaluationRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, evaluation: Evaluation, questions: Questions) -> None:
        """Insert a row."""
        self._connection.execute(insert(evaluations).values(questions=list(questions), **asdict(evaluation)))

    def get(self, evaluation_id: str, *, namespace_id: str) -> Evaluation | None:
        """Read a row."""
        statement = (
            select(*_SHOWN)
            .join(projects, projects.c.project_id == evaluations.c.project_id)
            .where(evaluations.c.evaluation_id == evaluation_id, projects.c.namespace_id == namespace_id)
        )
        row = self._connection.execute(statement).one_or_none()
        return _record(row) if row else None

    def questions(self, evaluation_id: str) -> Questions:
        """Read the one long column."""
        statement = select(evaluations.c.questions).where(evaluations.c.evaluation_id == evaluation_id)
        return cast("Questions", self._connection.execute(statement).scalar_one())

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[Evaluation]:
        """Read rows, newest first."""
        statement = (
            select(*_SHOWN)
            .where(evaluations.c.project_id == project_id)
            .order_by(evaluations.c.created_at.desc(), evaluations.c.evaluation_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def set_status(self, evaluation_id: str, status: str, *, error_message: str | None, at: datetime) -> None:
        """Update the state; one that was deleted has none."""
        self._connection.execute(
            update(evaluations)
            .where(evaluations.c.evaluation_id == evaluation_id)
            .values(status=status, error_message=error_message, updated_at=at)
        )

    def publish(self, evaluation: Evaluation) -> bool:
        """Update what an evaluation makes."""
        statement = (
            update(evaluations)
            .where(evaluations.c.evaluation_id == evaluation.evaluation_id)
            .values(
                status=evaluation.status,
                results=evaluation.results,
                artifact_uri=evaluation.artifact_uri,
                error_message=evaluation.error_message,
                updated_at=evaluation.updated_at,
            )
        )
        return self._connection.execute(statement).rowcount == 1

    def delete(self, evaluation_id: str) -> bool:
        """Delete a row."""
        statement = delete(evaluations).where(evaluations.c.evaluation_id == evaluation_id)
        return self._connection.execute(statement).rowcount == 1


def _record(row: Row[Any]) -> Evaluation:
    return Evaluation(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
