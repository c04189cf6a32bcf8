"""Carries job ids to workers; may lose, repeat and reorder them, since PostgreSQL knows better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class JobQueue(Protocol):
    """Wakes workers up."""

    def enqueue(self, queue: str, job_id: str, dispatch_no: int, *, ahead: bool = False) -> None:
        """Offer a job to the workers of a queue, before what waits if `ahead`; a repeat of the number is no error.

        Ends within a quarter of a second; raises `Unavailable` when the queue did not answer by then.
        """
        ...

    def carries(self, queue: str, job_id: str, dispatch_no: int) -> bool:
        """Say whether this dispatch waits in the queue right now; raises `Unavailable`."""
        ...

    def stale(self, queues: Sequence[str]) -> list[tuple[str, int]]:
        """Return the (job id, dispatch number) of entries that have been there for minutes."""
        ...

    def forget(self, queues: Sequence[str], entries: Sequence[tuple[str, int]]) -> None:
        """Remove every trace of these entries."""
        ...


class JobDeliveries(Protocol):
    """Brings the ids of jobs to one worker process, one at a time."""

    def receive(self, handle: Callable[[str], None]) -> None:
        """Call `handle` with each job id that arrives, until `stop`; outlives any failure of the queue."""
        ...

    def stop(self) -> None:
        """Take no further id; `receive` returns soon. May be called from another thread."""
        ...


class JobEnds(Protocol):
    """Carries the word that a job has ended; it may get lost, so whoever waits looks for itself, too, now and then."""

    def tell(self, job_id: str) -> None:
        """Wake up whoever waits for a job; never raises, and takes a quarter of a second at most."""
        ...

    def awaited(self, job_id: str) -> AbstractContextManager[Callable[[float], bool]]:
        """Listen while the block lasts.

        What it gives waits so many seconds, or until a word comes that was told after the block began, and says whether
        one came.
        """
        ...
