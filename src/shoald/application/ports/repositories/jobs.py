"""What the use cases ask of stored jobs; every time here is PostgreSQL's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shoald.domain.job_states import JobEvent, JobRow, Step
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be stored; `request_hash` belongs to `idempotency_key`."""

    job_id: str
    namespace_id: str
    project_id: str | None
    job_type: str
    queue: str
    listed: bool
    payload: JsonObject
    max_failures: int
    limit_seconds: float | None
    idempotency_key: str | None
    request_hash: bytes
    request_id: str | None
    trace_parent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list: of one namespace, and of those all that pass what is set; `payload` is a job's whole one."""

    namespace_id: str
    project_id: str | None = None
    job_types: Sequence[str] = ()
    states: Sequence[str] = ()
    listed_only: bool = False
    payload: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A job that an event has moved: as it is now, how its row was before, and the step between."""

    job: Job
    before: JobRow
    step: Step

    @property
    def entered(self) -> bool:
        """Say whether the job is in another state than before."""
        return self.before.state is not self.step.row.state


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """A running job as those see it who watch over it; `seconds_left` is a guess from its progress."""

    job_id: str
    attempt: int
    worker: str
    cancel_requested: bool
    is_late: bool
    seconds_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """Something that happened to a job, for whoever wants to be told; `event_id` stays the same when it is told
    twice.
    """

    event_no: int
    event_id: str
    kind: str
    job_id: str
    namespace_id: str
    body: JsonObject


class JobRepository(Protocol):
    """Stored jobs."""

    def add(self, new: NewJob) -> Job:
        """Store a job as PENDING with its event and outbox row; raises `Unavailable` when the same idempotency key is
        being stored by another call right now.
        """
        ...

    def accepted_under(self, namespace_id: str, key: str) -> tuple[str, bytes] | None:
        """Return the job id and request hash stored under an idempotency key."""
        ...

    def get(self, job_id: str) -> Job | None:
        """Return a job of any namespace."""
        ...

    def find(self, wanted: JobFilter, *, limit: int | None = None, offset: int = 0) -> list[Job]:
        """Return jobs, newest first."""
        ...

    def count(self, wanted: JobFilter) -> int:
        """Count what `find` would return without limits."""
        ...

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
        """Lock the job, step it by `domain.job_states.step`, store the row, its attempt, event and outbox row.

        None: the event changes nothing, there is no such job, or (`skip_locked`) another transaction has it.
        Raises what `step` raises.
        """
        ...

    def position(self, job_id: str) -> int:
        """Return how many jobs of the same queue wait before this one; 0 when it does not wait."""
        ...

    # What the reconciler asks. Ids only: each is then applied in a transaction of its own.

    def with_expired_lease(self, limit: int) -> list[str]:
        """Return running jobs whose lease has run out."""
        ...

    def past_deadline(self, limit: int) -> list[str]:
        """Return unended jobs whose deadline has passed and that nobody holds."""
        ...

    def to_dispatch_again(self, after: timedelta, limit: int) -> list[str]:
        """Return QUEUED jobs dispatched longer than `after` ago or not known to be in the queue."""
        ...

    def next_waiting(self, queue: str, limit: int) -> list[str]:
        """Return PENDING jobs that may run now: first those of the namespace with least at work, then the oldest."""
        ...

    def count_waiting(self, queue: str, namespace_id: str, *, at_most: int) -> int:
        """Count the PENDING jobs of a namespace in a queue, at most so many of them."""
        ...

    def first_waiting(self, queue: str, limit: int) -> list[str]:
        """Return the oldest due PENDING job of each namespace that has none QUEUED or running there, oldest first."""
        ...

    def is_at_work(self, queue: str, namespace_id: str) -> bool:
        """Say whether a namespace has a job QUEUED or running in a queue."""
        ...

    def queued(self, queue: str) -> int:
        """Count the QUEUED jobs of a queue."""
        ...

    def queues_waiting(self) -> list[str]:
        """Return the queues that have PENDING jobs."""
        ...

    def remove_ended(self, older_than: timedelta, limit: int) -> int:
        """Remove jobs that ended that long ago, and say how many."""
        ...

    def superseded(self, carried: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return those (job id, dispatch number) that no worker needs any more."""
        ...

    # What workers ask.

    def held(self, job_id: str) -> HeldJob | None:
        """Return a running job, without waiting for whoever changes it."""
        ...

    def held_by(self, workers: Sequence[str]) -> list[HeldJob]:
        """Return the running jobs of these workers."""
        ...

    def announce(self, worker_id: str, slots: Mapping[str, int]) -> None:
        """Say that a worker is there, with how many slots for each queue; none: it is gone."""
        ...

    def slots(self, queue: str) -> int:
        """Count the slots for a queue over the workers seen in the last minute."""
        ...

    # The outbox.

    def take_outbox(self, limit: int) -> list[OutboxEvent]:
        """Lock and return events not yet told, oldest first, leaving out those that another relay has."""
        ...

    def mark_relayed(self, event_nos: Sequence[int]) -> None:
        """Note that these events were told."""
        ...

    def remove_relayed(self, older_than: timedelta) -> int:
        """Remove events told that long ago, and say how many."""
        ...
