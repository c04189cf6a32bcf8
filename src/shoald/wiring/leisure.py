"""Whether a worker's child has nothing to do: what can wait is done then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoald.application.job_attempts import AttemptWatch


class Leisure:
    """Knows of the attempts of one process at a time; a process without jobs is always at leisure."""

    def __init__(self) -> None:
        self._is_here = threading.Event()
        self._is_here.set()
        self._has_ended = False

    def wait(self) -> None:
        """Return when no job is at work, or once `end` has been called."""
        self._is_here.wait()

    def end(self) -> None:
        """Let those go on who wait, now and for ever."""
        self._has_ended = True
        self._is_here.set()

    def watched_by(self, watch: AttemptWatch) -> AttemptWatch:
        """Return a watch that tells this and the other."""
        return _Both(self, watch)

    def begin_work(self) -> None:
        """A job begins."""
        if not self._has_ended:
            self._is_here.clear()

    def end_work(self) -> None:
        """It is over."""
        self._is_here.set()


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
