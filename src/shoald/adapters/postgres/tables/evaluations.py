"""The table of evaluations."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

evaluations = Table(
    "evaluations",
    metadata,
    Column("evaluation_id", Text, primary_key=True),
    Column("project_id", Text, ForeignKey("projects.project_id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("params", JSONB, nullable=False),
    Column("questions", JSONB, nullable=False),
    Column("question_count", Integer, nullable=False),
    Column("results", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("artifact_uri", Text),
    Column("error_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed')", name="status"),
)
Index(
    "ix_evaluations_newest",
    evaluations.c.project_id,
    evaluations.c.created_at.desc(),
    evaluations.c.evaluation_id.desc(),
)
