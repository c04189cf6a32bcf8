"""Threads that carry out what is due, each for itself, while the scheduler goes on with its rounds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Couriers(Generic[T]):
    """At most so many threads that take errands and carry them out until there is none.

    One thread looks for the first errand of a round; each that finds one wakes another before it sets out, so that an
    idle installation asks its database once a round, and a busy one soon has all threads at work.
    """

    def __init__(self, *, take: Callable[[], T | None], carry_out: Callable[[T], None], threads: int) -> None:
        self._take = take
        self._carry_out = carry_out
        self._threads = threads
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="courier")
        self._lock = threading.Lock()
        self._at_work = 0
        self._done = 0
        self._is_closing = False

    def run_pass(self) -> int:
        """Wake a thread, and say how many errands were carried out since the last pass."""
        self._wake()
        with self._lock:
            done, self._done = self._done, 0
        return done

    def close(self) -> None:
        """Let errands that are under way end, and take no more."""
        self._is_closing = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _wake(self) -> None:
        with self._lock:
            if self._is_closing or self._at_work >= self._threads:
                return
            self._at_work += 1
        self._pool.submit(self._work)

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
                self._at_work -= 1
