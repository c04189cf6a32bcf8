"""Segment sets as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, insert, select, text, update

from shoald.adapters.postgres.engine import to_json_text
from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.set_items import PostgresSetItems
from shoald.adapters.postgres.tables.rag import document_versions, documents, projects, segment_items, segment_sets
from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SegmentSet

# The id of a joined item comes from its set's id and its own, in the form of a UUID version 4, so that parents can be
# renamed without a second pass.
_JOINED_ID = """overlay(overlay(md5(:source_id || {column}) placing '4' from 13) placing '8' from 17)::uuid::text"""

_JOIN = f"""
INSERT INTO segment_items (segment_set_version_id, position, item_id, content, metadata, parent_id, level, path, type,
                           original_format)
SELECT :target_id, position + :first_position, {_JOINED_ID.format(column="item_id")}, content,
       metadata || CAST(:metadata AS jsonb), {_JOINED_ID.format(column="parent_id")}, level, path, type, original_format
FROM segment_items WHERE segment_set_version_id = :source_id
    AND EXISTS (SELECT FROM segment_sets WHERE segment_set_version_id = :source_id)
"""  # noqa: S608 - only names of columns are put in


class PostgresSegmentSets(PostgresSetItems):
    """`SegmentSetRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, segment_items, "segment_set_version_id")

    def add(self, segment_set: SegmentSet) -> None:
        """Insert a row."""
        self._connection.execute(insert(segment_sets).values(**_values(segment_set)))

    def finish(self, segment_set: SegmentSet) -> None:
        """Move the active mark and the totals."""
        if segment_set.document_version_id is None:
            scope = and_(
                segment_sets.c.project_id == segment_set.project_id, segment_sets.c.document_version_id.is_(None)
            )
        else:
            scope = segment_sets.c.document_version_id == segment_set.document_version_id
        self._connection.execute(update(segment_sets).where(scope, segment_sets.c.is_active).values(is_active=False))
        self._connection.execute(
            update(segment_sets)
            .where(segment_sets.c.segment_set_version_id == segment_set.segment_set_version_id)
            .values(is_active=True, total_items=segment_set.total_items, total_characters=segment_set.total_characters)
        )

    def get(self, set_id: str, *, namespace_id: str) -> SegmentSet | None:
        """Read a row that is not deleted."""
        statement = (
            _visible()
            .join(projects, projects.c.project_id == segment_sets.c.project_id)
            .where(segment_sets.c.segment_set_version_id == set_id, projects.c.namespace_id == namespace_id)
        )
        row = self._connection.execute(statement).one_or_none()
        return _record(row) if row else None

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[SegmentSet]:
        """Read rows, newest first."""
        statement = _newest_first(_visible().where(segment_sets.c.project_id == project_id))
        return [_record(row) for row in self._connection.execute(statement.offset(offset).limit(limit))]

    def newest_active(self, project_id: str) -> SegmentSet | None:
        """Read the newest row that is active."""
        statement = _newest_first(
            _visible().where(segment_sets.c.project_id == project_id, segment_sets.c.is_active)
        ).limit(1)
        row = self._connection.execute(statement).one_or_none()
        return _record(row) if row else None

    def active_of_documents(self, project_id: str) -> Sequence[SegmentSet]:
        """Read the active rows of versions that are active."""
        versions = document_versions.c
        statement = (
            _visible()
            .join(document_versions, versions.version_id == segment_sets.c.document_version_id)
            .join(documents, documents.c.document_id == versions.document_id)
            .where(segment_sets.c.project_id == project_id, segment_sets.c.is_active)
            .where(versions.is_active)
            .order_by(documents.c.created_at, documents.c.document_id)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def loaded_object(self, project_id: str, uri: str) -> JsonObject | None:
        """Look by the index of pictures."""
        statement = (
            select(segment_items.c.metadata)
            .join(segment_sets, segment_sets.c.segment_set_version_id == segment_items.c.segment_set_version_id)
            .where(segment_items.c.metadata["object_uri"].astext == uri, segment_sets.c.project_id == project_id)
            .where(segment_sets.c.document_version_id.is_not(None))
            .where(segment_sets.c.parent_segment_set_version_id.is_(None))
            .limit(1)
        )
        return self._connection.scalar(statement)

    def join_items(self, target_id: str, source: SegmentSet, *, first_position: int, metadata: JsonObject) -> None:
        """Copy rows within PostgreSQL."""
        self._refuse_unseen(target_id)
        self._connection.execute(
            text(_JOIN),
            {
                "target_id": target_id,
                "source_id": source.segment_set_version_id,
                "first_position": first_position,
                "metadata": to_json_text(metadata),
            },
        )


def _visible() -> Select[Any]:
    return select(segment_sets).where(visible(segment_sets))


def _newest_first(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(segment_sets.c.created_at.desc(), segment_sets.c.segment_set_version_id.desc())


def _values(segment_set: SegmentSet) -> dict[str, Any]:
    return {
        "segment_set_version_id": segment_set.segment_set_version_id,
        "project_id": segment_set.project_id,
        "document_version_id": segment_set.document_version_id,
        "parent_segment_set_version_id": segment_set.parent_segment_set_version_id,
        "params": segment_set.params,
        "input_refs": segment_set.input_refs,
        "artifact_uri": segment_set.artifact_uri,
        "producer_type": segment_set.producer_type,
        "producer_version": segment_set.producer_version,
        "is_active": segment_set.is_active,
        "is_deleted": segment_set.is_deleted,
        "created_at": segment_set.created_at,
        "total_items": segment_set.total_items,
        "total_characters": segment_set.total_characters,
    }


def _record(row: Row[Any]) -> SegmentSet:
    return SegmentSet(
        segment_set_version_id=row.segment_set_version_id,
        project_id=row.project_id,
        document_version_id=row.document_version_id,
        parent_segment_set_version_id=row.parent_segment_set_version_id,
        params=row.params,
        input_refs=row.input_refs,
        artifact_uri=row.artifact_uri,
        producer_type=row.producer_type,
        producer_version=row.producer_version,
        is_active=row.is_active,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
        total_items=row.total_items,
        total_characters=row.total_characters,
    )
