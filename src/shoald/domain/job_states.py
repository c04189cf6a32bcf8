"""The life of a job as pure functions: a row's moving part and an event in, the next row and what to record out.

PostgreSQL's adapter and the simulation run this same code; nothing else decides where a job may go. The edges are named
T0 to T11 in `EDGES`; a test draws them, and the database refuses to leave a terminal state besides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from shoald.domain.failures import DeadlineExceeded, JobCanceled, JobFenced
from shoald.domain.vocabulary import ExecutionStatus, JobState, RunStatus

WAITING = frozenset({JobState.PENDING, JobState.QUEUED})
RUNNING = frozenset({JobState.IN_PROGRESS, JobState.PROCESSING})
TERMINAL = frozenset(
    {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS, JobState.FAILED, JobState.CANCELED, JobState.SKIPPED}
)

EDGES = frozenset(
    {(None, JobState.PENDING), (JobState.PENDING, JobState.QUEUED), (JobState.QUEUED, JobState.IN_PROGRESS)}
    | {(JobState.IN_PROGRESS, JobState.PROCESSING), (JobState.PENDING, JobState.SKIPPED)}
    | {(waiting, JobState.CANCELED) for waiting in WAITING}
    | {(waiting, JobState.FAILED) for waiting in WAITING}  # a deadline that passes while the job waits to be retried
    | {(running, JobState.PENDING) for running in RUNNING}
    | {(running, end) for running in RUNNING for end in TERMINAL - {JobState.SKIPPED}}
)
"""Every change of state there is; repeated dispatches and lease renewals change none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """What moves of a job.

    `attempt` is the fence: raised by each claim, never reset. `failures` counts the attempts that crashed, erred or
    lost their lease. `deadline_at` is set by the first claim from `limit_seconds`. `dispatched_at` is None while the
    queue is not known to carry the job.
    """

    state: JobState
    attempt: int = 0
    failures: int = 0
    max_failures: int = 3
    cancel_requested: bool = False
    run_after: datetime
    limit_seconds: float | None = None
    deadline_at: datetime | None = None
    dispatch_no: int = 0
    dispatched_at: datetime | None = None
    worker: str | None = None
    lease_until: datetime | None = None
    finished_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change to store: the row after it, the edge's name, and how the attempt that it ended came out, if it did."""

    row: JobRow
    edge: str
    outcome: str | None = None


# Events. Those of an attempt carry its number: that is the fence.


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The job goes to the queue, for the first time or again."""


@dataclass(frozen=True, slots=True)
class DispatchFailed:
    """The queue did not take dispatch number `dispatch_no`; the next pass tries again."""

    dispatch_no: int


@dataclass(frozen=True, slots=True)
class StillCarried:
    """The queue has dispatch number `dispatch_no` waiting, however long ago it was given."""

    dispatch_no: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """`worker` takes the job for `lease` and becomes its next attempt."""

    worker: str
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Renewed:
    """The attempt is alive and wants its lease for longer."""

    attempt: int
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Progressed:
    """The attempt has a progress to show."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Completed:
    """The attempt publishes its results in the same transaction."""

    attempt: int
    with_errors: bool = False


