"""Writes the end of attempts whose process is gone, under those attempts' fences, as soon as the database takes it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_moves import JobMoves
from shoald.application.ports.repositories.jobs import HeldJob
from shoald.domain.failures import JobFenced, Unavailable
from shoald.domain.job_states import DeadlinePassed, Interrupted, JobEvent
from shoald.domain.vocabulary import JobState

log = logging.getLogger(__name__)

CANCEL = "cancel"
DEADLINE = "deadline"
FENCED = "fenced"
DRAINED = "drained"
DIED = "died"
STRAY = "stray"

_WITHOUT_FAULT = frozenset({DRAINED, STRAY})


@dataclass(frozen=True, slots=True)
class Grave:
    """A child that is gone: the name under which it held jobs, why, and how it ended."""

    worker: str
    why: str
    words: str


@dataclass(kw_only=True)
class Burials:
    """The graves not yet seen to; `moves` takes their jobs on."""

    moves: JobMoves
    dispatch: JobDispatch
    open_graves: list[Grave] = field(default_factory=list)

    def dig(self, grave: Grave) -> None:
        """Note a grave and try at once to see to it."""
        self.open_graves.append(grave)
        self.work()

    def work(self) -> None:
        """See to every grave that the database lets us see to; the others stay open."""
        still_open = []
        for grave in self.open_graves:
            try:
                self._settle(grave)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round tries again, and the lease ends
                log.warning("cannot end the jobs of %s yet: %s", grave.worker, error)
                still_open.append(grave)
        self.open_graves = still_open

    def _settle(self, grave: Grave) -> None:
        with self.moves.open_unit_of_work() as uow:
            held = uow.jobs.held_by([grave.worker])
        for job in held:
            self.end(job, grave.why, grave.words)

    def end(self, job: HeldJob, why: str, words: str) -> None:
        """Write an attempt's end, and have the job tried again at once where that is due."""
        try:
            moved = self.moves.move(job.job_id, _end(job, why, words))
        except JobFenced:
            return
        if moved is None or moved.job.state is not JobState.PENDING:
            return
        try:
            self.dispatch.send(job.job_id)
        except Unavailable:
            log.warning("job %s waits for the scheduler", job.job_id)


def _end(job: HeldJob, why: str, words: str) -> JobEvent:
    if why == DEADLINE:
        return DeadlinePassed(job.attempt)
    message = f"the worker process ended {words}"
    return Interrupted(job.attempt, "INTERRUPTED", message, counts=why not in _WITHOUT_FAULT)
