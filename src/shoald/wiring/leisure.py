"""Whether a worker's child has nothing to do: what can wait is done then."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoald.application.job_attempts import AttemptWatch


log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.5


class Leisure:
    """Knows of the attempts of one process, one at a time; a process without jobs is always at leisure.

    It begins only when no job has come for `quiet_seconds`: jobs often come one after another.
    """

    def __init__(self, *, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self._quiet_seconds = quiet_seconds
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._has_ended = threading.Event()
        self._begun = 0
        self._lock = threading.Lock()
        self._put_off: list[Callable[[], None]] = []

    def wait(self) -> None:
        """Return when no job is at work, or once `end` has been called."""
        while True:
            self._is_idle.wait()
            begun = self._begun
            if self._has_ended.wait(self._quiet_seconds) or (begun == self._begun and self._is_idle.is_set()):
                return

    def then(self, act: Callable[[], None]) -> None:
        """Do it at leisure, in a thread that all acts share; it may get lost with the process."""
        with self._lock:
            self._put_off.append(act)
            is_first = len(self._put_off) == 1
        if is_first:
            threading.Thread(target=self._catch_up, name="at leisure", daemon=True).start()

    def _catch_up(self) -> None:
        self.wait()
        with self._lock:
            acts, self._put_off = self._put_off, []
        for act in acts:
            try:
                act()
            except Exception:
                log.exception("what was put off failed")

    def end(self) -> None:
        """Let those go on who wait, now and for ever."""
        self._has_ended.set()
        self._is_idle.set()

    def watched_by(self, watch: AttemptWatch) -> AttemptWatch:
        """Return a watch that tells this and the other."""
        return _Both(self, watch)

    def begin_work(self) -> None:
        """A job begins."""
        self._begun += 1
        if not self._has_ended.is_set():
            self._is_idle.clear()

    def end_work(self) -> None:
        """It is over."""
        self._is_idle.set()


class _Both:
    """`AttemptWatch` of two."""

    def __init__(self, leisure: Leisure, watch: AttemptWatch) -> None:
        self._leisure = leisure
        self._watch = watch

    def started(self, job_id: str, attempt: int) -> None:
        """Tell both."""
        self._leisure.begin_work()
        self._watch.started(job_id, attempt)

    def ended(self) -> None:
        """Tell both."""
        self._watch.ended()
        self._leisure.end_work()
