"""Indexes as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from shoald.adapters.postgres.tables.rag import indexes, projects
from shoald.domain.records.index import Index


class PostgresIndexes:
    """`IndexRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, index: Index) -> None:
        """Insert a row."""
        self._connection.execute(
            insert(indexes).values(
                index_id=index.index_id,
                project_id=index.project_id,
                name=index.name,
                provider=index.provider,
                index_type=index.index_type,
                config=index.config,
                params=index.params,
                status=index.status,
                is_deleted=index.is_deleted,
                created_at=index.created_at,
                updated_at=index.updated_at,
            )
        )

    def get(self, index_id: str, *, namespace_id: str) -> Index | None:
        """Read a row that is not deleted."""
        return self._one(_selected(index_id, namespace_id))

    def get_for_change(self, index_id: str, *, namespace_id: str) -> Index | None:
        """Read a row and lock it; rows that refer to it can still be added."""
        return self._one(_selected(index_id, namespace_id).with_for_update(key_share=True, of=indexes))

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[Index]:
        """Read rows, newest first."""
        statement = (
            select(indexes)
            .where(indexes.c.project_id == project_id, ~indexes.c.is_deleted)
            .order_by(indexes.c.created_at.desc(), indexes.c.index_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def update(self, index: Index) -> None:
        """Update a row."""
        self._connection.execute(
            update(indexes)
            .where(indexes.c.index_id == index.index_id)
            .values(config=index.config, status=index.status, updated_at=index.updated_at)
        )

    def _one(self, statement: Select[Any]) -> Index | None:
        row = self._connection.execute(statement).one_or_none()
        return _record(row) if row else None


def _selected(index_id: str, namespace_id: str) -> Select[Any]:
    return (
        select(indexes)
        .join(projects, projects.c.project_id == indexes.c.project_id)
        .where(indexes.c.index_id == index_id, ~indexes.c.is_deleted, projects.c.namespace_id == namespace_id)
    )


def _record(row: Row[Any]) -> Index:
    return Index(
        index_id=row.index_id,
        project_id=row.project_id,
        name=row.name,
        provider=row.provider,
        index_type=row.index_type,
        config=row.config,
        params=row.params,
        status=row.status,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
