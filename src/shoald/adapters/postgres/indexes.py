"""Indexes as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

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
        return self._one(_ONE, index_id, namespace_id)

    def get_for_change(self, index_id: str, *, namespace_id: str) -> Index | None:
        """Read a row and lock it; rows that refer to it can still be added."""
        return self._one(_ONE_FOR_CHANGE, index_id, namespace_id)

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

    def _one(self, statement: Select[Any], index_id: str, namespace_id: str) -> Index | None:
        row = self._connection.execute(statement, {"index_id": index_id, "namespace_id": namespace_id}).one_or_none()
        return _record(row) if row else None


# made once: building a statement costs more than sending it
_ONE = (
    select(indexes)
    .join(projects, projects.c.project_id == indexes.c.project_id)
    .where(indexes.c.index_id == bindparam("index_id"), ~indexes.c.is_deleted)
    .where(projects.c.namespace_id == bindparam("namespace_id"))
)
_ONE_FOR_CHANGE = _ONE.with_for_update(key_share=True, of=indexes)


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
