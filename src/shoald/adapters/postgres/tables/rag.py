"""Tables of projects, documents, segment and chunk sets, indexes and their builds, stored retrievals."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shoald.adapters.postgres.tables import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")


def _created_at() -> Column[Any]:
    return Column("created_at", DateTime(timezone=True), nullable=False)


def _updated_at() -> Column[Any]:
    return Column("updated_at", DateTime(timezone=True), nullable=False)


def _object(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=_EMPTY_OBJECT)


def _is_deleted() -> Column[bool]:
    return Column("is_deleted", Boolean, nullable=False, server_default=text("false"))


def _is_active() -> Column[bool]:
    return Column("is_active", Boolean, nullable=False, server_default=text("false"))


def _produced() -> tuple[Column[Any], ...]:
    """Where the thing came from, the same columns for everything that is made from something else."""
    return (
        _object("params"),
        _object("input_refs"),
        Column("artifact_uri", Text),
        Column("producer_type", Text, nullable=False),
        Column("producer_version", Text, nullable=False),
    )


def _items(name: str, set_id: str) -> Table:
    """Make the items of segment sets and of chunk sets: immutable, written by COPY, read by ranges of positions.

    They are written in the transaction that adds their set, so no foreign key looks it up for each row; a trigger on
    the sets deletes them.
    """
    return Table(
        name,
        metadata,
        Column(set_id, Text, primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("item_id", Text, nullable=False),
        Column("content", Text, nullable=False),
        Column("metadata", JSONB, nullable=False),
        Column("parent_id", Text),
        Column("level", Integer, nullable=False),
        Column("path", ARRAY(Text), nullable=False),
        Column("type", Text, nullable=False),
        Column("original_format", Text, nullable=False),
    )


projects = Table(
    "projects",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    _object("settings"),
    _created_at(),
    _updated_at(),
)
Index("ix_projects_newest", projects.c.namespace_id, projects.c.created_at.desc(), projects.c.project_id.desc())

documents = Table(
    "documents",
    metadata,
    Column("document_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("filename", Text, nullable=False),
    Column("mime", Text, nullable=False),
    Column("storage_uri", Text, nullable=False),
    _object("metadata"),
    _is_deleted(),
    _created_at(),
    _updated_at(),
)
Index("ix_documents_newest", documents.c.project_id, documents.c.created_at.desc(), documents.c.document_id.desc())

document_versions = Table(
    "document_versions",
    metadata,
    Column("version_id", Text, primary_key=True),
    Column("document_id", Text, ForeignKey("documents.document_id"), nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("mime", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    _object("parser_params"),
    *_produced(),
    Column("status", Text, nullable=False),
    _is_active(),
    _is_deleted(),
    _created_at(),
)
Index(
    "ix_document_versions_newest",
    document_versions.c.document_id,
    document_versions.c.created_at.desc(),
    document_versions.c.version_id.desc(),
)
Index(
    "uq_document_versions_active",
    document_versions.c.document_id,
    unique=True,
    postgresql_where=document_versions.c.is_active,
)
# deleted ones are few, and each search of a joined set asks for them
Index("ix_documents_deleted", documents.c.project_id, postgresql_where=documents.c.is_deleted)
Index("ix_document_versions_deleted", document_versions.c.document_id, postgresql_where=document_versions.c.is_deleted)
# which documents have these bytes now
Index(
    "ix_document_versions_content_hash",
    document_versions.c.content_hash,
    postgresql_where=document_versions.c.is_active,
)
# the garbage collector of objects asks which of them are still named
Index("ix_document_versions_artifact_uri", document_versions.c.artifact_uri)

segment_sets = Table(
    "segment_sets",
    metadata,
    Column("segment_set_version_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("document_version_id", Text, ForeignKey("document_versions.version_id")),
    Column("parent_segment_set_version_id", Text, ForeignKey("segment_sets.segment_set_version_id")),
    *_produced(),
    _is_active(),
    _is_deleted(),
    _created_at(),
    Column("total_items", Integer, nullable=False),
    Column("total_characters", BigInteger, nullable=False),
)
Index(
    "ix_segment_sets_newest",
    segment_sets.c.project_id,
    segment_sets.c.created_at.desc(),
    segment_sets.c.segment_set_version_id.desc(),
)
Index(
    "uq_segment_sets_active_of_version",
    segment_sets.c.document_version_id,
    unique=True,
    postgresql_where=segment_sets.c.is_active & segment_sets.c.document_version_id.is_not(None),
)
Index(
    "uq_segment_sets_active_joined",
    segment_sets.c.project_id,
    unique=True,
    postgresql_where=segment_sets.c.is_active & segment_sets.c.document_version_id.is_(None),
)

segment_items = _items("segment_items", "segment_set_version_id")
# pictures are objects, of which the garbage collector asks whether they are still named
_object_uri = segment_items.c.metadata["object_uri"].astext
Index("ix_segment_items_object_uri", _object_uri, postgresql_where=_object_uri.is_not(None))

chunk_sets = Table(
    "chunk_sets",
    metadata,
    Column("chunk_set_version_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("segment_set_version_id", Text, ForeignKey("segment_sets.segment_set_version_id"), nullable=False),
    Column("parent_chunk_set_version_id", Text, ForeignKey("chunk_sets.chunk_set_version_id")),
    *_produced(),
    _is_active(),
    _is_deleted(),
    _created_at(),
    Column("total_items", Integer, nullable=False),
    Column("total_characters", BigInteger, nullable=False),
)
Index(
    "ix_chunk_sets_newest",
    chunk_sets.c.project_id,
    chunk_sets.c.created_at.desc(),
    chunk_sets.c.chunk_set_version_id.desc(),
)
Index("uq_chunk_sets_active", chunk_sets.c.project_id, unique=True, postgresql_where=chunk_sets.c.is_active)

chunk_items = _items("chunk_items", "chunk_set_version_id")

# the files that a chunk or segment set is searched with; they can be made again from the set
keyword_indexes = Table(
    "keyword_indexes",
    metadata,
    Column("set_id", Text, primary_key=True),
    Column("texts_key", Text, nullable=False),
    Column("texts_sha256", Text, nullable=False),
    Column("texts_bytes", BigInteger, nullable=False),
    Column("words_key", Text, nullable=False),
    Column("words_sha256", Text, nullable=False),
    Column("words_bytes", BigInteger, nullable=False),
    _created_at(),
)

indexes = Table(
    "indexes",
    metadata,
    Column("index_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("index_type", Text, nullable=False),
    _object("config"),
    _object("params"),
    Column("status", Text, nullable=False),
    _is_deleted(),
    _created_at(),
    _updated_at(),
    CheckConstraint("status IN ('created', 'ready')", name="status"),
)
Index("ix_indexes_newest", indexes.c.project_id, indexes.c.created_at.desc(), indexes.c.index_id.desc())

index_builds = Table(
    "index_builds",
    metadata,
    Column("build_id", Text, primary_key=True),
    Column("index_id", Text, ForeignKey("indexes.index_id"), nullable=False),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("chunk_set_version_id", Text, ForeignKey("chunk_sets.chunk_set_version_id"), nullable=False),
    *_produced(),
    _object("manifest"),
    Column("status", Text, nullable=False),
    _is_active(),
    _is_deleted(),
    _created_at(),
    _updated_at(),
    CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed')", name="status"),
    CheckConstraint("NOT is_active OR status = 'succeeded'", name="active_succeeded"),
)
Index(
    "ix_index_builds_newest", index_builds.c.index_id, index_builds.c.created_at.desc(), index_builds.c.build_id.desc()
)
Index("uq_index_builds_active", index_builds.c.index_id, unique=True, postgresql_where=index_builds.c.is_active)

retrieval_runs = Table(
    "retrieval_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("strategy", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("target_type", Text, nullable=False),
    Column("target_id", Text),
    _object("params"),
    _object("results"),
    Column("artifact_uri", Text),
    _is_deleted(),
    _created_at(),
)
Index(
    "ix_retrieval_runs_newest",
    retrieval_runs.c.project_id,
    retrieval_runs.c.created_at.desc(),
    retrieval_runs.c.run_id.desc(),
)
