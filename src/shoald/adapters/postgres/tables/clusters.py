"""Tables of namespaces, collections, documents and their vectors, clusters and their runs.

Ids that users choose compare as bytes (collation "C"), so that pages and snapshots have the same order everywhere.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'[]'::jsonb")


def _object(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=_EMPTY_OBJECT)


def _list(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=_EMPTY_LIST)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


namespaces = Table(
    "namespaces",
    metadata,
    Column("namespace_id", Text, primary_key=True),
    Column("namespace_name", Text, nullable=False, unique=True),
    Column("description", Text),
    Column("mode", Text, nullable=False),
    _list("vector_configs"),
    _list("payload_indexes"),
    _time("created_at"),
    _time("updated_at"),
    CheckConstraint("mode IN ('managed', 'standalone')", name="mode"),
)

collections = Table(
    "collections",
    metadata,
    Column("collection_id", Text, primary_key=True),
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id"), nullable=False),
    Column("collection_name", Text, nullable=False),
    Column("description", Text),
    Column("index_id", Text, unique=True),
    Column("index_build_id", Text),
    _list("vector_configs"),
    _object("metadata"),
    _object("source"),
    _object("feature_extractor"),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("document_count", Integer, nullable=False, server_default="0"),
    _time("created_at"),
    _time("updated_at"),
    Index("uq_collections_namespace_id_collection_name", "namespace_id", "collection_name", unique=True),
)

# Both tables that follow name a collection without a foreign key, which is looked up for each row: a sixth of the time
# of an index build. Who writes documents holds the collection's row, and what deletes a collection deletes them.
collection_documents = Table(
    "collection_documents",
    metadata,
    Column("collection_id", Text, primary_key=True),
    Column("document_id", String(collation="C"), primary_key=True),
    Column("payload", JSONB, nullable=False),
    _time("created_at"),
    _time("updated_at"),
)

document_vectors = Table(
    "document_vectors",
    metadata,
    Column("collection_id", Text, primary_key=True),
    Column("vector_name", Text, primary_key=True),
    Column("document_id", String(collation="C"), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

upsert_keys = Table(
    "upsert_keys",
    metadata,
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("answer", JSONB, nullable=False),
    _time("created_at"),
)

clusters = Table(
    "clusters",
    metadata,
    Column("cluster_id", Text, primary_key=True),
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id"), nullable=False),
    Column("cluster_name", Text, nullable=False),
    Column("description", Text),
    Column("cluster_type", Text, nullable=False),
    _list("collection_ids"),
    _object("definition"),
    _object("metadata"),
    Column("last_run_id", Text),
    _time("created_at"),
    _time("updated_at"),
    Index("uq_clusters_namespace_id_cluster_name", "namespace_id", "cluster_name", unique=True),
)
Index("ix_clusters_newest", clusters.c.namespace_id, clusters.c.created_at.desc(), clusters.c.cluster_id.desc())

cluster_runs = Table(
    "cluster_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("cluster_id", Text, ForeignKey("clusters.cluster_id", ondelete="CASCADE"), nullable=False),
    Column("namespace_id", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("mode", Text, nullable=False),
    _object("overrides"),
    Column("num_clusters", Integer, nullable=False, server_default="0"),
    Column("num_points", Integer, nullable=False, server_default="0"),
    _object("metrics"),
    _object("effective"),
    _object("revisions"),
    _object("artifacts"),
    _list("centroids"),
    _list("lineage"),
    Column("error_code", Text),
    Column("error_message", Text),
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("completed_at", nullable=True),
    Column("run_name", Text),
    _object("label_overrides"),
    CheckConstraint("status IN ('pending', 'processing', 'completed', 'failed', 'canceled')", name="status"),
    CheckConstraint("(completed_at IS NOT NULL) = (status IN ('completed', 'failed', 'canceled'))", name="completed"),
)
Index(
    "ix_cluster_runs_newest", cluster_runs.c.cluster_id, cluster_runs.c.created_at.desc(), cluster_runs.c.run_id.desc()
)
Index("ix_cluster_runs_job_id", cluster_runs.c.job_id)

# what of deleted clusters stays in the object store
kept_artifacts = Table(
    "kept_artifacts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("cluster_id", Text, nullable=False),
    _object("artifacts"),
    _time("created_at"),
    Index("ix_kept_artifacts_namespace_id", "namespace_id"),
)
