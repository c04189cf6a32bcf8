"""What the use cases ask of stored cluster definitions."""

from __future__ import annotations

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

    def delete(self, cluster_id: str) -> None:
        """Remove a definition with its runs."""
        ...

    def list(self, namespace_id: str, selection: Selection) -> list[Cluster]:
        """Return definitions, newest first unless sorted."""
        ...
