"""What the use cases ask of stored cluster definitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.records.cluster import Cluster, ClusterListStats


class ClusterRepository(Protocol):
    """Stored cluster definitions."""

    def add(self, cluster: Cluster) -> None:
        """Store a definition; raises `AlreadyExists` when its name is taken in its namespace."""
        ...

    def find(self, namespace_id: str, id_or_name: str) -> Cluster | None:
        """Return the definition of the namespace with this id, else the one with this name."""
        ...

    def stats(self, namespace_id: str, selection: Selection) -> ClusterListStats:
        """Return the figures of all that meet the condition, whatever the page."""
        ...

    def set_last_run(self, cluster_id: str, run_id: str, at: datetime) -> None:
        """Note the run that was started last."""
        ...

    def lock(self, namespace_id: str, id_or_name: str) -> Cluster | None:
        """Return what `find` does, and keep other writers away from it until the transaction ends."""
        ...

    def update(self, cluster: Cluster) -> None:
        """Store what was changed of a definition; raises `AlreadyExists` when its name is taken in its namespace."""
        ...

    def hold_runs(self, cluster_id: str) -> None:
        """Keep runs of a definition from being published until the transaction ends; waits for one that is."""
        ...

    def keep_artifacts(self, cluster_id: str, at: datetime) -> Sequence[str]:
        """Note that the artifacts of all completed runs stay when the definition goes; return the ids of those runs."""
        ...

    def delete(self, cluster_id: str) -> None:
        """Remove a definition with its runs and the jobs that were theirs."""
        ...

    def list(self, namespace_id: str, selection: Selection) -> list[Cluster]:
        """Return definitions, newest first unless sorted."""
        ...
