"""Heals what went astray: expired leases, lost dispatches, passed deadlines; reads the table, trusts no event.

Any number of these may run: each job is stepped under its own row lock, and what another one holds is skipped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_moves import JobMoves
from shoald.application.ports.repositories.jobs import Moved, OutboxEvent
from shoald.domain.failures import Unavailable
from shoald.domain.job_states import DeadlinePassed, JobEvent, LeaseExpired
from shoald.domain.vocabulary import JobState

log = logging.getLogger(__name__)

_BATCH = 200
_BATCHES_REMOVED = 50
"""In a pass at most, so that the scheduler's other rounds wait no longer than seconds for it."""


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """One pass after another puts every job back on its way."""

    moves: JobMoves
    dispatch: JobDispatch
    redispatch_after: timedelta = timedelta(seconds=30)

    def run_pass(self) -> int:
        """Do all that is due, and say how many jobs moved."""
        moved = self._expire() + self._stop_late()
        try:
            return moved + self._dispatch()
        except Unavailable as error:
            log.warning("the queue does not answer, jobs wait: %s", error.message)
            return moved

    def _expire(self) -> int:
        with self.moves.open_unit_of_work() as uow:
            expired = uow.jobs.with_expired_lease(_BATCH)
        moved = [self._moved(job_id, LeaseExpired()) for job_id in expired]
        for move in moved:
            if move is not None:
                log.warning("job %s lost its worker and is now %s", move.job.job_id, move.job.state)
        return sum(move is not None for move in moved)

    def _stop_late(self) -> int:
        with self.moves.open_unit_of_work() as uow:
            late = uow.jobs.past_deadline(_BATCH)
        return sum(self._moved(job_id, DeadlinePassed()) is not None for job_id in late)

    def _moved(self, job_id: str, event: JobEvent) -> Moved | None:
        """Move one; what goes wrong with it does not keep others waiting, unless it is the database that is away."""
        try:
            return self.moves.move(job_id, event, skip_locked=True)
        except Unavailable:
            raise
        except Exception:
            log.exception("job %s could not be moved on; the next pass tries again", job_id)
            return None

    def _dispatch(self) -> int:
        with self.moves.open_unit_of_work() as uow:
            lost = uow.jobs.to_dispatch_again(self.redispatch_after, _BATCH)
            queues = uow.jobs.queues_waiting()
        for job_id in lost:
            self.dispatch.send_again(job_id)
        return len(lost) + sum(self.dispatch.fill(queue) for queue in queues)


@dataclass(frozen=True, kw_only=True)
class OutboxRelay:
    """Tells each event of the outbox to whoever listens, at least once, under an id that stays the same."""

    moves: JobMoves
    tell: Callable[[OutboxEvent], None]

    def run_pass(self) -> int:
        """Tell what is new, and say how much."""
        with self.moves.open_unit_of_work() as uow:
            events = uow.jobs.take_outbox(_BATCH)
            for event in events:
                self.tell(event)
            if events:
                uow.jobs.mark_relayed([event.event_no for event in events])
                uow.commit()
        return len(events)


@dataclass(frozen=True, kw_only=True)
class JobSweep:
    """Removes what nobody needs any more: old ended jobs, told events, and entries that the queue forgot to forget."""

    moves: JobMoves
    dispatch: JobDispatch
    queues: Sequence[str]
    keep_jobs: timedelta = timedelta(days=30)
    keep_events: timedelta = timedelta(days=7)

    def run_pass(self) -> int:
        """Remove some batches, and say how much."""
        removed = self._remove_ended()
        with self.moves.open_unit_of_work() as uow:
            removed += uow.jobs.remove_relayed(self.keep_events)
            uow.commit()
        try:
            return removed + self._sweep_queue()
        except Unavailable:
            return removed

    def _remove_ended(self) -> int:
        removed = 0
        for _ in range(_BATCHES_REMOVED):
            with self.moves.open_unit_of_work() as uow:
                some = uow.jobs.remove_ended(self.keep_jobs, _BATCH)
                uow.commit()
            removed += some
            if some < _BATCH:
                break
        return removed

    def _sweep_queue(self) -> int:
        carried = self.dispatch.queue.stale(self.queues)
        with self.moves.open_unit_of_work() as uow:
            useless = uow.jobs.superseded(carried)
        self.dispatch.queue.forget(self.queues, useless)
        return len(useless)


def log_event(event: OutboxEvent) -> None:
    """Tell an event to the log, its parts as fields of their own."""
    level = logging.WARNING if event.body.get("state") == JobState.FAILED else logging.INFO
    log.log(level, "%s", event.kind, extra={"job_id": event.job_id, **event.body})
