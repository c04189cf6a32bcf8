"""Tables of the feed of a project's artifacts, and of what was deleted and restored, by whom and why."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Identity, Index, Table, Text

from shoald.adapters.postgres.tables import metadata

# One row for each project that has artifacts. A trigger counts it up at the end of the transaction that adds one, so
# that the numbers of a project's artifacts have no gaps and its lock is held no longer than a commit takes.
artifact_feeds = Table(
    "artifact_feeds",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("length", BigInteger, nullable=False),
)

# The artifact that stands at an offset from the newest is found by its number. The same trigger fills this table.
artifacts = Table(
    "artifacts",
    metadata,
    Column("project_id", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("artifact_kind", Text, nullable=False),
    Column("artifact_id", Text, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

artifact_events = Table(
    "artifact_events",
    metadata,
    Column("event_no", BigInteger, Identity(), primary_key=True),
    Column("artifact_id", Text, ForeignKey("artifacts.artifact_id"), nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text),
    Column("actor", Text, nullable=False),
    Column("request_id", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("action IN ('deleted', 'restored')", name="action"),
)
Index("ix_artifact_events_of_artifact", artifact_events.c.artifact_id, artifact_events.c.event_no.desc())
