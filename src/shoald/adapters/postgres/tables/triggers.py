"""Tables of triggers and of the times that they fired."""

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
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata


def _object(name: str) -> Column[Any]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def _number(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default="0")


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


triggers = Table(
    "triggers",
    metadata,
    Column("trigger_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("cluster_id", Text, ForeignKey("clusters.cluster_id", ondelete="CASCADE"), nullable=False),
    Column("trigger_type", Text, nullable=False),
    _object("schedule_config"),
    _object("changes"),
    Column("status", Text, nullable=False),
    Column("name", Text),
    Column("description", Text),
    _object("execution_config"),
    Column("action_type", Text, nullable=False),
    Column("is_automatic", Boolean, nullable=False, server_default=text("false")),
    _time("anchor_at"),
    _time("due_at", nullable=True),
    _time("last_triggered_at", nullable=True),
    Column("last_execution_job_id", Text),
    _number("execution_count"),
    _number("consecutive_failures"),
    Column("last_execution_status", Text),
    Column("last_execution_error", Text),
    _number("event_counter"),
    Column("event_sequence", BigInteger, nullable=False, server_default="0"),
    _time("last_cooldown_at", nullable=True),
    _object("measured"),
    Column("created_by", Text),
    _time("created_at"),
    _time("updated_at"),
    CheckConstraint("status IN ('active', 'paused', 'disabled', 'failed')", name="status"),
    CheckConstraint("due_at IS NULL OR status = 'active'", name="due"),
    Index("ix_triggers_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_triggers_cluster", "cluster_id"),
    Index("uq_triggers_automatic", "cluster_id", unique=True, postgresql_where=text("is_automatic")),
)
Index("ix_triggers_newest", triggers.c.namespace_id, triggers.c.created_at.desc(), triggers.c.trigger_id.desc())

# The key is what makes a slot fire once, whoever tries.
trigger_firings = Table(
    "trigger_firings",
    metadata,
    Column("trigger_id", Text, ForeignKey("triggers.trigger_id", ondelete="CASCADE"), primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    _time("due_since"),
    _time("fired_for"),
    _time("triggered_at"),
    Column("status", Text, nullable=False),
    Column("job_id", Text),
    Column("run_id", Text),
    _time("completed_at", nullable=True),
    Column("error", Text),
    Column("execution_time_ms", Integer),
    Column("num_clusters", Integer),
    Column("num_documents", Integer),
    CheckConstraint("status IN ('pending', 'completed', 'failed', 'canceled', 'skipped')", name="status"),
    Index("ix_trigger_firings_open", "triggered_at", postgresql_where=text("status = 'pending'")),
    Index("ix_trigger_firings_ended", "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
)
Index(
    "ix_trigger_firings_newest",
    trigger_firings.c.trigger_id,
    trigger_firings.c.triggered_at.desc(),
    trigger_firings.c.slot.desc(),
)
