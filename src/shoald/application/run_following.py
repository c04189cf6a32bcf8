"""What follows a completed run, in the transaction that publishes it: all of it is true with the run, or nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """A run that is being published, and its definition; `check` raises when its attempt must stop."""

    cluster: Cluster
    run: ClusterRun
    at: datetime
    check: Callable[[], None]


class RunFollower(Protocol):
    """Does something about every run that completes, and about every map that is drawn later."""

    def follow(self, uow: UnitOfWork, published: PublishedRun) -> Job | None:
        """Write what belongs to the run; return a job that was accepted for it, to be sent on its way once committed.

        The run's row is held, so that its cluster stays, and its artifacts can be read; the row is stored and the fence
        checked behind the last follower.
        """
        ...

    def drawn(self, uow: UnitOfWork, published: PublishedRun) -> None:
        """Bring a map that was drawn after its run to what belongs to the run, in the transaction that stores it."""
        ...
