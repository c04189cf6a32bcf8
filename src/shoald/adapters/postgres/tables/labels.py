"""Tables of what language models were asked and said about groups."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

# `questions` are shown as they were asked, with every attempt to have them answered
label_audits = Table(
    "label_audits",
    metadata,
    Column("run_id", Text, ForeignKey("cluster_runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("cluster_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("label", Text),
    Column("error", Text),
    Column("questions", JSONB, nullable=False),
    Column("labelled_at", DateTime(timezone=True), nullable=False),
)
Index("ix_label_audits_namespace_id", label_audits.c.namespace_id)
