"""Accepts jobs inside their use case's transaction, sends them to workers or runs them here, and tells how they are."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shoald.application.job_attempts import JobRunner
from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_ends import Unheard
from shoald.application.job_moves import JobMoves
from shoald.application.ports.job_queue import JobEnds
from shoald.application.ports.repositories.jobs import JobFilter, NewJob
from shoald.application.ports.tracing import Tracing
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import (
    Busy,
    DeadlineExceeded,
    Failure,
    IdempotencyConflict,
    InvalidFields,
    JobCanceled,
    JobFailed,
    JobNotFound,
    Unavailable,
)
from shoald.domain.identifiers import new_uuid
from shoald.domain.job_states import TERMINAL
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState, JobType

if TYPE_CHECKING:
    from shoald.application.access import Caller

SHORT_QUEUE = "short"
HEAVY_QUEUE = "heavy"
QUEUES = (SHORT_QUEUE, HEAVY_QUEUE)
_HEAVY = frozenset(
    {
        *(JobType.INDEX_BUILD, JobType.EVALUATION, JobType.COLLECTION_EXPORT, JobType.RUN_HISTORY),
        *(JobType.CLUSTER_RUN, JobType.CLUSTER_SWEEP, JobType.CLUSTER_MAP, JobType.CLUSTER_LABELS),
    }
)

_FOLLOWING = frozenset({JobType.KEYWORD_INDEX})
_FLOOD_SECONDS = 10.0

INLINE_SECONDS = 0.2
_FIRST_POLL_SECONDS = 0.02
_LONGEST_POLL_SECONDS = 0.25
_POLLS_OF_THE_PAST = 8  # a wait is longer than its job by an eighth at most
WATCH_SECONDS = 60.0


def queue_of(job_type: str) -> str:
    """Return the queue in which jobs of a type wait."""
    return HEAVY_QUEUE if job_type in _HEAVY else SHORT_QUEUE


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a use case wants done.

    `estimated_seconds` under 0.2 lets `finish` run the job in the calling process. `limit_seconds` counts from the
    first start. `fingerprint` is what the caller asked for, without ids made by the server: the same idempotency key
    with another fingerprint is refused. `queue` is that of the job's type unless it is given.
    """

    job_type: str
    payload: JsonObject
    caller: Caller
    project_id: str | None = None
    idempotency_key: str | None = None
    fingerprint: JsonObject | None = None
    listed: bool = False
    estimated_seconds: float | None = None
    limit_seconds: float | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class JobNews:
    """A job as it is now; a watch that starts with `token` tells only what comes after."""

    job: Job
    token: str


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """The jobs of this installation, as its use cases see them."""

    moves: JobMoves
    dispatcher: JobDispatch
    runner: JobRunner
    tracing: Tracing
    ends: JobEnds = field(default_factory=Unheard)
    max_failures: int = 3
    read_as_caller: OpenUnitOfWork | None = None
    """How a caller's jobs are read; `moves` sees those of all namespaces."""
    most_queued: int = 10_000

    def accept(self, uow: UnitOfWork, request: JobRequest) -> Job:
        """Store a job in the caller's transaction, beside its domain rows; it exists once that is committed.

        With an idempotency key, ask `accepted_before` first. Raises `Busy` when too many jobs of the namespace wait.
        """
        self._refuse_flood(uow, request)
        marks = self.tracing.current()
        new = NewJob(
            job_id=new_uuid(),
            namespace_id=request.caller.namespace_id,
            project_id=request.project_id,
            job_type=request.job_type,
            queue=request.queue or queue_of(request.job_type),
            listed=request.listed,
            payload=request.payload,
            max_failures=self.max_failures,
            limit_seconds=request.limit_seconds,
            idempotency_key=request.idempotency_key,
            request_hash=_request_hash(request),
            request_id=marks.request_id,
            trace_parent=marks.trace_parent,
        )
        return replace(uow.jobs.add(new), estimated_seconds=request.estimated_seconds)

    def _refuse_flood(self, uow: UnitOfWork, request: JobRequest) -> None:
        """What another job asks for follows from a job that was let in."""
        if request.job_type in _FOLLOWING:
            return
        queue = request.queue or queue_of(request.job_type)
        if uow.jobs.count_waiting(queue, request.caller.namespace_id, at_most=self.most_queued) >= self.most_queued:
            raise Busy(
                f"{self.most_queued} jobs of this namespace wait already; try again when some are done.",
                retry_after_seconds=_FLOOD_SECONDS,
                detail={"limit": self.most_queued},
            )

    def accepted_before(self, uow: UnitOfWork, request: JobRequest) -> Job | None:
        """Return the job that the same idempotency key made before; raises `IdempotencyConflict` when that was
        another request.
        """
        if request.idempotency_key is None:
            return None
        known = uow.jobs.accepted_under(request.caller.namespace_id, request.idempotency_key)
        if known is None:
            return None
        job_id, request_hash = known
        if request_hash != _request_hash(request):
            raise IdempotencyConflict
        return uow.jobs.get(job_id)

    def accepted_once(
        self, open_unit_of_work: OpenUnitOfWork, request: JobRequest, is_good: Callable[[Job], bool] = lambda _: True
    ) -> Job:
        """Return the committed job of a request's idempotency key, one for all that ask the same, at once or later.

        A job that failed, was canceled, or is not `is_good`, which is asked outside of transactions, is done again.
        """
        try:
            return self._found_or_made(open_unit_of_work, request, is_good)
        except Unavailable:  # somebody asks the same at this moment: the job that is made there serves both
            return self._found_or_made(open_unit_of_work, request, is_good)

    def _found_or_made(
        self, open_unit_of_work: OpenUnitOfWork, first: JobRequest, is_good: Callable[[Job], bool]
    ) -> Job:
        request = first
        for again in itertools.count(1):
            with open_unit_of_work() as uow:
                before = self.accepted_before(uow, request)
            if before is None:
                break
            if before.state not in {JobState.FAILED, JobState.CANCELED} and is_good(before):
                return replace(before, estimated_seconds=request.estimated_seconds)
            key = f"{first.idempotency_key}/{again}"  # so that what is done again is one job for all, too
            request = replace(first, idempotency_key=key)
        with open_unit_of_work() as uow:
            job = self.accept(uow, request)
            uow.commit()
        return job

    def dispatch(self, job: Job) -> None:
        """Send a committed job on its way; never raises, since the scheduler does it too."""
        self.dispatcher.offer(job)

    def finish(self, job: Job, deadline: float | None = None, *, is_wanted: Callable[[], bool] | None = None) -> Job:
        """See a committed job to its end and return it: here when it is short, else by a worker.

        Waits at most `deadline` seconds and while `is_wanted`; raises `DeadlineExceeded` then, and the job goes on.
        A job that failed raises the failure that it met.
        """
        until = None if deadline is None else time.monotonic() + deadline
        is_short = job.estimated_seconds is not None and job.estimated_seconds < INLINE_SECONDS
        if not (is_short and self.runner.run(job.job_id, dispatch=True)):
            self.dispatch(job)
        return self._result_of(self._await_end(job.job_id, until, is_wanted or (lambda: True)))

    def _await_end(self, job_id: str, until: float | None, is_wanted: Callable[[], bool]) -> Job:
        job = self._read(job_id)
        if job.state in TERMINAL:
            return job
        began = time.monotonic()
        with self.ends.awaited(job_id) as wait:
            while (job := self._read(job_id)).state not in TERMINAL:
                now = time.monotonic()
                pause = min(max(_FIRST_POLL_SECONDS, (now - began) / _POLLS_OF_THE_PAST), _LONGEST_POLL_SECONDS)
                if (until is not None and now + pause > until) or not is_wanted():
                    message = f"job {job_id} goes on, but was not done before this call's deadline"
                    raise DeadlineExceeded(message, detail={"job_id": job_id})
                wait(pause)
        return job

    def _read(self, job_id: str) -> Job:
        with self.moves.open_unit_of_work() as uow:
            job = uow.jobs.get(job_id)
        if job is None:
            raise JobNotFound(detail={"job_id": job_id})
        return job

    def _result_of(self, job: Job) -> Job:
        if job.state is JobState.FAILED:
            raise failure_of(job)
        if job.state is JobState.CANCELED:
            raise JobCanceled
        return job

    def get(self, caller: Caller, job_id: str, *, project_id: str | None = None) -> Job:
        """Return a job of the caller's namespace (and project)."""
        with self._as_caller() as uow:
            job = uow.jobs.get(job_id)
        is_theirs = job is not None and job.namespace_id == caller.namespace_id
        if job is None or not is_theirs or (project_id is not None and job.project_id != project_id):
            raise JobNotFound(detail={"job_id": job_id})
        return job

    def list(  # noqa: PLR0913 - the filters of both documented lists
        self,
        caller: Caller,
        *,
        project_id: str | None = None,
        job_types: Sequence[str] = (),
        states: Sequence[str] = (),
        listed_only: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """Return a page of the caller's jobs, newest first, and how many there are in all."""
        wanted = JobFilter(
            namespace_id=caller.namespace_id,
            project_id=project_id,
            job_types=job_types,
            states=states,
            listed_only=listed_only,
        )
        with self._as_caller() as uow:
            return uow.jobs.find(wanted, limit=limit, offset=offset), uow.jobs.count(wanted)

    def _as_caller(self) -> UnitOfWork:
        return (self.read_as_caller or self.moves.open_unit_of_work)()

    def queue_position(self, job: Job) -> int | None:
        """Return the place of a waiting job in its queue, from 1; None for one that does not wait."""
        with self.moves.open_unit_of_work() as uow:
            return uow.jobs.position(job.job_id) or None

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """Ask for a job's end: a waiting one has ended on return, a running one within two seconds, an ended one stays
        as it is.
        """
        self.get(caller, job_id)
        self.moves.cancel(job_id)
        return self._read(job_id)

    def watch(
        self,
        caller: Caller,
        job_id: str,
        *,
        token: str | None = None,
        seconds: float = WATCH_SECONDS,
        is_wanted: Callable[[], bool] | None = None,
    ) -> Iterator[JobNews]:
        """Yield the job now and at each change until it has ended; after `seconds` the stream ends, to be continued
        with the last token.
        """
        until = time.monotonic() + seconds
        known = token
        while True:
            job = self.get(caller, job_id)
            news = JobNews(job, _token(job))
            if news.token != known:
                known = news.token
                yield news
            if job.state in TERMINAL or time.monotonic() > until or (is_wanted is not None and not is_wanted()):
                return
            time.sleep(_LONGEST_POLL_SECONDS)


def _request_hash(request: JobRequest) -> bytes:
    asked = request.payload if request.fingerprint is None else request.fingerprint
    text = json.dumps([request.job_type, request.project_id, dict(asked)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).digest()


def _token(job: Job) -> str:
    """Name what a watcher sees: lease renewals change the row, but not this."""
    seen = [job.state, job.attempt, job.cancel_requested, job.progress and (job.progress.stage, job.progress.fraction)]
    return hashlib.sha256(json.dumps([*seen, job.progress and job.progress.message]).encode()).hexdigest()[:16]


def failure_of(job: Job) -> Failure:
    """Return the failure that a failed job met, as it would have been raised by a call that does the work itself."""
    if job.error_code == InvalidFields.code:
        return InvalidFields.field("body", message=job.error_message or "")
    kind = _FAILURES.get(job.error_code or "", JobFailed)
    failure = kind(job.error_message, detail=job.error_detail.get("detail"))
    failure.hint = job.error_detail.get("hint")
    return failure


def _failures_by_code() -> dict[str, type[Failure]]:
    """Return the failure class of each code that a message is enough to build."""
    known: dict[str, type[Failure]] = {}
    waiting: list[type[Failure]] = [Failure]
    while waiting:
        kind = waiting.pop()
        known[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return known


_FAILURES = _failures_by_code()
