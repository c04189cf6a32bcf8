"""Tables of jobs, their attempts and events, the outbox, idempotency keys, and the workers that are there.

The states and their edges are `domain/job_states.py`; what a single row can show to be wrong is forbidden here too.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
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
from shoald.domain.job_states import RUNNING, TERMINAL
from shoald.domain.vocabulary import JobState


def _words(states: frozenset[JobState] | type[JobState]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


_TERMINAL = _words(TERMINAL)
_RUNNING = _words(RUNNING)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    Column("project_id", Text),
    Column("job_type", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("result", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("max_failures", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("run_after", DateTime(timezone=True), nullable=False),
    Column("limit_seconds", Double),
    Column("deadline_at", DateTime(timezone=True)),
    Column("dispatch_no", Integer, nullable=False, server_default="0"),
    Column("dispatched_at", DateTime(timezone=True)),
    Column("worker", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_detail", JSONB),
    Column("progress_stage", Text),
    Column("progress_fraction", Double),
    Column("progress_message", Text),
    Column("request_id", Text),
    Column("trace_parent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint(f"state IN ({_words(JobState)})", name="state"),
    CheckConstraint(
        f"(lease_until IS NOT NULL AND worker IS NOT NULL) = (state IN ({_RUNNING}))"
        " AND (lease_until IS NULL) = (worker IS NULL)",
        name="lease",
    ),
    CheckConstraint(f"(finished_at IS NOT NULL) = (state IN ({_TERMINAL}))", name="finished"),
    CheckConstraint(f"NOT cancel_requested OR state NOT IN ({_TERMINAL}) OR state = 'CANCELED'", name="canceled"),
    CheckConstraint("failures <= max_failures", name="failures"),
    CheckConstraint("progress_fraction BETWEEN 0 AND 1", name="fraction"),
    Index("ix_jobs_waiting", "queue", "namespace_id", "created_at", postgresql_where=text("state = 'PENDING'")),
    Index("ix_jobs_queued", "queue", "dispatched_at", postgresql_where=text("state = 'QUEUED'")),
    Index("ix_jobs_running", "lease_until", postgresql_where=text(f"state IN ({_RUNNING})")),
    Index("ix_jobs_worker", "worker", postgresql_where=text(f"state IN ({_RUNNING})")),
    Index("ix_jobs_project", "project_id", "created_at", postgresql_where=text("listed")),
    Index("ix_jobs_namespace", "namespace_id", "created_at"),
    Index("ix_jobs_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
)

job_attempts = Table(
    "job_attempts",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("message", Text),
    CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
)

job_events = Table(
    "job_events",
    metadata,
    Column("event_no", BigInteger, Identity(), primary_key=True),
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("edge", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Index("ix_job_events_job", "job_id", "event_no"),
    Index("uq_job_events_end", "job_id", unique=True, postgresql_where=text(f"to_state IN ({_TERMINAL})")),
)

outbox = Table(
    "outbox",
    metadata,
    Column("event_no", BigInteger, Identity(), primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("namespace_id", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("relayed_at", DateTime(timezone=True)),
    Index("uq_outbox_end", "job_id", unique=True, postgresql_where=text("kind = 'job.ended'")),
    Index("ix_outbox_waiting", "event_no", postgresql_where=text("relayed_at IS NULL")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("namespace_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("job_id", Text, ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Index("ix_idempotency_keys_job", "job_id"),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)
