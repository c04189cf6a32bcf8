"""The table of vectors by content: one row per embedder and text, float32 little-endian, never compressed."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, LargeBinary, Table, Text, text

from shoald.adapters.postgres.tables import metadata

embeddings = Table(
    "embeddings",
    metadata,
    Column("embedder", Text, primary_key=True),
    Column("content_hash", LargeBinary, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    Column("used_on", Date, nullable=False, server_default=text("CURRENT_DATE")),
)
Index("ix_embeddings_used_on", embeddings.c.used_on)
