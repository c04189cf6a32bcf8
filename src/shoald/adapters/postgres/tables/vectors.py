"""The table of vectors by content: one row per embedder and text, float32 little-endian, never compressed."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text

from shoald.adapters.postgres.tables import metadata

embeddings = Table(
    "embeddings",
    metadata,
    Column("embedder", Text, primary_key=True),
    Column("content_hash", LargeBinary, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
