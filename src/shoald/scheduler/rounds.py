"""Runs passes, each at its own pace, until told to stop; a pass that fails is tried again at its next turn.

Rounds of one lane take turns in one thread. Lanes wait for nothing of one another's, so that a pass that takes long
(a host that hangs, a sweep over everything) delays those of its own lane alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3.0
"""How long a stop waits for the passes under way."""


@dataclass(kw_only=True)
class Round:
    """One kind of pass: `run` says how much it did; it comes every `seconds`, by turns with those of its `lane`."""

    name: str
    seconds: float
    run: Callable[[], int]
    lane: str = ""
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
    """Goes round each lane in a thread of its own."""

    rounds: Sequence[Round]
    patience_seconds: float = PATIENCE_SECONDS
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Go round until `stop`, then wait a moment for the passes under way.

        The others are given up with the process: a pass may be killed at any point, and somebody does it again.
        """
        # daemons, since the interpreter waits for all others before it ends
        threads = [
            threading.Thread(target=self._go_round, args=(lane,), name=lane[0].lane or "rounds", daemon=True)
            for lane in self._lanes()
        ]
        for each in threads:
            each.start()
        self.stopping.wait()
        deadline = time.monotonic() + self.patience_seconds
        for each in threads:
            each.join(max(0.0, deadline - time.monotonic()))

    def _lanes(self) -> list[list[Round]]:
        lanes: dict[str, list[Round]] = {}
        for each in self.rounds:
            lanes.setdefault(each.lane, []).append(each)
        return list(lanes.values())

    def _go_round(self, lane: Sequence[Round]) -> None:
        try:
            while not self.stopping.is_set():
                now = time.monotonic()
                for each in lane:
                    each.take_turn(now)
                next_due = min(each.due_at for each in lane)
                self.stopping.wait(max(0.0, next_due - time.monotonic()))
        finally:
            # a lane that ended unasked would be missed by nobody: the process ends, and is started again
            self.stopping.set()

    def stop(self) -> None:
        """End after the passes at hand."""
        self.stopping.set()