@dataclass(frozen=True, slots=True)
class FailedForGood:
    """The attempt met a failure that another try would meet again."""

    attempt: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The attempt ended without an end: it erred in a way that may pass, died, or gave its job back.

    `counts` is False for a drain. `delay` is how long the retry waits; `final_code` is the job's error if no try is
    left.
    """

    attempt: int
    outcome: str
    message: str
    counts: bool = True
    delay: timedelta = timedelta(0)
    final_code: str = "attempts_exhausted"


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """Nobody has renewed the lease; the reconciler asks, and only a lease that has run out counts."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The job's time is over; `attempt` is None when the reconciler asks."""

    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A user wants the job stopped."""


@dataclass(frozen=True, slots=True)
class CancelFinished:
    """The attempt has stopped, or was killed, because it was asked to."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """The job need not run."""

    reason: str


JobEvent = (
    Dispatched
    | DispatchFailed
    | StillCarried
    | Claimed
    | Renewed
    | Progressed
    | Completed
    | FailedForGood
    | Interrupted
    | LeaseExpired
    | DeadlinePassed
    | CancelRequested
    | CancelFinished
    | Skipped
)


def first_row(now: datetime, *, max_failures: int = 3, limit_seconds: float | None = None) -> JobRow:
    """Return the row of a job just accepted (T0)."""
    return JobRow(state=JobState.PENDING, run_after=now, max_failures=max_failures, limit_seconds=limit_seconds)


def step(row: JobRow, event: JobEvent, now: datetime) -> Step | None:
    """Return what the event changes, or None when it changes nothing (a duplicate, or too late to matter).

    An attempt that has been overtaken gets `JobFenced`; one that may not complete because a user has canceled it gets
    `JobCanceled`.
    """
    taken: Callable[[JobRow, Any, datetime], Step | None] = _STEPS[type(event)]
    return taken(row, event, now)


def backoff(failures: int, jitter: float) -> timedelta:
    """Return how long the retry after the n-th failure waits: 2^n s and up to one more by `jitter` (0 to 1), at most
    60 s.

    >>> backoff(1, 0.0).total_seconds(), backoff(9, 0.5).total_seconds()
    (2.0, 60.0)
    """
    return timedelta(seconds=min(60.0, 2.0 ** min(failures, 6) + jitter))


def _dispatched(row: JobRow, _event: Dispatched, now: datetime) -> Step | None:
    if row.state not in WAITING or row.run_after > now:
        return None
    edge = "T1" if row.state is JobState.PENDING else "T1'"
    after = replace(row, state=JobState.QUEUED, dispatch_no=row.dispatch_no + 1, dispatched_at=now)
    return Step(row=after, edge=edge)


def _dispatch_failed(row: JobRow, event: DispatchFailed, _now: datetime) -> Step | None:
    if row.state is not JobState.QUEUED or row.dispatch_no != event.dispatch_no:
        return None
    return Step(row=replace(row, dispatched_at=None), edge="T1'")


def _still_carried(row: JobRow, event: StillCarried, now: datetime) -> Step | None:
    if row.state is not JobState.QUEUED or row.dispatch_no != event.dispatch_no:
        return None
    return Step(row=replace(row, dispatched_at=now), edge="T1'")


def _claimed(row: JobRow, event: Claimed, now: datetime) -> Step | None:
    if row.state is not JobState.QUEUED:
        return None
    deadline = row.deadline_at
    if deadline is None and row.limit_seconds is not None:
        deadline = now + timedelta(seconds=row.limit_seconds)
    after = replace(
        row,
        state=JobState.IN_PROGRESS,
        attempt=row.attempt + 1,
        worker=event.worker,
        lease_until=now + event.lease,
        deadline_at=deadline,
    )
    return Step(row=after, edge="T2")


def _hold(row: JobRow, attempt: int) -> None:
    if row.state not in RUNNING or row.attempt != attempt:
        raise JobFenced


def _renewed(row: JobRow, event: Renewed, now: datetime) -> Step | None:
    _hold(row, event.attempt)
    return Step(row=replace(row, lease_until=now + event.lease), edge="T4")


def _progressed(row: JobRow, event: Progressed, _now: datetime) -> Step | None:
    _hold(row, event.attempt)
    edge = "T3" if row.state is JobState.IN_PROGRESS else "T4"
    return Step(row=replace(row, state=JobState.PROCESSING), edge=edge)


def _completed(row: JobRow, event: Completed, now: datetime) -> Step | None:
    _hold(row, event.attempt)
    if row.cancel_requested:
        raise JobCanceled
    end = JobState.COMPLETED_WITH_ERRORS if event.with_errors else JobState.COMPLETED
    return Step(row=_ended(row, end, now), edge="T5", outcome="COMPLETED")


def _failed_for_good(row: JobRow, event: FailedForGood, now: datetime) -> Step | None:
    _hold(row, event.attempt)
    if row.cancel_requested:
        return _canceled(row, now)
    return Step(row=_ended(row, JobState.FAILED, now, event.code, event.message), edge="T6", outcome="ERROR")


def _interrupted(row: JobRow, event: Interrupted, now: datetime) -> Step | None:
    _hold(row, event.attempt)
    return _give_back(row, event, now)


def _lease_expired(row: JobRow, _event: LeaseExpired, now: datetime) -> Step | None:
    if row.state not in RUNNING or row.lease_until is None or row.lease_until > now:
        return None
    message = "the worker stopped renewing its lease"
    delay = timedelta(0) if row.failures == 0 else backoff(row.failures, 0.0)
    return _give_back(row, Interrupted(row.attempt, "INTERRUPTED", message, delay=delay), now)


def _give_back(row: JobRow, event: Interrupted, now: datetime) -> Step:
    if row.cancel_requested:
        return _canceled(row, now)
    failures = row.failures + (1 if event.counts else 0)
    counted = replace(row, failures=failures)
    if event.counts and failures >= row.max_failures:
        message = f"gave up after {failures} failed attempts; the last: {event.message}"
        return Step(row=_ended(counted, JobState.FAILED, now, event.final_code, message), edge="T8", outcome="ERROR")
    if row.deadline_at is not None and row.deadline_at <= now:
        return _out_of_time(counted, now)
    after = replace(
        _released(counted), state=JobState.PENDING, run_after=now + event.delay, error_message=event.message
    )
    return Step(row=after, edge="T7", outcome=event.outcome)


def _deadline_passed(row: JobRow, event: DeadlinePassed, now: datetime) -> Step | None:
    if event.attempt is not None:
        _hold(row, event.attempt)
    if row.state in TERMINAL or row.deadline_at is None or row.deadline_at > now:
        return None
    if row.state in RUNNING and event.attempt is None and row.lease_until is not None and row.lease_until > now:
        return None  # whoever holds it sees its deadline itself, and its parent kills it
    return _canceled(row, now) if row.cancel_requested else _out_of_time(row, now)


def _out_of_time(row: JobRow, now: datetime) -> Step:
    message = DeadlineExceeded().message
    return Step(
        row=_ended(row, JobState.FAILED, now, DeadlineExceeded.code, message),
        edge="T8",
        outcome="INTERRUPTED" if row.state in RUNNING else None,
    )


def _cancel_requested(row: JobRow, _event: CancelRequested, now: datetime) -> Step | None:
    if row.state in TERMINAL or row.cancel_requested:
        return None
    if row.state in WAITING:
        return Step(row=_ended(replace(row, cancel_requested=True), JobState.CANCELED, now), edge="T9")
    return Step(row=replace(row, cancel_requested=True), edge="T10")


def _cancel_finished(row: JobRow, event: CancelFinished, now: datetime) -> Step | None:
    _hold(row, event.attempt)
    return _canceled(row, now) if row.cancel_requested else None


def _canceled(row: JobRow, now: datetime) -> Step:
    return Step(row=_ended(row, JobState.CANCELED, now), edge="T10", outcome="CANCELED")


def _skipped(row: JobRow, event: Skipped, now: datetime) -> Step | None:
    if row.state is not JobState.PENDING:
        return None
    return Step(row=_ended(row, JobState.SKIPPED, now, None, event.reason), edge="T11")


def _released(row: JobRow) -> JobRow:
    return replace(row, worker=None, lease_until=None, dispatched_at=None)


def _ended(row: JobRow, end: JobState, now: datetime, code: str | None = None, message: str | None = None) -> JobRow:
    if end is JobState.CANCELED:
        code, message = JobCanceled.code, JobCanceled().message
    return replace(_released(row), state=end, finished_at=now, error_code=code, error_message=message)


_STEPS: MappingProxyType[type, Callable[[JobRow, Any, datetime], Step | None]] = MappingProxyType(
    {
        Dispatched: _dispatched,
        DispatchFailed: _dispatch_failed,
        StillCarried: _still_carried,
        Claimed: _claimed,
        Renewed: _renewed,
        Progressed: _progressed,
        Completed: _completed,
        FailedForGood: _failed_for_good,
        Interrupted: _interrupted,
        LeaseExpired: _lease_expired,
        DeadlinePassed: _deadline_passed,
        CancelRequested: _cancel_requested,
        CancelFinished: _cancel_finished,
        Skipped: _skipped,
    }
)


def problems(row: JobRow) -> list[str]:
    """Return what is wrong with a row by itself: the invariants that need no other row (I3, I4, I11, I14)."""
    found = []
    if (row.state in RUNNING) != (row.lease_until is not None and row.worker is not None):
        found.append("I3: a lease and a worker belong to a running job, and to no other")
    if (row.state in TERMINAL) != (row.finished_at is not None):
        found.append("I4: finished_at belongs to an ended job, and to no other")
    if row.cancel_requested and row.state in TERMINAL - {JobState.CANCELED}:
        found.append("I11: a canceled job ended otherwise")
    if row.failures > row.max_failures:
        found.append("I14: more failures than allowed")
    return found


# What users see. A job that was running once goes on being shown so while it waits for a retry: nobody sees it go back.


def shown_state(state: JobState, attempt: int) -> JobState:
    """Return the state that the task API shows.

    >>> shown_state(JobState.PENDING, 1).value, shown_state(JobState.PENDING, 0).value
    ('IN_PROGRESS', 'PENDING')
    """
    return JobState.IN_PROGRESS if state in WAITING and attempt > 0 else state


def run_status(state: JobState, attempt: int) -> RunStatus:
    """Return the RAG API's word."""
    shown = shown_state(state, attempt)
    if shown in WAITING:
        return RunStatus.QUEUED
    if shown in RUNNING:
        return RunStatus.RUNNING
    return RunStatus.FAILED if shown in {JobState.FAILED, JobState.CANCELED} else RunStatus.SUCCEEDED


def execution_status(state: JobState, attempt: int) -> ExecutionStatus:
    """Return the word of a cluster execution."""
    shown = shown_state(state, attempt)
    if shown in WAITING:
        return ExecutionStatus.PENDING
    if shown in RUNNING:
        return ExecutionStatus.PROCESSING
    ends = {JobState.FAILED: ExecutionStatus.FAILED, JobState.CANCELED: ExecutionStatus.CANCELED}
    return ends.get(shown, ExecutionStatus.COMPLETED)
