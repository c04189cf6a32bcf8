"""Projects as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from shoald.adapters.postgres.tables.rag import projects
from shoald.domain.records.project import Project


class PostgresProjects:
    """`ProjectRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, project: Project) -> None:
        """Insert a row."""
        self._connection.execute(
            insert(projects).values(
                project_id=project.project_id,
                namespace_id=project.namespace_id,
                name=project.name,
                description=project.description,
                settings=project.settings,
                created_at=project.created_at,
                updated_at=project.updated_at,
            )
        )

    def get(self, project_id: str, *, namespace_id: str) -> Project | None:
        """Read a row."""
        return self._one(_ONE, project_id, namespace_id)

    def get_for_change(self, project_id: str, *, namespace_id: str) -> Project | None:
        """Read a row and lock it; rows that refer to it can still be added."""
        return self._one(_ONE_FOR_CHANGE, project_id, namespace_id)

    def list(self, *, namespace_id: str, offset: int, limit: int) -> Sequence[Project]:
        """Read rows, newest first."""
        statement = (
            select(projects)
            .where(projects.c.namespace_id == namespace_id)
            .order_by(projects.c.created_at.desc(), projects.c.project_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def update(self, project: Project) -> None:
        """Update a row."""
        self._connection.execute(
            update(projects)
            .where(projects.c.project_id == project.project_id)
            .values(
                name=project.name,
                description=project.description,
                settings=project.settings,
                updated_at=project.updated_at,
            )
        )

    def _one(self, statement: Select[Any], project_id: str, namespace_id: str) -> Project | None:
        keys = {"project_id": project_id, "namespace_id": namespace_id}
        row = self._connection.execute(statement, keys).one_or_none()
        return _record(row) if row else None


# made once: building a statement costs more than sending it
_ONE = select(projects).where(
    projects.c.project_id == bindparam("project_id"), projects.c.namespace_id == bindparam("namespace_id")
)
_ONE_FOR_CHANGE = _ONE.with_for_update(key_share=True)


def _record(row: Row[Any]) -> Project:
    return Project(
        project_id=row.project_id,
        namespace_id=row.namespace_id,
        name=row.name,
        description=row.description,
        settings=row.settings,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
