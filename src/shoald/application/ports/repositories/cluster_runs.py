"""What the use cases ask of stored cluster runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun, RunFigures, RunListStats


class ClusterRunRepository(Protocol):
    """Stored cluster runs."""

    def add(self, run: ClusterRun) -> None:
        """Store a pending run."""
        ...

    def get(self, run_id: str) -> ClusterRun | None:
        """Return a run of any cluster."""
        ...

    def version(self, run_id: str) -> str | None:
        """Return a word that is another one whenever anything of a run has changed, None where there is no run."""
        ...

    def get_many(self, run_ids: Sequence[str]) -> dict[str, ClusterRun]:
        """Return runs by id, without their centroids."""
        ...

    def latest(self, cluster_id: str) -> ClusterRun | None:
        """Return the newest run of a cluster, whatever its state."""
        ...

    def latest_completed(self, cluster_id: str, *, before: datetime | None = None) -> ClusterRun | None:
        """Return the newest completed run of a cluster that repeats no other, accepted before a time if asked."""
        ...

    def latest_completed_id(self, cluster_id: str) -> str | None:
        """Return the id of what `latest_completed` returns."""
        ...

    def all(self, cluster_id: str) -> list[ClusterRun]:
        """Return all runs of a cluster, without their centroids."""
        ...

    def completed_after(self, cluster_id: str, after: tuple[datetime, str] | None, *, limit: int) -> list[ClusterRun]:
        """Return completed runs of a cluster without their centroids but with their lineage, oldest first.

        `after` is the time and id of the run that they follow; None begins with the first.
        """
        ...

    def stats(self, cluster_id: str, selection: Selection) -> RunListStats:
        """Return the figures of all runs that meet the condition, whatever the page."""
        ...

    def move(
        self, run_id: str, status: str, at: datetime, *, error_code: str | None = None, error_message: str | None = None
    ) -> None:
        """Set the state of a run that has not ended: `processing` notes its start, the others their end."""
        ...

    def note(self, run_id: str, effective: JsonObject) -> None:
        """Store what is known of a run that has not ended."""
        ...

    def hold(self, run_id: str) -> ClusterRun | None:
        """Return a run, and let a deletion of its definition wait until the transaction ends; it can be named still."""
        ...

    def publish(self, run: ClusterRun) -> None:
        """Store what a run found: state, figures, centroids, artifacts, times; not what people call it."""
        ...

    def rename(self, run_id: str, name: str | None) -> None:
        """Store what people call a run; None takes the name away."""
        ...

    def relabel(self, run_id: str, names: Mapping[str, str], without: Sequence[str]) -> JsonObject:
        """Add names that people give to groups, take others away, and return all there are now.

        The row is held until the transaction ends, so that of two calls at once neither is lost.
        """
        ...

    def accepted_since(
        self, cluster_id: str, since: datetime, *, limit: int, status: str | None = None
    ) -> list[ClusterRun]:
        """Return runs that were accepted at or after a time, in one state if asked, newest first, without centroids."""
        ...

    def figures_since(self, cluster_id: str, since: datetime) -> RunFigures:
        """Add up the runs that were accepted at or after a time."""
        ...

    def list(self, cluster_id: str, selection: Selection) -> list[ClusterRun]:
        """Return runs without their centroids, newest first unless sorted."""
        ...
