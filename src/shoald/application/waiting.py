"""How long a caller waits for what it asked to be done at once, and whether it is still there."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shoald.application.jobs import Jobs
from shoald.domain.failures import Busy, DeadlineExceeded
from shoald.domain.records.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`seconds` from now, None for as long as it takes; `is_wanted` says whether the caller is still there.

    `is_brief` is a caller who is served among short calls, which what is slow must leave room for.
    """

    seconds: float | None = None
    is_wanted: Callable[[], bool] | None = None
    is_brief: bool = False
    began: float = field(default_factory=time.monotonic)

    def left(self, *, at_most: float = math.inf) -> float:
        """Return how many more seconds the caller waits, 0 when it has gone."""
        if self.is_wanted is not None and not self.is_wanted():
            return 0.0
        given = math.inf if self.seconds is None else max(0.0, self.began + self.seconds - time.monotonic())
        return min(given, at_most)

    def check(self, doing: str, *, hint: str | None = None) -> None:
        """Raise `DeadlineExceeded` when the caller waits no longer; long work calls it between its parts."""
        if not self.left():
            raise DeadlineExceeded(f"{doing} was not done before this call's deadline.", hint=hint)

    def finish(self, jobs: Jobs, job: Job) -> Job:
        """See a committed job to its end and return it; raises what the job met, or `DeadlineExceeded`.

        A caller that goes away cancels nothing.
        """
        return jobs.finish(job, self.left(), is_wanted=self.is_wanted)


class BriefPlaces:
    """As many brief calls as may wait for a model at a time in one process: it may take long, others need threads."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)

    @contextmanager
    def one(self, patience: Patience, doing: str) -> Iterator[None]:
        """Hold a place while the block runs; raises `Busy` at once when a brief call finds none. Others need none.

        A call holds one place at a time.
        """
        if not patience.is_brief:
            yield
            return
        if not self._free.acquire(blocking=False):
            raise Busy(f"Too many short calls are {doing}; try again shortly, or use RetrieveStream.")
        try:
            yield
        finally:
            self._free.release()
