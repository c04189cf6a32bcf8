"""Chunk sets as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import BYTEA, aggregate_order_by

from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.set_items import PostgresSetItems
from shoald.adapters.postgres.tables.rag import chunk_items, chunk_sets, projects, segment_items
from shoald.domain.records.chunk_set import ChunkSet

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class PostgresChunkSets(PostgresSetItems):
    """`ChunkSetRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, chunk_items, "chunk_set_version_id")

    def add(self, chunk_set: ChunkSet) -> None:
        """Insert a row."""
        self._connection.execute(insert(chunk_sets).values(**_values(chunk_set)))

    def finish(self, chunk_set: ChunkSet) -> None:
        """Move the active mark and the totals."""
        scope = chunk_sets.c.project_id == chunk_set.project_id
        self._connection.execute(update(chunk_sets).where(scope, chunk_sets.c.is_active).values(is_active=False))
        self._connection.execute(
            update(chunk_sets)
            .where(chunk_sets.c.chunk_set_version_id == chunk_set.chunk_set_version_id)
            .values(is_active=True, total_items=chunk_set.total_items, total_characters=chunk_set.total_characters)
        )

    def get(self, set_id: str, *, namespace_id: str) -> ChunkSet | None:
        """Read a row that is not deleted."""
        row = self._connection.execute(_ONE, {"set_id": set_id, "namespace_id": namespace_id}).one_or_none()
        return _record(row) if row else None

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[ChunkSet]:
        """Read rows, newest first."""
        statement = (
            _visible()
            .where(chunk_sets.c.project_id == project_id)
            .order_by(chunk_sets.c.created_at.desc(), chunk_sets.c.chunk_set_version_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def source_positions(self, set_id: str) -> npt.NDArray[np.int64]:
        """Join all chunks with the segments that their metadata name; the positions come in four bytes each."""
        import numpy as np

        source = func.int4send(func.coalesce(segment_items.c.position, -1))
        packed = func.string_agg(source, aggregate_order_by(literal(b"", BYTEA), chunk_items.c.position))
        found = self._connection.scalar(_with_sources(set_id, packed, keeps_all=True))
        return np.frombuffer(found or b"", ">i4").astype(np.int64)

    def all_source_positions(self, set_id: str) -> npt.NDArray[np.int64]:
        """Join all chunks of a set with the segments that their metadata name."""
        import numpy as np

        position = segment_items.c.position
        found = self._connection.scalars(_with_sources(set_id, position).distinct().order_by(position)).all()
        return np.array(found, np.int64)


def _with_sources(set_id: str, *columns: ColumnElement[Any], keeps_all: bool = False) -> Select[Any]:
    source = chunk_items.c.metadata["source_segment_item_id"].astext
    is_source = (segment_items.c.segment_set_version_id == chunk_sets.c.segment_set_version_id) & (
        segment_items.c.item_id == source
    )
    return (
        select(*columns)
        .join_from(chunk_items, chunk_sets, chunk_sets.c.chunk_set_version_id == chunk_items.c.chunk_set_version_id)
        .join(segment_items, is_source, isouter=keeps_all)
        .where(chunk_items.c.chunk_set_version_id == set_id)
    )


def _visible() -> Select[Any]:
    return select(chunk_sets).where(visible(chunk_sets))


# made once: building a statement costs more than sending it
_ONE = (
    _visible()
    .join(projects, projects.c.project_id == chunk_sets.c.project_id)
    .where(chunk_sets.c.chunk_set_version_id == bindparam("set_id"))
    .where(projects.c.namespace_id == bindparam("namespace_id"))
)


def _values(chunk_set: ChunkSet) -> dict[str, Any]:
    return {
        "chunk_set_version_id": chunk_set.chunk_set_version_id,
        "project_id": chunk_set.project_id,
        "segment_set_version_id": chunk_set.segment_set_version_id,
        "parent_chunk_set_version_id": chunk_set.parent_chunk_set_version_id,
        "params": chunk_set.params,
        "input_refs": chunk_set.input_refs,
        "artifact_uri": chunk_set.artifact_uri,
        "producer_type": chunk_set.producer_type,
        "producer_version": chunk_set.producer_version,
        "is_active": chunk_set.is_active,
        "is_deleted": chunk_set.is_deleted,
        "created_at": chunk_set.created_at,
        "total_items": chunk_set.total_items,
        "total_characters": chunk_set.total_characters,
    }


def _record(row: Row[Any]) -> ChunkSet:
    return ChunkSet(
        chunk_set_version_id=row.chunk_set_version_id,
        project_id=row.project_id,
        segment_set_version_id=row.segment_set_version_id,
        parent_chunk_set_version_id=row.parent_chunk_set_version_id,
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
