"""Runs one attempt of a job: claim, work, publish or end, everything under the attempt's fence.

The same code serves a worker's child and, for jobs of a few milliseconds, the server process itself.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from shoald.application.job_ends import Unheard
from shoald.application.job_moves import JobMoves
from shoald.application.ports.job_queue import JobEnds
from shoald.application.ports.jobs import JobHandler
from shoald.application.ports.tracing import CallMarks, Tracing
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import (
    AttemptsExhausted,
    Broken,
    Busy,
    DeadlineExceeded,
    Failure,
    JobCanceled,
    JobFenced,
    Unavailable,
)
from shoald.domain.job_states import (
    CancelFinished,
    Claimed,
    Completed,
    DeadlinePassed,
    Dispatched,
    FailedForGood,
    Interrupted,
    JobEvent,
    Progressed,
    Renewed,
    backoff,
)
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job, Progress

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.25
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a lease lasts, how often it is renewed, and how often the wish to cancel is looked for."""

    lease: timedelta = timedelta(seconds=30)
    renew_every: timedelta = timedelta(seconds=10)
    look_every: timedelta = timedelta(seconds=0.5)


class AttemptWatch(Protocol):
    """Wants to know what a process works on: a worker's child tells its parent."""

    def started(self, job_id: str, attempt: int) -> None:
        """An attempt begins."""
        ...

    def ended(self) -> None:
        """It is over, however."""
        ...


class Unwatched:
    """Nobody wants to know."""

    def started(self, job_id: str, attempt: int) -> None:
        """Ignore it."""

    def ended(self) -> None:
        """Ignore it."""


class Attempt:
    """The running attempt as its handler sees it (`JobContext`)."""

    def __init__(self, moves: JobMoves, job: Job, terms: Terms, *, shows_progress: bool = True) -> None:
        self._moves = moves
        self._job = job
        self._terms = terms
        self._shows_progress = shows_progress
        self._stop: type[Failure] | None = None
        self._is_publishing = False
        self._progress_at = 0.0
        self._renewed_at = time.monotonic()

    @property
    def job(self) -> Job:
        """The job as it was claimed."""
        return self._job

    @property
    def has_published(self) -> bool:
        """Whether `complete` has been called."""
        return self._is_publishing

    @property
    def is_late(self) -> bool:
        """Whether the job's deadline has passed."""
        return self._stop is DeadlineExceeded

    def check(self) -> None:
        """Raise what stops this attempt."""
        if time.monotonic() - self._renewed_at > self._terms.lease.total_seconds() / 2:
            self.renew()  # no thread does it in a server process
        if self._stop is not None:
            raise self._stop

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        """Store how far the job is, at most four times a second, and check."""
        self.check()
        now = time.monotonic()
        if self._is_publishing or not self._shows_progress or now - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = now
        shown = Progress(stage=stage, fraction=min(max(fraction, 0.0), 1.0), message=message[:_LONGEST_MESSAGE])
        with self._moves.open_unit_of_work() as uow:
            uow.jobs.apply(self._job.job_id, Progressed(self._job.attempt), progress=shown)
            uow.commit()

    def complete(self, uow: UnitOfWork, result: JsonObject, *, with_errors: bool = False) -> None:
        """Mark the job done in the handler's own transaction."""
        self._is_publishing = True
        event = Completed(self._job.attempt, with_errors)
        uow.jobs.apply(self._job.job_id, event, result=result)

    def renew(self) -> None:
        """Renew the lease, unless the attempt's own publication holds the row just now."""
        with self._moves.open_unit_of_work() as uow:
            try:
                event = Renewed(self._job.attempt, self._terms.lease)
                uow.jobs.apply(self._job.job_id, event, skip_locked=True)
            except JobFenced:
                self._stop = JobFenced
                return
            uow.commit()
        self._renewed_at = time.monotonic()

    def look(self) -> None:
        """See whether somebody wants this attempt to stop."""
        if self._is_publishing:
            return
        with self._moves.open_unit_of_work() as uow:
            held = uow.jobs.held(self._job.job_id)
        if held is None or held.attempt != self._job.attempt:
            self._stop = JobFenced
        elif held.cancel_requested:
            self._stop = JobCanceled
        elif held.is_late:
            self._stop = DeadlineExceeded


@contextlib.contextmanager
def _heartbeat(attempt: Attempt, terms: Terms) -> Iterator[None]:
    """Renew and look from a thread of its own while the job runs; a database that is away is no reason to stop."""
    over = threading.Event()

    def beat() -> None:
        renewed = time.monotonic()
        while not over.wait(terms.look_every.total_seconds()):
            try:
                attempt.look()
                if time.monotonic() - renewed >= terms.renew_every.total_seconds():
                    attempt.renew()
                    renewed = time.monotonic()
            except Exception as error:  # noqa: BLE001 - the next beat tries again; the fence guards meanwhile
                log.warning("heartbeat failed: %s", error)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1.0)


