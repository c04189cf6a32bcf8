"""The history of clusters: what the runs of some hours took, and how they failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shoald.application.access import Caller
from shoald.application.clusters import find_cluster
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.records.cluster import Cluster, ClusterRun, RunFigures
from shoald.domain.vocabulary import ExecutionStatus

HOURS = 24
RUNS = 100
FAILURES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest runs of a cluster that were accepted from `start` to `end`, and figures of all of that time."""

    cluster: Cluster
    start: datetime
    end: datetime
    runs: Sequence[ClusterRun]
    figures: RunFigures


class Analytics:
    """What can be said of the caller's clusters over time."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def history(self, caller: Caller, cluster: str, *, hours: int = HOURS, limit: int = RUNS) -> History:
        """Return the runs of the last hours, newest first; raises `ClusterNotFound`."""
        return self._since(caller, cluster, hours, limit, None)

    def failures(self, caller: Caller, cluster: str, *, hours: int = HOURS) -> History:
        """Return the failed runs of the last hours, newest first; raises `ClusterNotFound`."""
        return self._since(caller, cluster, hours, FAILURES, ExecutionStatus.FAILED)

    def _since(self, caller: Caller, cluster: str, hours: int, limit: int, status: str | None) -> History:
        end = self._clock.now()
        start = end - timedelta(hours=hours)
        with self._open_unit_of_work() as uow:
            found = find_cluster(uow, caller, cluster)
            runs = uow.cluster_runs.accepted_since(found.cluster_id, start, limit=limit, status=status)
            figures = uow.cluster_runs.figures_since(found.cluster_id, start)
        return History(cluster=found, start=start, end=end, runs=runs, figures=figures)
