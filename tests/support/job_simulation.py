"""A small world in which jobs run: a clock that we set, a queue that loses and repeats, workers that crash and freeze.

Every change of a job goes through `shoald.domain.job_states.step`, which is what PostgreSQL's adapter calls too. One
seed gives one run, move for move.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shoald.domain.failures import JobCanceled, JobFenced
from shoald.domain.job_states import (
    EDGES,
    RUNNING,
    TERMINAL,
    WAITING,
    CancelFinished,
    CancelRequested,
    Claimed,
    Completed,
    DeadlinePassed,
    Dispatched,
    DispatchFailed,
    FailedForGood,
    Interrupted,
    JobEvent,
    JobRow,
    LeaseExpired,
    Progressed,
    Renewed,
    Skipped,
    backoff,
    execution_status,
    first_row,
    problems,
    run_status,
    step,
)
from shoald.domain.vocabulary import ExecutionStatus, JobState, RunStatus

LEASE = timedelta(seconds=30)
REDISPATCH = timedelta(seconds=30)
_RANKS = {RunStatus.QUEUED: 0, RunStatus.RUNNING: 1, RunStatus.SUCCEEDED: 2, RunStatus.FAILED: 2}
_EXECUTION_RANKS = {ExecutionStatus.PENDING: 0, ExecutionStatus.PROCESSING: 1}


@dataclass
class SimulatedJob:
    """A job's row and all that happened to it."""

    row: JobRow
    states: list[JobState | None] = field(default_factory=lambda: [None, JobState.PENDING])
    attempts: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    ends: int = 0


@dataclass
class SimulatedWorker:
    """A slot: what it believes to be working on, and whether it is frozen."""

    name: str
    job_id: int | None = None
    attempt: int = 0
    is_frozen: bool = False


