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
_MOST_FIRSTS = 100


@dataclass(frozen=True, kw_only=True)
class JobDispatch:
    """Dispatches jobs; about twice as many are in the queue as there are slots to run them.

    A namespace that has nothing in the queue and nothing at work gets its first job in beyond that and before all
    others: it waits for the next free slot, and not for what others have in the queue.
    """

    moves: JobMoves
    queue: JobQueue

    def offer(self, job: Job) -> None:
        """Dispatch a job just accepted if there is room for it; best effort, never raises."""
        try:
            with self.moves.open_unit_of_work() as uow:
                has_room = _room(uow, job.queue) > 0
                is_first = not uow.jobs.is_at_work(job.queue, job.namespace_id)
            if has_room or is_first:
                self.send(job.job_id, ahead=is_first)
        except Exception as error:  # noqa: BLE001 - the reconciler dispatches what this could not
            log.warning("job %s waits for the scheduler: %s", job.job_id, error)

    def send(self, job_id: str, *, ahead: bool = False) -> bool:
        """Give a waiting job to the queue, before those that are there if `ahead`; say whether the queue has it."""
        moved = self.moves.move(job_id, Dispatched(), skip_locked=True)
        if moved is None:
            return False
        job = moved.job
        try:
            self.queue.enqueue(job.queue, job.job_id, job.dispatch_no, ahead=ahead)
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
        """Dispatch the first jobs of namespaces, and as many others as the window has room for; say how many."""
        with self.moves.open_unit_of_work() as uow:
            firsts = uow.jobs.first_waiting(queue, _MOST_FIRSTS)
            room = _room(uow, queue) - len(firsts)
            # the first ones have the first turns
            others = uow.jobs.next_waiting(queue, room + len(firsts))[len(firsts) :] if room > 0 else []
        # each goes before all others, so the one that came first goes last
        sent = sum(self.send(job_id, ahead=True) for job_id in reversed(firsts))
        return sent + sum(self.send(job_id) for job_id in others)


def _room(uow: UnitOfWork, queue: str) -> int:
    window = max(_SMALLEST_WINDOW, 2 * uow.jobs.slots(queue))
    return window - uow.jobs.queued(queue)
