"""Jobs in PostgreSQL: each step locks its row, asks `domain.job_states`, and stores row, attempt, event and outbox.

All times come from `clock_timestamp()`, read together with the locked row.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.tables.jobs import idempotency_keys, job_attempts, job_events, jobs, outbox, workers
from shoald.application.ports.repositories.jobs import HeldJob, JobFilter, Moved, NewJob, OutboxEvent
from shoald.domain.failures import Unavailable
from shoald.domain.job_states import RUNNING, TERMINAL, Claimed, JobEvent, JobRow, Step, first_row, step
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job, Progress
from shoald.domain.vocabulary import JobState

_NOW = func.clock_timestamp()
_ROW_FIELDS = tuple(field.name for field in fields(JobRow))
_EVENT_SPACE = uuid.UUID("5a3f1b1e-6f0c-4c52-9d0a-6b0b7f2d9a31")
_SEEN_WITHIN = timedelta(seconds=60)

_HELD = (
    select(
        jobs.c.job_id,
        jobs.c.attempt,
        jobs.c.worker,
        jobs.c.cancel_requested,
        jobs.c.progress_fraction,
        func.coalesce(jobs.c.deadline_at < _NOW, False).label("is_late"),
        func.extract("epoch", _NOW - job_attempts.c.started_at).label("elapsed"),
    )
    .join(job_attempts, and_(job_attempts.c.job_id == jobs.c.job_id, job_attempts.c.attempt == jobs.c.attempt))
    .where(jobs.c.state.in_(RUNNING))
)


def _held(row: Row[Any]) -> HeldJob:
    fraction = row.progress_fraction
    return HeldJob(
        job_id=row.job_id,
        attempt=row.attempt,
        worker=row.worker,
        cancel_requested=row.cancel_requested,
        is_late=row.is_late,
        seconds_left=float(row.elapsed) * (1 - fraction) / fraction if fraction else None,
    )


def read_job(row: Row[Any]) -> Job:
    """Return a stored job as a record."""
    progress = None
    if row.progress_stage is not None:
        progress = Progress(
            stage=row.progress_stage, fraction=row.progress_fraction, message=row.progress_message or ""
        )
    return Job(
        job_id=row.job_id,
        namespace_id=row.namespace_id,
        project_id=row.project_id,
        job_type=row.job_type,
        state=JobState(row.state),
        payload=row.payload,
        result=row.result,
        error_code=row.error_code if JobState(row.state) in TERMINAL else None,
        error_message=row.error_message if JobState(row.state) in TERMINAL else None,
        attempt=row.attempt,
        failures=row.failures,
        cancel_requested=row.cancel_requested,
        listed=row.listed,
        progress=progress,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        error_detail=row.error_detail or {},
        queue=row.queue,
        dispatch_no=row.dispatch_no,
        request_id=row.request_id,
        trace_parent=row.trace_parent,
    )


def _moving_part(row: Row[Any]) -> JobRow:
    values = {name: getattr(row, name) for name in _ROW_FIELDS}
    return JobRow(**{**values, "state": JobState(row.state)})


def _columns(row: JobRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _ROW_FIELDS}
    return {**values, "state": row.state.value}


def _at_work(queue: str, namespace_id: ColumnElement[str]) -> ColumnElement[bool]:
    at_work = [JobState.QUEUED, *RUNNING]
    found = select(jobs.c.job_id).where(
        jobs.c.queue == queue, jobs.c.namespace_id == namespace_id, jobs.c.state.in_(at_work)
    )
    return found.correlate_except(jobs).exists()


class PostgresJobRepository:
    """Jobs of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: NewJob) -> Job:
        """Store a job."""
        now: datetime = self._connection.scalar(select(_NOW))  # type: ignore[assignment] # a time is never NULL
        row = first_row(now, max_failures=new.max_failures, limit_seconds=new.limit_seconds)
        stored = self._connection.execute(
            insert(jobs)
            .values(
                job_id=new.job_id,
                namespace_id=new.namespace_id,
                project_id=new.project_id,
                job_type=new.job_type,
                queue=new.queue,
                listed=new.listed,
                payload=dict(new.payload),
                request_id=new.request_id,
                trace_parent=new.trace_parent,
                created_at=now,
                updated_at=now,
                **_columns(row),
            )
            .returning(jobs)
        ).one()
        if new.idempotency_key is not None:
            self._keep_key(new)
        self._record(new.job_id, None, Step(row=row, edge="T0"), now)
        self._tell("job.accepted", stored)
        return read_job(stored)

    def _keep_key(self, new: NewJob) -> None:
        values = {
            "namespace_id": new.namespace_id,
            "key": new.idempotency_key,
            "request_hash": new.request_hash,
            "job_id": new.job_id,
        }
        try:
            self._connection.execute(insert(idempotency_keys).values(values))
        except IntegrityError as error:
            message = "a call with the same idempotency key is just being accepted; ask again"
            raise Unavailable(message) from error

    def accepted_under(self, namespace_id: str, key: str) -> tuple[str, bytes] | None:
        """Return the job id and request hash under a key."""
        table = idempotency_keys
        found = self._connection.execute(
            select(table.c.job_id, table.c.request_hash).where(table.c.namespace_id == namespace_id, table.c.key == key)
        ).one_or_none()
        return None if found is None else (found.job_id, bytes(found.request_hash))

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        row = self._connection.execute(select(jobs).where(jobs.c.job_id == job_id)).one_or_none()
        return None if row is None else read_job(row)

    def find(self, wanted: JobFilter, *, limit: int | None = None, offset: int = 0) -> list[Job]:
        """Return jobs, newest first."""
        query = _filtered(select(jobs), wanted).order_by(jobs.c.created_at.desc(), jobs.c.job_id)
        return [read_job(row) for row in self._connection.execute(query.limit(limit).offset(offset))]

    def count(self, wanted: JobFilter) -> int:
        """Count them."""
        return self._connection.scalar(_filtered(select(func.count()).select_from(jobs), wanted)) or 0

    def apply(
        self,
        job_id: str,
        event: JobEvent,
        *,
        result: JsonObject | None = None,
        error_detail: JsonObject | None = None,
        progress: Progress | None = None,
        skip_locked: bool = False,
    ) -> Moved | None:
        """Step a job under its row lock."""
        locked = self._connection.execute(
            select(jobs, _NOW.label("now"))
            .where(jobs.c.job_id == job_id)
            .with_for_update(of=jobs, skip_locked=skip_locked)
        ).one_or_none()
        if locked is None:
            return None
        before = _moving_part(locked)
        taken = step(before, event, locked.now)
        if taken is None:
            return None
        values = _columns(taken.row) | _extras(result, error_detail, progress)
        values["updated_at"] = max(locked.now, locked.updated_at)
        stored = self._connection.execute(
            update(jobs).where(jobs.c.job_id == job_id).values(values).returning(jobs)
        ).one()
        self._keep_attempt(job_id, event, taken, locked.now)
        if taken.row.state is not before.state:
            self._record(job_id, before, taken, locked.now)
            if taken.row.state in TERMINAL:
                self._tell("job.ended", stored)
        return Moved(job=read_job(stored), before=before, step=taken)

    def _keep_attempt(self, job_id: str, event: JobEvent, taken: Step, now: datetime) -> None:
        if isinstance(event, Claimed):
            values = {"job_id": job_id, "attempt": taken.row.attempt, "worker": event.worker, "started_at": now}
            self._connection.execute(insert(job_attempts).values(values))
        elif taken.outcome is not None:
            self._connection.execute(
                update(job_attempts)
                .where(job_attempts.c.job_id == job_id, job_attempts.c.attempt == taken.row.attempt)
                .values(ended_at=now, outcome=taken.outcome, message=taken.row.error_message)
            )

    def _record(self, job_id: str, before: JobRow | None, taken: Step, now: datetime) -> None:
        values = {
            "job_id": job_id,
            "at": now,
            "edge": taken.edge,
            "from_state": None if before is None else before.state.value,
            "to_state": taken.row.state.value,
            "attempt": taken.row.attempt,
        }
        self._connection.execute(insert(job_events).values(values))

    def _tell(self, kind: str, row: Row[Any]) -> None:
        event_id = "evt_" + uuid.uuid5(_EVENT_SPACE, f"{kind}:{row.job_id}").hex
        body = {"job_type": row.job_type, "state": row.state, "attempt": row.attempt, "error_code": row.error_code}
        values = {
            "event_id": event_id,
            "kind": kind,
            "job_id": row.job_id,
            "namespace_id": row.namespace_id,
            "body": body,
        }
        self._connection.execute(insert(outbox).values(values))

    def position(self, job_id: str) -> int:
        """Count the waiting jobs before this one, itself included."""
        me = select(jobs.c.queue, jobs.c.created_at, jobs.c.state).where(jobs.c.job_id == job_id).subquery()
        waiting = [JobState.PENDING, JobState.QUEUED]
        query = select(func.count()).select_from(jobs.join(me, jobs.c.queue == me.c.queue))
        query = query.where(me.c.state.in_(waiting), jobs.c.state.in_(waiting), jobs.c.created_at <= me.c.created_at)
        return self._connection.scalar(query) or 0

    def with_expired_lease(self, limit: int) -> list[str]:
        """Return running jobs without a live lease."""
        late = and_(jobs.c.state.in_(RUNNING), jobs.c.lease_until < _NOW)
        return self._ids(select(jobs.c.job_id).where(late).order_by(jobs.c.lease_until).limit(limit))

    def past_deadline(self, limit: int) -> list[str]:
        """Return unended jobs that are late and that nobody holds."""
        unheld = or_(jobs.c.state.in_([JobState.PENDING, JobState.QUEUED]), jobs.c.lease_until < _NOW)
        late = and_(jobs.c.finished_at.is_(None), jobs.c.deadline_at < _NOW, unheld)
        return self._ids(select(jobs.c.job_id).where(late).order_by(jobs.c.deadline_at).limit(limit))

    def to_dispatch_again(self, after: timedelta, limit: int) -> list[str]:
        """Return QUEUED jobs that the queue may have lost."""
        lost = or_(jobs.c.dispatched_at.is_(None), jobs.c.dispatched_at < _NOW - after)
        query = select(jobs.c.job_id).where(jobs.c.state == JobState.QUEUED, lost)
        return self._ids(query.order_by(jobs.c.dispatched_at.nulls_first()).limit(limit))

    def next_waiting(self, queue: str, limit: int) -> list[str]:
        """Return PENDING jobs, fairly over namespaces."""
        at_work = (
            select(jobs.c.namespace_id, func.count().label("n"))
            .where(jobs.c.queue == queue, jobs.c.state.in_([JobState.QUEUED, *RUNNING]))
            .group_by(jobs.c.namespace_id)
            .subquery()
        )
        rank = func.row_number().over(partition_by=jobs.c.namespace_id, order_by=(jobs.c.created_at, jobs.c.job_id))
        turn = (rank + func.coalesce(at_work.c.n, literal(0))).label("turn")
        waiting = (
            select(jobs.c.job_id, jobs.c.created_at, turn)
            .select_from(jobs.outerjoin(at_work, at_work.c.namespace_id == jobs.c.namespace_id))
            .where(jobs.c.queue == queue, jobs.c.state == JobState.PENDING, jobs.c.run_after <= _NOW)
            .subquery()
        )
        return self._ids(
            select(waiting.c.job_id).order_by(waiting.c.turn, waiting.c.created_at, waiting.c.job_id).limit(limit)
        )

    def count_waiting(self, queue: str, namespace_id: str, *, at_most: int) -> int:
        """Count PENDING jobs in their index."""
        waiting = select(jobs.c.created_at).where(
            jobs.c.queue == queue, jobs.c.namespace_id == namespace_id, jobs.c.state == JobState.PENDING
        )
        counted = select(func.count()).select_from(waiting.limit(at_most).subquery())
        return self._connection.scalar(counted) or 0

    def first_waiting(self, queue: str, limit: int) -> list[str]:
        """Return the oldest PENDING job of each namespace that is not at work."""
        mine = jobs.alias()
        waiting = (
            select(mine.c.job_id, mine.c.created_at)
            .distinct(mine.c.namespace_id)
            .where(mine.c.queue == queue, mine.c.state == JobState.PENDING, mine.c.run_after <= _NOW)
            .where(not_(_at_work(queue, mine.c.namespace_id)))
            .order_by(mine.c.namespace_id, mine.c.created_at, mine.c.job_id)
            .subquery()
        )
        return self._ids(select(waiting.c.job_id).order_by(waiting.c.created_at, waiting.c.job_id).limit(limit))

    def is_at_work(self, queue: str, namespace_id: str) -> bool:
        """Look for a job QUEUED or running."""
        return bool(self._connection.scalar(select(_at_work(queue, literal(namespace_id)))))

    def queued(self, queue: str) -> int:
        """Count the QUEUED jobs of a queue."""
        query = select(func.count()).select_from(jobs).where(jobs.c.queue == queue, jobs.c.state == JobState.QUEUED)
        return self._connection.scalar(query) or 0

    def queues_waiting(self) -> list[str]:
        """Return the queues with PENDING jobs."""
        return self._ids(select(jobs.c.queue).distinct().where(jobs.c.state == JobState.PENDING))

    def remove_ended(self, older_than: timedelta, limit: int) -> int:
        """Remove jobs that ended long ago."""
        old = select(jobs.c.job_id).where(jobs.c.finished_at < _NOW - older_than).limit(limit)
        return self._connection.execute(delete(jobs).where(jobs.c.job_id.in_(old))).rowcount

    def superseded(self, carried: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return entries that are not the present dispatch of a waiting or running job."""
        ids = {job_id for job_id, _ in carried}
        query = select(jobs.c.job_id, jobs.c.dispatch_no).where(jobs.c.job_id.in_(ids), jobs.c.finished_at.is_(None))
        present = {(row.job_id, row.dispatch_no) for row in self._connection.execute(query)}
        return [entry for entry in carried if entry not in present]

    def held(self, job_id: str) -> HeldJob | None:
        """Return a running job."""
        row = self._connection.execute(_HELD.where(jobs.c.job_id == job_id)).one_or_none()
        return None if row is None else _held(row)

    def held_by(self, workers: Sequence[str]) -> list[HeldJob]:
        """Return the running jobs of these workers."""
        return [_held(row) for row in self._connection.execute(_HELD.where(jobs.c.worker.in_(workers)))]

    def announce(self, worker_id: str, slots: Mapping[str, int]) -> None:
        """Keep a worker's slots."""
        if not slots:
            self._connection.execute(delete(workers).where(workers.c.worker_id == worker_id))
            return
        rows = [{"worker_id": worker_id, "queue": queue, "slots": n} for queue, n in slots.items()]
        new = upsert(workers).values(rows)
        self._connection.execute(
            new.on_conflict_do_update(
                index_elements=[workers.c.worker_id, workers.c.queue],
                set_={"slots": new.excluded.slots, "seen_at": _NOW},
            )
        )
        self._connection.execute(delete(workers).where(workers.c.seen_at < _NOW - 60 * _SEEN_WITHIN))

    def slots(self, queue: str) -> int:
        """Count live slots."""
        query = select(func.coalesce(func.sum(workers.c.slots), 0))
        return self._connection.scalar(
            query.where(workers.c.queue == queue, workers.c.seen_at > _NOW - _SEEN_WITHIN)
        ) or 0  # fmt: skip

    def take_outbox(self, limit: int) -> list[OutboxEvent]:
        """Lock and return events not yet told."""
        query = select(outbox).where(outbox.c.relayed_at.is_(None)).order_by(outbox.c.event_no).limit(limit)
        rows = self._connection.execute(query.with_for_update(skip_locked=True))
        return [
            OutboxEvent(
                event_no=row.event_no,
                event_id=row.event_id,
                kind=row.kind,
                job_id=row.job_id,
                namespace_id=row.namespace_id,
                body=row.body,
            )
            for row in rows
        ]

    def mark_relayed(self, event_nos: Sequence[int]) -> None:
        """Note that events were told."""
        self._connection.execute(update(outbox).where(outbox.c.event_no.in_(event_nos)).values(relayed_at=_NOW))

    def remove_relayed(self, older_than: timedelta) -> int:
        """Remove events told long ago."""
        return self._connection.execute(delete(outbox).where(outbox.c.relayed_at < _NOW - older_than)).rowcount

    def _ids(self, query: Select[tuple[str]]) -> list[str]:
        return list(self._connection.scalars(query))


def _filtered(query: Select[Any], wanted: JobFilter) -> Select[Any]:
    query = query.where(jobs.c.namespace_id == wanted.namespace_id)
    if wanted.project_id is not None:
        query = query.where(jobs.c.project_id == wanted.project_id)
    if wanted.job_types:
        query = query.where(jobs.c.job_type.in_(wanted.job_types))
    if wanted.states:
        query = query.where(jobs.c.state.in_(wanted.states))
    if wanted.payload is not None:
        query = query.where(jobs.c.payload == literal(dict(wanted.payload), JSONB))
    return query.where(jobs.c.listed) if wanted.listed_only else query


def _extras(result: JsonObject | None, error_detail: JsonObject | None, progress: Progress | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if result is not None:
        values["result"] = dict(result)
    if error_detail is not None:
        values["error_detail"] = dict(error_detail)
    if progress is not None:
        values["progress_stage"] = progress.stage
        values["progress_fraction"] = progress.fraction
        values["progress_message"] = progress.message
    return values
