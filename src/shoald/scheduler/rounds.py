"""Runs passes, each at its own pace, until told to stop; a pass that fails is tried again at its next turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Round:
    """One kind of pass: `run` says how much it did; it comes every `seconds`."""

    name: str
    seconds: float
    run: Callable[[], int]
    due_at: float = 0.0

    def take_turn(self, now: float) -> None:
        """Run if due. What it raises is logged: the database or the queue may be away."""
        if now < self.due_at:
            return
        try:
            done = self.run()
            if done:
                log.info("%s: %d", self.name, done)
        except Exception as error:  # noqa: BLE001 - a scheduler outlives every failure; the next turn tries again
            log.warning("%s failed: %s", self.name, error)
        self.due_at = time.monotonic() + self.seconds


@dataclass(kw_only=True)
class Scheduler:
    """Takes all rounds in turn."""

    rounds: Sequence[Round]
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Go round until `stop`."""
        while not self.stopping.is_set():
            now = time.monotonic()
            for each in self.rounds:
                each.take_turn(now)
            next_due = min(each.due_at for each in self.rounds)
            self.stopping.wait(max(0.0, next_due - time.monotonic()))

    def stop(self) -> None:
        """End after the pass at hand."""
        self.stopping.set()
