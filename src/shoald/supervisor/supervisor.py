"""Starts the parts of an installation in order, keeps them alive, and stops them in reverse order."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from shoald.supervisor.installation import Installation, State
from shoald.supervisor.log_files import rotate
from shoald.supervisor.part import Part
from shoald.supervisor.processes import PartStartError
from shoald.supervisor.watching import Phase, WatchedPart

_SHORT_NAP, _LONG_NAP = 0.02, 0.5
_ROTATE_EVERY_SECONDS = 5.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where an installation as a whole is found."""

    http: str
    metrics: str


class Supervisor:
    """One run of an installation. One thread starts all parts: a child's life hangs on the thread that forked it."""

    def __init__(
        self, installation: Installation, parts: Sequence[Part], *, addresses: Addresses, report: Callable[[str], None]
    ) -> None:
        self._installation = installation
        self._addresses = addresses
        self._report = report
        self._parts = [WatchedPart(part, installation.logs / f"{part.name}.log", report) for part in parts]
        self._phase = "starting"
        self._message = ""
        self._stops_asked = 0
        self._rotated_at = time.monotonic()

    def run(self) -> int:
        """Start everything and stay until asked to stop; returns the exit status."""
        wake = self._listen_to_signals()
        status = 0
        try:
            self._start(wake)
            self._stay(wake)
        except PartStartError as error:
            self._phase, self._message, status = "failed", str(error), 1
            self._report(str(error))
        self._stop(wake)
        return status

    def _listen_to_signals(self) -> int:
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # wakes the loop up through the pipe
        return reading

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stops_asked += 1

    def _start(self, wake: int) -> None:
        began = time.monotonic()
        self._show()
        while not self._stops_asked:
            self._start_those_that_may()
            self._tick()
            if all(watched.is_up or not watched.part.awaited for watched in self._parts):
                self._phase = "ready"
                self._show()
                self._report(f"ready on {self._addresses.http} in {time.monotonic() - began:.1f} s")
                return
            _nap(wake, _SHORT_NAP)

    def _start_those_that_may(self) -> None:
        startable = self._startable()
        for watched in startable:
            watched.start()
        if startable:
            self._show()

    def _startable(self) -> list[WatchedPart]:
        up = {watched.part.name for watched in self._parts if watched.is_up}
        new = [watched for watched in self._parts if watched.phase is Phase.NEW]
        return [watched for watched in new if up.issuperset(watched.part.after)]

    def _stay(self, wake: int) -> None:
        while not self._stops_asked:
            self._start_those_that_may()
            self._tick()
            calm = all(watched.phase in {Phase.READY, Phase.DONE} for watched in self._parts)
            _nap(wake, _LONG_NAP if calm else _SHORT_NAP)
            self._rotate_logs()

    def _stop(self, wake: int) -> None:
        if self._phase != "failed":
            self._phase = "stopping"
        for watched in self._parts:
            watched.retire()
        self._show()
        hurried = False
        while not all(watched.is_down for watched in self._parts):
            for watched in self._stoppable():
                watched.ask_to_stop()
            self._tick()
            if self._stops_asked > 1 and not hurried:  # asked again: no more patience
                hurried = True
                self._hurry()
            _nap(wake, _SHORT_NAP)
        self._phase = "failed" if self._phase == "failed" else "stopped"
        self._show()
        self._report("stopped")

    def _stoppable(self) -> list[WatchedPart]:
        needed = {name for watched in self._parts if not watched.is_down for name in watched.part.uses}
        live = [watched for watched in self._parts if watched.phase in {Phase.STARTING, Phase.READY}]
        return [watched for watched in live if watched.part.name not in needed]

    def _hurry(self) -> None:
        for watched in self._parts:
            if watched.phase is Phase.STOPPING:
                watched.hurry()
            elif not watched.is_down:
                watched.ask_to_stop(at_once=True)

    def _tick(self) -> None:
        changes = [watched.tick() for watched in self._parts]
        if any(changes):
            self._show()

    def _show(self) -> None:
        self._installation.write_state(
            State(
                state=self._phase,
                pid=os.getpid(),
                http=self._addresses.http,
                metrics=self._addresses.metrics,
                data=str(self._installation.data),
                message=self._message,
                parts=tuple(watched.state() for watched in self._parts),
            )
        )

    def _rotate_logs(self) -> None:
        if time.monotonic() - self._rotated_at > _ROTATE_EVERY_SECONDS:
            self._rotated_at = time.monotonic()
            for log in self._installation.logs.glob("*.log"):
                rotate(log)


def _nap(wake: int, seconds: float) -> None:
    ready, _, _ = select.select([wake], [], [], seconds)
    if ready:
        os.read(wake, 4096)
