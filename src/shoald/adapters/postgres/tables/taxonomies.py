"""Tables of taxonomies, and of the collections that they are attached to. Nodes are documents of collections."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Double, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")

# The node collection is no foreign key: who deletes it makes the taxonomy unready, not gone.
taxonomies = Table(
    "taxonomies",
    metadata,
    Column("taxonomy_id", Text, primary_key=True),
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id"), nullable=False),
    Column("taxonomy_name", Text, nullable=False),
    Column("description", Text),
    Column("version", Integer, nullable=False),
    Column("config", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("node_collection_id", Text, nullable=False),
    Column("vector_name", Text, nullable=False),
    Column("owns_nodes", Boolean, nullable=False),
    Column("target_field", Text, nullable=False),
    Column("min_score", Double, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
Index("uq_taxonomies_name", taxonomies.c.namespace_id, taxonomies.c.taxonomy_name, unique=True)
Index("ix_taxonomies_newest", taxonomies.c.namespace_id, taxonomies.c.created_at.desc())

taxonomy_applications = Table(
    "taxonomy_applications",
    metadata,
    Column("collection_id", Text, ForeignKey("collections.collection_id", ondelete="CASCADE"), primary_key=True),
    Column("taxonomy_id", Text, ForeignKey("taxonomies.taxonomy_id", ondelete="CASCADE"), primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("config", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
)
Index("ix_taxonomy_applications_taxonomy_id", taxonomy_applications.c.taxonomy_id)
