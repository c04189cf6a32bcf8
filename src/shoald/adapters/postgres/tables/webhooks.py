"""Tables of webhooks, their channels, and what is or was delivered through them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'[]'::jsonb")
_NOW = func.clock_timestamp()

webhooks = Table(
    "webhooks",
    metadata,
    Column("webhook_id", Text, primary_key=True),
    Column("namespace_id", Text, ForeignKey("namespaces.namespace_id"), nullable=False),
    Column("webhook_name", Text, nullable=False),
    Column("event_types", JSONB, nullable=False),
    Column("resource_types", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("hears", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("is_active", Boolean, nullable=False),
    Column("delivery_health", JSONB),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
Index("ix_webhooks_newest", webhooks.c.namespace_id, webhooks.c.created_at.desc(), webhooks.c.webhook_id.desc())

# A channel is a line: one delivery at a time goes through it, under its lease.
webhook_channels = Table(
    "webhook_channels",
    metadata,
    Column("webhook_id", Text, ForeignKey("webhooks.webhook_id", ondelete="CASCADE"), primary_key=True),
    Column("channel_no", Integer, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("configs", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("sealed", LargeBinary),
    Column("lease_no", BigInteger, nullable=False, server_default="0"),
    Column("lease_until", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("resume_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    CheckConstraint("channel IN ('email', 'slack', 'webhook')", name="channel"),
    Index("ix_webhook_channels_leased", "namespace_id", postgresql_where=text("lease_until IS NOT NULL")),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("channel_no", Integer, nullable=False),
    Column("channel", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("event_sequence", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("attempts", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("due_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("finished_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["webhook_id"], ["webhooks.webhook_id"], ondelete="CASCADE"),
    CheckConstraint("status IN ('waiting', 'delivered', 'failed')", name="status"),
    CheckConstraint("(status = 'waiting') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint("(status = 'waiting') = (finished_at IS NULL)", name="finished"),
    Index("uq_webhook_deliveries_event", "webhook_id", "channel_no", "event_id", unique=True),
    Index(
        "ix_webhook_deliveries_waiting",
        "webhook_id",
        "channel_no",
        "event_sequence",
        postgresql_where=text("status = 'waiting'"),
    ),
    Index("ix_webhook_deliveries_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
)
Index(
    "ix_webhook_deliveries_newest",
    webhook_deliveries.c.webhook_id,
    webhook_deliveries.c.created_at.desc(),
    webhook_deliveries.c.delivery_id.desc(),
)
