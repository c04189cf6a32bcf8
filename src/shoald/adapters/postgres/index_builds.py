"""Index builds as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.tables.clusters import collections
from shoald.adapters.postgres.tables.rag import chunk_sets, index_builds, indexes, projects
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.vocabulary import RunStatus

_SEGMENTS = "segment_set_version_id"
# made once: building a statement costs more than sending it
_ONE = (
    select(index_builds)
    .join(projects, projects.c.project_id == index_builds.c.project_id)
    .where(index_builds.c.build_id == bindparam("build_id"), visible(index_builds))
    .where(projects.c.namespace_id == bindparam("namespace_id"))
)
_NAMES = {record: [field.name for field in fields(record)] for record in (IndexBuild, Index, ChunkSet)}
# a build is visible only while its index and its chunk set are
_WITH_PARTS = (
    _ONE.with_only_columns(
        *(index_builds.c[name] for name in _NAMES[IndexBuild]),
        *(indexes.c[name] for name in _NAMES[Index]),
        *(chunk_sets.c[name] for name in _NAMES[ChunkSet]),
    )
    .join(indexes, indexes.c.index_id == index_builds.c.index_id)
    .join(chunk_sets, chunk_sets.c.chunk_set_version_id == index_builds.c.chunk_set_version_id)
)

_SET_ID: BindParameter[str] = bindparam("set_id")
# what the manifest names was indexed: segments, else the chunks of the set
_INDEXED = func.coalesce(index_builds.c.manifest[_SEGMENTS].astext, index_builds.c.chunk_set_version_id)
# the segments of a set come from one chunk set or another: these are few, and found by their own index
_FROM_SET = select(chunk_sets.c.chunk_set_version_id).where(chunk_sets.c.segment_set_version_id == _SET_ID)
_MAY_BE_OVER = (index_builds.c.chunk_set_version_id == _SET_ID) | (index_builds.c.chunk_set_version_id.in_(_FROM_SET))
_COLLECTIONS_OVER = (
    select(collections.c.collection_id)
    .join(index_builds, index_builds.c.index_id == collections.c.index_id)
    .where(_MAY_BE_OVER, _INDEXED == _SET_ID)
    .where(index_builds.c.status == RunStatus.SUCCEEDED, visible(index_builds))
    .group_by(collections.c.collection_id)
    .order_by(collections.c.updated_at.desc(), collections.c.collection_id)
)


class PostgresIndexBuilds:
    """`IndexBuildRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, build: IndexBuild) -> None:
        """Insert a row."""
        self._connection.execute(insert(index_builds).values(**_values(build)))

    def get(self, build_id: str, *, namespace_id: str) -> IndexBuild | None:
        """Read a row that is not deleted, nor what it was made of."""
        row = self._connection.execute(_ONE, {"build_id": build_id, "namespace_id": namespace_id}).one_or_none()
        return _record(row) if row else None

    def chunk_set_of(self, build_id: str) -> str | None:
        """Read one column."""
        is_it = index_builds.c.build_id == build_id
        return self._connection.scalar(select(index_builds.c.chunk_set_version_id).where(is_it))

    def with_parts(self, build_id: str, *, namespace_id: str) -> tuple[IndexBuild, Index, ChunkSet] | None:
        """Read the three rows at once."""
        keys = {"build_id": build_id, "namespace_id": namespace_id}
        row = self._connection.execute(_WITH_PARTS, keys).one_or_none()
        if row is None:
            return None
        values = iter(row)
        # each takes as many values as it has names
        build, index, chunk_set = ({name: next(values) for name in names} for names in _NAMES.values())
        return IndexBuild(**build), Index(**index), ChunkSet(**chunk_set)

    def list(self, index_id: str, *, offset: int, limit: int) -> Sequence[IndexBuild]:
        """Read rows, newest first."""
        statement = (
            select(index_builds)
            .where(index_builds.c.index_id == index_id, visible(index_builds))
            .order_by(index_builds.c.created_at.desc(), index_builds.c.build_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_record(row) for row in self._connection.execute(statement)]

    def set_status(self, build_id: str, status: str, *, at: datetime) -> None:
        """Update a row whose build has not succeeded."""
        self._connection.execute(
            update(index_builds)
            .where(index_builds.c.build_id == build_id, index_builds.c.status != RunStatus.SUCCEEDED)
            .values(status=status, updated_at=at)
        )

    def fail(self, build_id: str, failure: JsonObject, *, at: datetime) -> None:
        """Update a row whose build has not succeeded."""
        refs = index_builds.c.input_refs.op("||", return_type=JSONB)(literal({"failure": dict(failure)}, JSONB))
        self._connection.execute(
            update(index_builds)
            .where(index_builds.c.build_id == build_id, index_builds.c.status != RunStatus.SUCCEEDED)
            .values(status=RunStatus.FAILED, input_refs=refs, updated_at=at)
        )

    def has_failed_since(self, at: datetime) -> bool:
        """Look for one row."""
        failed = (index_builds.c.status == RunStatus.FAILED) & (index_builds.c.updated_at >= at)
        return self._connection.execute(select(index_builds.c.build_id).where(failed).limit(1)).first() is not None

    def states(self, build_ids: Sequence[str]) -> dict[str, tuple[str, JsonObject]]:
        """Read rows by their ids."""
        columns = (index_builds.c.build_id, index_builds.c.status, index_builds.c.manifest)
        statement = select(*columns).where(index_builds.c.build_id.in_(build_ids))
        return {row.build_id: (row.status, row.manifest) for row in self._connection.execute(statement)}

    def collections_over(self, set_id: str) -> Sequence[str]:
        """Look for builds by their chunk set and, where segments were indexed, by what the manifest says."""
        return self._connection.scalars(_COLLECTIONS_OVER, {"set_id": set_id}).all()

    def publish(self, build: IndexBuild) -> None:
        """Move the active mark to a build and store its end."""
        scope = index_builds.c.index_id == build.index_id
        self._connection.execute(update(index_builds).where(scope, index_builds.c.is_active).values(is_active=False))
        self._connection.execute(
            update(index_builds).where(index_builds.c.build_id == build.build_id).values(**_values(build))
        )


def _values(build: IndexBuild) -> dict[str, Any]:
    return {
        "build_id": build.build_id,
        "index_id": build.index_id,
        "project_id": build.project_id,
        "chunk_set_version_id": build.chunk_set_version_id,
        "params": build.params,
        "input_refs": build.input_refs,
        "artifact_uri": build.artifact_uri,
        "manifest": build.manifest,
        "status": build.status,
        "producer_type": build.producer_type,
        "producer_version": build.producer_version,
        "is_active": build.is_active,
        "is_deleted": build.is_deleted,
        "created_at": build.created_at,
        "updated_at": build.updated_at,
    }


def _record(row: Row[Any]) -> IndexBuild:
    return IndexBuild(
        build_id=row.build_id,
        index_id=row.index_id,
        project_id=row.project_id,
        chunk_set_version_id=row.chunk_set_version_id,
        params=row.params,
        input_refs=row.input_refs,
        artifact_uri=row.artifact_uri,
        manifest=row.manifest,
        status=row.status,
        producer_type=row.producer_type,
        producer_version=row.producer_version,
        is_active=row.is_active,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
