"""Tables of what happened, and of how far each reader of it has come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Sequence, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables import metadata

# `event_no` is the order of insertion, in which transactions may overtake each other; `sequence` is given to committed
# rows only, by one transaction at a time, and so is the order that readers page by.
events = Table(
    "events",
    metadata,
    Column("event_no", BigInteger, Identity(), primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("sequence", BigInteger, unique=True),
    Column("namespace_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Index("ix_events_unnumbered", "event_no", postgresql_where=text("sequence IS NULL")),
    Index("ix_events_namespace", "namespace_id", "sequence"),
    Index("ix_events_age", "occurred_at", postgresql_where=text("sequence IS NOT NULL")),
)
event_sequence = Sequence("event_sequence", metadata=metadata)

# A reader reads the events of every namespace, so its place belongs to none.
event_readers = Table(
    "event_readers",
    metadata,
    Column("reader", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
