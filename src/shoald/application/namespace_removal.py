"""A namespace goes with everything in it: jobs are canceled, clusters and collections go one by one, then the rest."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from shoald.application.access import Caller
from shoald.application.clusters import Clusters
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Selection
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import ClusterNotFound, Conflict, JobNotFound
from shoald.domain.records.collection import NamespaceCounts

_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class NamespaceRemoval:
    """Removes namespaces; one that is broken off has lost a part and can be asked for again."""

    open_unit_of_work: OpenUnitOfWork
    clusters: Clusters
    jobs: Jobs

    def remove(self, caller: Caller, counts: NamespaceCounts) -> None:
        """Remove the caller's namespace; the thread works for that caller.

        Raises `Conflict` for one that holds projects: whoever made them meanwhile keeps them, in what is left of it.
        """
        for job_id in counts.open_job_ids:
            with contextlib.suppress(JobNotFound):
                self.jobs.cancel(caller, job_id)
        self._remove_clusters(caller)
        self._remove_collections(caller)
        with self.open_unit_of_work() as uow:
            uow.namespaces.lock(caller.namespace_id)  # from here on nobody makes a project in it
            refuse_projects(caller, uow.namespaces.counts(caller.namespace_id))
            uow.namespaces.delete(caller.namespace_id)
            uow.commit()

    def _remove_clusters(self, caller: Caller) -> None:
        first = ListQuery(limit=_AT_ONCE)
        while rows := self.clusters.list(caller, first)[0].items:
            for state in rows:
                with contextlib.suppress(ClusterNotFound):
                    self.clusters.delete(caller, state.cluster.cluster_id)

    def _remove_collections(self, caller: Caller) -> None:
        """Remove each in a transaction of its own, so that none grows with the namespace."""
        while True:
            with self.open_unit_of_work() as uow:
                rows = uow.collections.list(caller.namespace_id, Selection(limit=_AT_ONCE))
            if not rows:
                return
            for one in rows:
                with self.open_unit_of_work() as uow:
                    uow.collections.delete(one.collection_id)
                    uow.commit()


def refuse_projects(caller: Caller, counts: NamespaceCounts) -> None:
    """Raise `Conflict` for a namespace that holds projects."""
    if counts.projects:
        message = f"The namespace {caller.namespace_name!r} holds {counts.projects} projects, which must go first."
        raise Conflict(message, detail={"namespace_id": caller.namespace_id, "projects": counts.projects})