class Simulation:
    """One run of one seed."""

    def __init__(self, seed: int, *, jobs: int = 8, workers: int = 3, moves: int = 250) -> None:
        self.random = random.Random(seed)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.jobs: dict[int, SimulatedJob] = {}
        self.queue: list[int] = []
        self.workers = [SimulatedWorker(f"w{n}") for n in range(workers)]
        self.most_jobs = jobs
        self.moves = moves
        self.has_faults = True

    def run(self) -> None:
        """Live through random moves with faults, then without any until everything has ended; check all along."""
        actions = self._actions()
        for _ in range(self.moves):
            self.random.choice(actions)()
        while len(self.jobs) < self.most_jobs:
            self._accept()
        self.has_faults = False
        self._settle()
        self._check_ends()

    def _actions(self) -> list[Callable[[], None]]:
        common: list[Callable[[], None]] = [self._accept, self._reconcile, self._deliver, self._work, self._work]
        rare: list[Callable[[], None]] = [self._cancel, self._lose, self._repeat, self._crash, self._freeze, self._wake]
        return [*common, *common, self._tick, self._tick, self._long_tick, *rare, self._skip]

    # time and the queue

    def _tick(self) -> None:
        self.now += timedelta(seconds=self.random.uniform(0.01, 3))

    def _long_tick(self) -> None:
        self.now += timedelta(seconds=self.random.uniform(3, 45))

    def _lose(self) -> None:
        if self.queue and self.random.random() < 0.5:
            self.queue.pop(self.random.randrange(len(self.queue)))
        elif self.random.random() < 0.1:
            self.queue.clear()

    def _repeat(self) -> None:
        if self.queue:
            self.queue.append(self.random.choice(self.queue))

    # users

    def _accept(self) -> None:
        if len(self.jobs) >= self.most_jobs:
            return
        limit = self.random.choice([None, None, None, 60.0, 5.0])
        self.jobs[len(self.jobs)] = SimulatedJob(first_row(self.now, limit_seconds=limit))

    def _some_job(self) -> int | None:
        return self.random.choice(list(self.jobs)) if self.jobs else None

    def _cancel(self) -> None:
        job_id = self._some_job()
        if job_id is not None and self.random.random() < 0.3:
            self._apply(job_id, CancelRequested())

    def _skip(self) -> None:
        job_id = self._some_job()
        if job_id is not None and self.random.random() < 0.1:
            self._apply(job_id, Skipped("nothing new"))

    # the scheduler

    def _reconcile(self) -> None:
        for job_id, job in self.jobs.items():
            self._apply(job_id, LeaseExpired())
            self._apply(job_id, DeadlinePassed())
            row = job.row
            is_lost = row.state is JobState.QUEUED and (
                row.dispatched_at is None or row.dispatched_at < self.now - REDISPATCH
            )
            if row.state is JobState.PENDING or is_lost:
                self._dispatch(job_id)

    def _dispatch(self, job_id: int) -> None:
        if not self._apply(job_id, Dispatched()):
            return
        fate = self.random.random() if self.has_faults else 1.0
        if fate < 0.1:  # the queue refused, and we know
            self._apply(job_id, DispatchFailed(self.jobs[job_id].row.dispatch_no))
        elif fate > 0.2:  # else it was lost on the way, and nobody knows
            self.queue.append(job_id)

    # workers

    def _some_worker(self) -> SimulatedWorker:
        return self.random.choice(self.workers)

    def _crash(self) -> None:
        """Kill a worker's process; its parent usually sees it and writes the end, unless it was killed with it."""
        worker = self._some_worker()
        if worker.job_id is not None and self.random.random() < 0.6:
            self._write(worker, Interrupted(worker.attempt, "INTERRUPTED", "killed"))
        worker.job_id, worker.is_frozen = None, False

    def _freeze(self) -> None:
        self._some_worker().is_frozen = True

    def _wake(self) -> None:
        self._some_worker().is_frozen = False

    def _deliver(self) -> None:
        worker = self._some_worker()
        if worker.job_id is not None or worker.is_frozen or not self.queue:
            return
        job_id = self.queue.pop(0 if self.random.random() < 0.8 else self.random.randrange(len(self.queue)))
        if self._apply(job_id, Claimed(worker.name, LEASE)):
            worker.job_id, worker.attempt = job_id, self.jobs[job_id].row.attempt

    def _work(self) -> None:
        worker = self._some_worker()
        if worker.job_id is None or worker.is_frozen:
            return
        fate = self.random.random()
        attempt = worker.attempt
        delay = backoff(self.jobs[worker.job_id].row.failures + 1, self.random.random())
        if fate < 0.35:
            self._write(worker, Renewed(attempt, LEASE), ends=False)
        elif fate < 0.5:
            self._write(worker, Progressed(attempt), ends=False)
        elif fate < 0.7 or not self.has_faults:
            self._write(worker, Completed(attempt, with_errors=fate < 0.52))
        elif fate < 0.75:
            self._write(worker, FailedForGood(attempt, "invalid", "will never do"))
        elif fate < 0.85:
            self._write(worker, Interrupted(attempt, "ERROR", "may pass", delay=delay))
        elif fate < 0.95:
            self._write(worker, Interrupted(attempt, "INTERRUPTED", "drained", counts=False))
        else:
            self._write(worker, DeadlinePassed(attempt))

    def _write(self, worker: SimulatedWorker, event: JobEvent, *, ends: bool = True) -> None:
        """Apply an attempt's event as a worker does: fenced, it stops; canceled, it says so."""
        assert worker.job_id is not None
        job_id = worker.job_id
        try:
            taken = self._apply(job_id, event)
        except JobFenced:
            worker.job_id = None
            return
        except JobCanceled:
            self._apply(job_id, CancelFinished(worker.attempt))
            worker.job_id = None
            return
        if ends and taken:
            worker.job_id = None

    # the table

    def _apply(self, job_id: int, event: JobEvent) -> bool:
        """Step a job as one transaction, and check everything that one row can show."""
        job = self.jobs[job_id]
        before = job.row
        taken = step(before, event, self.now)
        if taken is None:
            return False
        after = taken.row
        job.row = after
        assert not problems(after), problems(after)
        if isinstance(event, Completed):
            job.results.append(event.attempt)
        if isinstance(event, Claimed):
            job.attempts.append(after.attempt)
        if after.state is not before.state:
            assert (before.state, after.state) in EDGES, (before.state, after.state)
            job.states.append(after.state)
            job.ends += after.state in TERMINAL
        assert after.attempt >= before.attempt
        self._check_forward(before, after)
        return True

    def _check_forward(self, before: JobRow, after: JobRow) -> None:
        """What users see never goes back (I15)."""
        old, new = run_status(before.state, before.attempt), run_status(after.state, after.attempt)
        assert _RANKS[old] <= _RANKS[new], (old, new)
        shown = [execution_status(row.state, row.attempt) for row in (before, after)]
        assert _EXECUTION_RANKS.get(shown[0], 2) <= _EXECUTION_RANKS.get(shown[1], 2), shown

    # the end

    def _settle(self) -> None:
        """Without faults everything ends: in bounded time, not only some day."""
        for worker in self.workers:
            worker.is_frozen = False
        for _ in range(400):
            if all(job.row.state in TERMINAL for job in self.jobs.values()):
                return
            self._reconcile()
            for _ in self.workers:
                self._deliver()
                self._work()
            self._tick()
        left = [job.row for job in self.jobs.values() if job.row.state in WAITING | RUNNING]
        raise AssertionError(f"never ended: {left}")

    def _check_ends(self) -> None:
        """Every job ended once, and its result is there once exactly when it completed."""
        for job in self.jobs.values():
            row = job.row
            done = row.state in {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}
            assert job.ends == 1, job
            assert job.results == ([row.attempt] if done else []), job
            assert job.attempts == list(range(1, row.attempt + 1)), job