@dataclass(kw_only=True)
class JobRunner:
    """Claims jobs and runs them under `worker`'s name."""

    moves: JobMoves
    tracing: Tracing
    worker: str
    terms: Terms = field(default_factory=Terms)
    watch: AttemptWatch = field(default_factory=Unwatched)
    ends: JobEnds = field(default_factory=Unheard)
    has_heartbeat: bool = True

    def run(self, job_id: str, *, dispatch: bool = False) -> Job | None:
        """Claim a job and run it to its end, a retry or a release; None when there was nothing to claim.

        `dispatch` takes a job straight from PENDING, past the queue.
        """
        claim = Claimed(self.worker, self.terms.lease)
        events: tuple[JobEvent, ...] = (Dispatched(), claim) if dispatch else (claim,)
        moved = self.moves.move(job_id, *events)
        if moved is None:
            return None
        job = moved.job
        marks = CallMarks(job.request_id, job.trace_parent)
        self.watch.started(job.job_id, job.attempt)
        try:
            with self.tracing.job_span(f"job {job.job_type}", marks, job_id=job.job_id, attempt=job.attempt):
                self._work(job)
            self.ends.tell(job.job_id)
        finally:
            self.watch.ended()
        return job

    def _work(self, job: Job) -> None:
        # short jobs in a server hold a connection each: none is left for a second one when all are in such jobs
        attempt = Attempt(self.moves, job, self.terms, shows_progress=self.has_heartbeat)
        beating = _heartbeat(attempt, self.terms) if self.has_heartbeat else contextlib.nullcontext()
        with beating:
            end, detail = self._end_of(job, attempt)
        if end is not None:
            self._write(job, end, detail)

    def _end_of(self, job: Job, attempt: Attempt) -> tuple[JobEvent | None, JsonObject | None]:
        """Run the handler and say what its way of ending means for the job."""
        handler: JobHandler | None = self.moves.handlers.get(job.job_type)
        if handler is None:
            return _retry(job, f"this worker does not know {job.job_type} jobs"), None
        try:
            handler.run(attempt)
        except Failure as failure:
            return _after_failure(failure, job, attempt), {"detail": failure.detail, "hint": failure.hint}
        except Exception as error:
            log.exception("attempt %d of job %s failed", job.attempt, job.job_id)
            return _after_surprise(error, job), None
        if attempt.has_published:
            return None, None
        return FailedForGood(job.attempt, Broken.code, "the job's code ended without publishing a result"), None

    def _write(self, job: Job, end: JobEvent, detail: JsonObject | None) -> None:
        """Store the end, trying as long as the lease lasts; after that the reconciler sees to it."""
        give_up = time.monotonic() + self.terms.lease.total_seconds()
        pause = 0.05
        while True:
            try:
                self.moves.move(job.job_id, end, error_detail=detail)
            except JobFenced:
                log.info("attempt %d of job %s had ended before", job.attempt, job.job_id)
            except Exception:
                if time.monotonic() > give_up:
                    log.exception("could not store the end of job %s", job.job_id)
                    return
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            return


def _after_failure(failure: Failure, job: Job, attempt: Attempt) -> JobEvent | None:
    if isinstance(failure, JobFenced):
        log.warning("fenced: attempt %d of job %s was overtaken", job.attempt, job.job_id)
        return None
    if isinstance(failure, JobCanceled):
        return CancelFinished(job.attempt)
    if isinstance(failure, DeadlineExceeded) and attempt.is_late:
        return DeadlinePassed(job.attempt)
    if isinstance(failure, Unavailable | Busy):
        return _retry(job, failure.message, failure.code)
    return FailedForGood(job.attempt, failure.code, failure.message)


def _after_surprise(error: Exception, job: Job) -> JobEvent:
    """Retry: what nobody foresaw may pass. Users see the kind of error only, the log has the rest."""
    if isinstance(error, MemoryError):
        return _retry(job, "the job needs more memory than a worker may use", "out_of_memory")
    return _retry(job, type(error).__name__)


def _retry(job: Job, message: str, final_code: str = AttemptsExhausted.code) -> Interrupted:
    delay = backoff(job.failures + 1, random.random())  # noqa: S311 - spreads retries, keeps no secret
    return Interrupted(job.attempt, "ERROR", message, delay=delay, final_code=final_code)
