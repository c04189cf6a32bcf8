"""The table of vectors by content: one row per embedder and text, float32 little-endian, never compressed."""

from __future__ import annotations

from sqlalchemy import DDL, Column, LargeBinary, Table, Text, event

from shoald.adapters.postgres.tables import metadata

embeddings = Table(
    "embeddings",
    metadata,
    Column("embedder", Text, primary_key=True),
    Column("content_hash", LargeBinary, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

event.listen(
    embeddings,
    "after_create",
    DDL("ALTER TABLE embeddings ALTER COLUMN vector SET STORAGE EXTERNAL"),  # type: ignore[no-untyped-call]
)
