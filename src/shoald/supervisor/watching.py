"""Keeps one part alive: start, readiness, restart with growing pauses, stop; moved on by `tick`, never blocking."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from shoald.supervisor.installation import PartState, process_ticks
from shoald.supervisor.part import Part, nothing_to_do
from shoald.supervisor.processes import PartStartError, RunningPart, log_tail, start_part

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_CALM_SECONDS = 30.0  # a part that lived this long starts again with the first pause
_TRIES_BEFORE_FIRST_READY = 3


class Phase(StrEnum):
    """Where a part is."""

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class WatchedPart:
    """A part and what became of it."""

    def __init__(self, part: Part, log: Path, report: Callable[[str], None]) -> None:
        self.part = part
        self.phase = Phase.NEW
        self.restarts = 0
        self._log = log
        self._report = report
        self._running: RunningPart | None = None
        self._began = 0.0
        self._due = 0.0
        self._pause = _FIRST_PAUSE_SECONDS
        self._was_ready = False
        self._failures_at_start = 0
        self._is_wanted = True
        self._farewell: threading.Thread | None = None

    @property
    def is_up(self) -> bool:
        """Whether those that start after it may start."""
        return self._was_ready

    @property
    def is_down(self) -> bool:
        """Whether those that stop after it may stop."""
        return self.phase in {Phase.NEW, Phase.DONE, Phase.WAITING, Phase.STOPPED}

    def state(self) -> PartState:
        """Return what `shoal status` shows."""
        pid = self._running.pid if self._running and self._running.is_alive() else None
        return PartState(
            name=self.part.name,
            state=self.phase.value,
            address=self.part.address,
            pid=pid,
            started_ticks=process_ticks(pid) if pid else None,
            restarts=self.restarts,
            log=str(self._log),
        )

    def start(self) -> None:
        """Start the process; raises `PartStartError` when it cannot even be prepared."""
        self._began = time.monotonic()
        self._running = start_part(self.part, self._log)
        self.phase = Phase.STARTING

    def tick(self) -> bool:
        """Move on; returns whether something changed. Raises `PartStartError` when the first start is hopeless."""
        before = self.phase
        if self.phase is Phase.STARTING:
            self._tick_starting()
        elif self.phase is Phase.READY:
            self._tick_ready()
        elif self.phase is Phase.WAITING and time.monotonic() >= self._due:
            self.restarts += 1
            self._restart()
        elif self.phase is Phase.STOPPING:
            self._tick_stopping()
        return self.phase is not before

    def _tick_starting(self) -> None:
        running = self._alive_or_none()
        if self.part.ends:
            self._tick_step(running)
        elif running is None:
            self._died()
        elif self.part.is_ready():
            self.phase, self._was_ready = Phase.READY, True
            self._report(f"{self.part.name} ready {self._where()}in {self._age():.1f} s")
        elif self._age() > self.part.ready_seconds:
            running.kill()
            self._died(f"did not answer within {self.part.ready_seconds:.0f} s")

    def _tick_step(self, running: RunningPart | None) -> None:
        if running is not None:
            return
        if self._status() == 0:
            self.phase, self._was_ready = Phase.DONE, True
            self._report(f"{self.part.name} done in {self._age():.1f} s")
        else:
            self._died()

    def _tick_ready(self) -> None:
        if self._alive_or_none() is None:
            self._died()

    def _tick_stopping(self) -> None:
        running = self._alive_or_none()
        if running is None:
            self.phase = Phase.STOPPED
        elif self._farewell is not None:
            if not self._farewell.is_alive():
                self._farewell = None
                self._signal(running)
        elif time.monotonic() > self._due:
            self._report(f"{self.part.name} did not stop within {self.part.stop_seconds:.0f} s and is killed")
            running.kill()
            self.phase = Phase.STOPPED

    def _restart(self) -> None:
        try:
            self.start()
        except PartStartError as error:
            self._died(str(error))

    def _died(self, reason: str | None = None) -> None:
        if not self._is_wanted:
            self.phase = Phase.STOPPED
            return
        reason = reason or f"ended ({_in_words(self._status())})"
        if self.part.awaited and not self._was_ready:
            self._failures_at_start += 1
            if self._failures_at_start >= _TRIES_BEFORE_FIRST_READY:
                raise PartStartError(f"{self.part.name} {reason}\n{log_tail(self._log)}")
        if self.phase is Phase.READY and self._age() > _CALM_SECONDS:
            self._pause = _FIRST_PAUSE_SECONDS
        self._report(f"{self.part.name} {reason}; it starts again in {self._pause:.1f} s (log: {self._log})")
        self._due = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        self.phase = Phase.WAITING

    def retire(self) -> None:
        """Let it run, but start it no more: its end is near."""
        self._is_wanted = False
        if self.phase in {Phase.NEW, Phase.WAITING}:
            self.phase = Phase.STOPPED

    def ask_to_stop(self, *, at_once: bool = False) -> None:
        """Begin the stop; `tick` ends it."""
        if self._running is None or self.is_down:
            self.phase = Phase.STOPPED
            return
        self.phase = Phase.STOPPING
        if at_once:
            self._due = 0.0
        elif self.part.before_stop is nothing_to_do:
            self._signal(self._running)
        else:  # it may take long, and the others go on meanwhile
            self._farewell = threading.Thread(target=self.part.before_stop, name="farewell", daemon=True)
            self._farewell.start()

    def _signal(self, running: RunningPart) -> None:
        running.ask_to_stop()
        self._due = time.monotonic() + self.part.stop_seconds

    def hurry(self) -> None:
        """Give it no more time."""
        self._farewell = None
        self._due = 0.0

    def _alive_or_none(self) -> RunningPart | None:
        return self._running if self._running and self._running.is_alive() else None

    def _status(self) -> int:
        status = self._running.process.returncode if self._running else None
        return 0 if status is None else status

    def _age(self) -> float:
        return time.monotonic() - self._began

    def _where(self) -> str:
        return f"at {self.part.address} " if self.part.address else ""


def _in_words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
