"""Tables of what follows a run: the collections that it writes, and what is written back into documents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

# Neither a cluster nor a collection is a foreign key: what deletes one sees to these rows, and output outlives its
# cluster where that is asked for.
cluster_outputs = Table(
    "cluster_outputs",
    metadata,
    Column("cluster_id", Text, primary_key=True),
    Column("feature", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
Index("ix_cluster_outputs_collection_id", cluster_outputs.c.collection_id)

enrichments = Table(
    "enrichments",
    metadata,
    Column("enrichment_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("cluster_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("source_collection_ids", JSONB, nullable=False),
    Column("target_collection_id", Text),
    Column("mappings", JSONB, nullable=False),
    Column("partition", Text, nullable=False, server_default=""),
    Column("is_automatic", Boolean, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("enriched", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("batches", Integer, nullable=False, server_default="0"),
    Column("restored", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("undone_at", DateTime(timezone=True)),
    CheckConstraint(
        "status IN ('pending', 'processing', 'completed', 'failed', 'canceled', 'replaced', 'undoing', 'undone')",
        name="status",
    ),
)
Index("ix_enrichments_newest", enrichments.c.cluster_id, enrichments.c.created_at.desc())
Index("ix_enrichments_namespace_id", enrichments.c.namespace_id)

# what was written into each document, and what stood there before: NULL where the document was made by it
enrichment_values = Table(
    "enrichment_values",
    metadata,
    Column("enrichment_id", Text, primary_key=True),
    Column("collection_id", Text, primary_key=True),
    Column("document_id", String(collation="C"), primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("former", JSONB),
    Column("written", JSONB, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
)

# which payload keys of a collection were ever written back; `version` is raised by each change
enriched_collections = Table(
    "enriched_collections",
    metadata,
    Column("collection_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("fields", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("version", BigInteger, nullable=False),
)
