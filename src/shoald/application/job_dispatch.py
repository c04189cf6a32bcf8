"""Brings waiting jobs to the queue, a few at a time: the backlog stays in PostgreSQL and is picked from fairly."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shoald.application.job_moves import JobMoves
from shoald.application.ports.job_queue import JobQueue
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import Unavailable
from shoald.domain.job_states import Dispatched, DispatchFailed, StillCarried
from shoald.domain.records.job import Job

log = logging.getLogger(__name__)

_SMALLEST_WINDOW = 4


@dataclass(frozen=True, kw_only=True)
class JobDispatch:
    """Dispatches jobs; about twice as many are in the queue as there are slots to run them."""

    moves: JobMoves
    queue: JobQueue

    def offer(self, job: Job) -> None:
        """Dispatch a job just accepted if the window has room; best effort, never raises."""
        try:
            with self.moves.open_unit_of_work() as uow:
                has_room = _room(uow, job.queue) > 0
            if has_room:
                self.send(job.job_id)
        except Exception as error:  # noqa: BLE001 - the reconciler dispatches what this could not
            log.warning("job %s waits for the scheduler: %s", job.job_id, error)

    def send(self, job_id: str) -> bool:
        """Give a waiting job to the queue, now; say whether the queue has it."""
        moved = self.moves.move(job_id, Dispatched(), skip_locked=True)
        if moved is None:
            return False
        job = moved.job
        try:
            self.queue.enqueue(job.queue, job.job_id, job.dispatch_no)
        except Unavailable:
            self.moves.move(job_id, DispatchFailed(job.dispatch_no))
            raise
        return True

    def send_again(self, job_id: str) -> None:
        """Give a job to the queue again, unless it still waits there."""
        with self.moves.open_unit_of_work() as uow:
            job = uow.jobs.get(job_id)
        if job is None:
            return
        if self.queue.carries(job.queue, job_id, job.dispatch_no):
            self.moves.move(job_id, StillCarried(job.dispatch_no), skip_locked=True)
        else:
            self.send(job_id)

    def fill(self, queue: str) -> int:
        """Dispatch as many waiting jobs of a queue as its window has room for, and say how many."""
        with self.moves.open_unit_of_work() as uow:
            room = _room(uow, queue)
            chosen = uow.jobs.next_waiting(queue, room) if room > 0 else []
        return sum(self.send(job_id) for job_id in chosen)


def _room(uow: UnitOfWork, queue: str) -> int:
    window = max(_SMALLEST_WINDOW, 2 * uow.jobs.slots(queue))
    return window - uow.jobs.queued(queue)
