"""What a retrieval needs to know before it searches, in one statement: each one that follows another costs its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, bindparam, select
from sqlalchemy.dialects.postgresql import psycopg as driver

from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.set_items import driver_connection
from shoald.adapters.postgres.tables.rag import (
    chunk_sets,
    document_versions,
    documents,
    index_builds,
    indexes,
    projects,
    segment_sets,
)
from shoald.application.ports.repositories.search_targets import TargetRows
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.document import Document
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.project import Project


class PostgresSearchTargets:
    """`SearchTargetRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_build(self, project_id: str, build_id: str, *, namespace_id: str) -> TargetRows | None:
        """Read seven rows at once."""
        found = self._values(_OF_BUILD, project_id, namespace_id, build_id)
        if found is None:
            return None
        return TargetRows(
            project=Project(**_taken(Project, found)),
            build=_record(IndexBuild, found),
            index=_record(Index, found),
            chunk_set=_record(ChunkSet, found),
            version_id=next(found),
            document=_record(Document, found),
        )

    def of_chunk_set(self, project_id: str, set_id: str | None, *, namespace_id: str) -> TargetRows | None:
        """Read five rows at once."""
        statement = _OF_ACTIVE_CHUNK_SET if set_id is None else _OF_CHUNK_SET
        found = self._values(statement, project_id, namespace_id, set_id)
        if found is None:
            return None
        return TargetRows(
            project=Project(**_taken(Project, found)),
            chunk_set=_record(ChunkSet, found),
            version_id=next(found),
            document=_record(Document, found),
        )

    def _values(
        self, statement: bytes, project_id: str, namespace_id: str, target_id: str | None
    ) -> Iterator[Any] | None:
        """Ask the driver: describing a row of sixty columns, as SQLAlchemy does, takes longer than reading it."""
        keys = {"project_id": project_id, "namespace_id": namespace_id, "target_id": target_id}
        with driver_connection(self._connection).cursor() as cursor:
            row = cursor.execute(statement, keys).fetchone()
        return None if row is None else iter(row)


_dialect: Any = driver.dialect  # which has no types
_NAMES = {
    record: [field.name for field in fields(record)] for record in (Project, IndexBuild, Index, ChunkSet, Document)
}


def _taken(record: type[Any], values: Iterator[Any]) -> dict[str, Any]:
    return {name: next(values) for name in _NAMES[record]}


def _record(record: type[Any], values: Iterator[Any]) -> Any:
    """Return the record of the next values, None where there is no such row: the first is its key."""
    taken = _taken(record, values)
    return None if taken[_NAMES[record][0]] is None else record(**taken)


def _columns(table: Table, record: type[Any]) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in _NAMES[record]]


def _with_document(found: FromClause) -> FromClause:
    return (
        found.outerjoin(segment_sets, segment_sets.c.segment_set_version_id == chunk_sets.c.segment_set_version_id)
        .outerjoin(document_versions, document_versions.c.version_id == segment_sets.c.document_version_id)
        .outerjoin(documents, documents.c.document_id == document_versions.c.document_id)
    )


def _of_project(found: FromClause, *columns: ColumnElement[Any]) -> bytes:
    """Return the statement that reads the one project, and of the rest what there is, as the driver takes it."""
    of_document = (document_versions.c.version_id, *_columns(documents, Document))
    statement: Select[Any] = (
        select(*_columns(projects, Project), *columns, *_columns(chunk_sets, ChunkSet), *of_document)
        .select_from(_with_document(found))
        .where(projects.c.project_id == bindparam("project_id"))
        .where(projects.c.namespace_id == bindparam("namespace_id"))
    )
    return str(statement.compile(dialect=_dialect())).encode()


def _with_chunk_set(chosen: ColumnElement[bool]) -> bytes:
    is_in = chunk_sets.c.project_id == projects.c.project_id
    return _of_project(projects.outerjoin(chunk_sets, and_(is_in, chosen, visible(chunk_sets))))


_IS_WANTED = and_(
    index_builds.c.project_id == projects.c.project_id,
    index_builds.c.build_id == bindparam("target_id"),
    visible(index_builds),
)
# made once: building a statement costs more than sending it
_OF_BUILD = _of_project(
    projects.outerjoin(index_builds, _IS_WANTED)
    .outerjoin(indexes, indexes.c.index_id == index_builds.c.index_id)
    .outerjoin(chunk_sets, chunk_sets.c.chunk_set_version_id == index_builds.c.chunk_set_version_id),
    *_columns(index_builds, IndexBuild),
    *_columns(indexes, Index),
)
_OF_CHUNK_SET = _with_chunk_set(chunk_sets.c.chunk_set_version_id == bindparam("target_id"))
_OF_ACTIVE_CHUNK_SET = _with_chunk_set(chunk_sets.c.is_active)
