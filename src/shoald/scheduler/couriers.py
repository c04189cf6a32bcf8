"""Threads that carry out what is due, each for itself, while the scheduler goes on with its rounds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_SECONDS = 3.0
"""How long a stop waits for what is under way."""


class Couriers(Generic[T]):
    """At most so many threads that take errands and carry them out until there is none.

    One thread looks for the first errand of a round; each that finds one wakes another before it sets out, so that an
    idle installation asks its database once a round, and a busy one soon has all threads at work.
    """

    def __init__(
        self,
        *,
        take: Callable[[], T | None],
        carry_out: Callable[[T], None],
        threads: int,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._take = take
        self._carry_out = carry_out
        self._threads = threads
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._at_work: set[threading.Thread] = set()
        self._done = 0
        self._is_closing = False

    def run_pass(self) -> int:
        """Wake a thread, and say how many errands were carried out since the last pass."""
        self._wake()
        with self._lock:
            done, self._done = self._done, 0
        return done

    def close(self) -> None:
        """Take no more errands, and wait a moment for those under way.

        The others are given up with the process: their leases end, and somebody else carries them out again.
        """
        with self._lock:
            self._is_closing = True
            at_work = tuple(self._at_work)
        deadline = time.monotonic() + self._patience_seconds
        for thread in at_work:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _wake(self) -> None:
        with self._lock:
            if self._is_closing or len(self._at_work) >= self._threads:
                return
            # a daemon, since the interpreter waits for all others before it ends
            thread = threading.Thread(target=self._work, name="courier", daemon=True)
            thread.start()
            self._at_work.add(thread)

    def _work(self) -> None:
        try:
            while not self._is_closing:
                errand = self._take()
                if errand is None:
                    return
                self._wake()
                self._carry_out(errand)
                with self._lock:
                    self._done += 1
        except Exception as error:  # noqa: BLE001 - the database may be away; the next round tries again
            log.warning("a courier gave up until the next round: %s", error)
        finally:
            with self._lock:
                self._at_work.discard(threading.current_thread())
