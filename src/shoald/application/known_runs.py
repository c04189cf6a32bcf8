"""Runs whose groups are asked for again and again: read once, and anew when anything of them changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoald.application.group_labels import labels_of
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.retrieval.run_groups import RunGroups

if TYPE_CHECKING:
    from shoald.application.ports.unit_of_work import UnitOfWork

_MOST_KEPT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run without the descriptions of its groups, and what retrievals need of these."""

    run: ClusterRun
    groups: RunGroups


class KnownRuns:
    """Keeps the last runs by id and version: thousands of descriptions cost more to read than a question to answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], KnownRun] = OrderedDict()

    def get(self, uow: UnitOfWork, run_id: str) -> KnownRun | None:
        """Return a run of any namespace as it is now."""
        version = uow.cluster_runs.version(run_id)
        if version is None:
            return None
        with self._lock:
            known = self._kept.get((run_id, version))
            if known is not None:
                self._kept.move_to_end((run_id, version))
                return known
        run = uow.cluster_runs.get(run_id)
        return None if run is None else self._keep(version, run)

    def _keep(self, version: str, run: ClusterRun) -> KnownRun:
        known = KnownRun(run=replace(run, centroids=(), lineage=()), groups=_groups_of(run))
        with self._lock:
            self._kept[run.run_id, version] = known
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return known


def _groups_of(run: ClusterRun) -> RunGroups:
    """Return a run's groups by number, in the order of their ids, which stays when a run is described anew."""
    rows = sorted((row for row in run.centroids if row["cluster_id"] != NOISE_CENTROID), key=lambda r: r["cluster_id"])
    labels = labels_of(run)
    ids = tuple(str(row["cluster_id"]) for row in rows)
    numbers = {one: at for at, one in enumerate(ids)}
    return RunGroups(
        ids=ids,
        labels=tuple(labels.get(one) for one in ids),
        parents=tuple(numbers.get(row.get("parent_cluster_id") or "", -1) for row in rows),
        noise_label=labels[NOISE_MEMBER],
    )
