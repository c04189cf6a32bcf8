"""The code of each job type, imported and made when a job of its type is first met."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoald.application.ports.jobs import JobHandler


class JobHandlers(Mapping[str, "JobHandler"]):
    """Handlers by job type. A worker's parent and the scheduler seldom meet a job whose code they need."""

    def __init__(self) -> None:
        self._makers: dict[str, Callable[[], JobHandler]] = {}
        self._made: dict[str, JobHandler] = {}
        self._lock = threading.RLock()

    def add(self, job_type: str, make: Callable[[], JobHandler]) -> None:
        """Say how the handler of a job type is made."""
        self._makers[job_type] = make

    def __getitem__(self, job_type: str) -> JobHandler:
        """Return the handler of a job type; raises `KeyError` when there is none."""
        with self._lock:
            if job_type not in self._made:
                make = self._makers[job_type]
                self._made[job_type] = make()
            return self._made[job_type]

    def __contains__(self, job_type: object) -> bool:
        """Say whether there is one, without making it."""
        return job_type in self._makers

    def __iter__(self) -> Iterator[str]:
        """Go through the job types."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._makers)
