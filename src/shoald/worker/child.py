"""One slot of a worker: a warm process that takes jobs one after another and runs them under their fence."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from shoald.application.job_attempts import JobRunner
from shoald.application.job_dispatch import JobDispatch
from shoald.application.ports.job_queue import JobDeliveries
from shoald.domain.failures import Unavailable
from shoald.worker.control import BUSY, DRAIN, IDLE, READY, ControlLine, Message

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_PAUSE_SECONDS = 0.3


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def limit_memory(mebibytes: int) -> None:
    """Let this process allocate so much at most; 0 means no limit. Beyond it Python raises MemoryError."""
    if mebibytes > 0:
        size = mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


@dataclass(frozen=True)
class TellParent:
    """Tells the parent what this child works on (`AttemptWatch`)."""

    line: ControlLine

    def started(self, job_id: str, attempt: int) -> None:
        """An attempt begins."""
        self.line.say(BUSY, job_id=job_id, attempt=attempt)

    def ended(self) -> None:
        """It is over."""
        self.line.say(IDLE)


@dataclass(kw_only=True)
class WorkerChild:
    """Warms up, says that it is ready, takes jobs until told to drain."""

    line: ControlLine
    queue: str
    runner: JobRunner
    dispatch: JobDispatch
    deliveries: JobDeliveries
    warm: Callable[[], None]
    draining: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Work until drained; ends at once when the parent is gone."""
        for ignored in (signal.SIGTERM, signal.SIGINT):  # a terminal's Ctrl-C reaches the whole group
            signal.signal(ignored, signal.SIG_IGN)
        self.line.listen(self._obey, lambda: os._exit(1))
        self.warm()
        self.line.say(READY)
        self.deliveries.receive(self._take)

    def _obey(self, message: Message) -> None:
        if message["say"] == DRAIN:
            self.draining.set()
            self.deliveries.stop()

    def _take(self, job_id: str) -> None:
        """Run what arrived; while the database is away there is nothing better to do than to wait for it."""
        while not self.draining.is_set():
            try:
                self.runner.run(job_id)
                self.dispatch.fill(self.queue)
            except Unavailable as error:
                log.warning("cannot take job %s yet: %s", job_id, error.message)
                self.draining.wait(_PAUSE_SECONDS)
                continue
            return
        self._hand_back(job_id)

    def _hand_back(self, job_id: str) -> None:
        try:
            self.dispatch.send(job_id)
        except Unavailable:
            log.warning("job %s waits for the scheduler", job_id)
