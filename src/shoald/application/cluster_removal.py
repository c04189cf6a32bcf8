"""What goes with a cluster: others say here what of theirs belongs to it."""

from __future__ import annotations

from typing import Protocol

from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.records.cluster import Cluster


class GoesWithCluster(Protocol):
    """Removes what belongs to a cluster, in the transaction that removes it."""

    def remove(self, uow: UnitOfWork, cluster: Cluster, *, keeps_output: bool) -> None:
        """Remove it. The cluster and its runs are still there, and locked: nothing is published any more.

        `keeps_output` says that what its runs wrote for others to read stays.
        """
        ...
