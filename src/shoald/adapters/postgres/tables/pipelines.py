"""The table of pipelines: what each was asked for, and what its finished steps have made."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

pipelines = Table(
    "pipelines",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("document_version_id", Text, nullable=False),
    Column("loader_type", Text, nullable=False),
    Column("loader_params", JSONB, nullable=False),
    Column("chunk_strategy", Text, nullable=False),
    Column("chunker_params", JSONB, nullable=False),
    Column("index_id", Text),
    Column("index_params", JSONB, nullable=False),
    Column("segment_set_version_id", Text),
    Column("chunk_set_version_id", Text),
    Column("index_build_id", Text),
)
