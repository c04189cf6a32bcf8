"""Cluster definitions: made, found, listed and deleted, each with what its last run found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shoald.application.access import Caller
from shoald.application.cluster_definitions import check_name, normalized, read_spec, resolve_features
from shoald.application.cluster_events import cluster_event
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import remove_artifacts
from shoald.domain.failures import ClusterNotFound, CollectionNotFound, JobNotFound
from shoald.domain.identifiers import new_cluster_id
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import Cluster, ClusterListStats, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.vocabulary import EventType, ExecutionStatus, JobState

_STATES = {
    ExecutionStatus.PENDING: JobState.PENDING,
    ExecutionStatus.PROCESSING: JobState.PROCESSING,
    ExecutionStatus.COMPLETED: JobState.COMPLETED,
    ExecutionStatus.FAILED: JobState.FAILED,
    ExecutionStatus.CANCELED: JobState.CANCELED,
}
_OPEN = frozenset({ExecutionStatus.PENDING, ExecutionStatus.PROCESSING})


@dataclass(frozen=True, slots=True)
class ClusterState:
    """A definition and its last run, if it ever ran; one that was just made, with what of it does not apply."""

    cluster: Cluster
    last_run: ClusterRun | None = None
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> JobState | None:
        """The last run's state in the words of tasks; None before the first."""
        return None if self.last_run is None else _STATES[ExecutionStatus(self.last_run.status)]


class Clusters:
    """The cluster definitions of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors, jobs: Jobs, objects: ObjectStore
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._jobs = jobs
        self._objects = objects

    def create(self, caller: Caller, asked: JsonObject) -> ClusterState:
        """Make a definition from the documented request, in any of its spellings.

        Raises `InvalidFields`, `Unsupported`, `CollectionNotFound`, and `AlreadyExists` when the name is taken.
        """
        definition = normalized(asked)
        condition_of(definition["filters"])
        cluster_id = new_cluster_id()
        name = asked.get("cluster_name") or f"cluster {cluster_id.removeprefix('clust_')}"
        check_name(name)
        with self._open_unit_of_work() as uow:
            collections = find_collections(uow, caller, definition["collection_ids"])
            if definition["vector_config"] is not None:
                resolve_features(definition["vector_config"]["feature_uris"], collections)
            now = self._clock.now()
            ids = tuple(one.collection_id for one in collections)
            cluster = Cluster(
                cluster_id=cluster_id,
                namespace_id=caller.namespace_id,
                cluster_name=name,
                description=asked.get("description"),
                cluster_type=definition["cluster_type"],
                collection_ids=ids,
                definition={**definition, "collection_ids": list(ids)},
                metadata=asked.get("metadata") or {},
                last_run_id=None,
                created_at=now,
                updated_at=now,
            )
            uow.clusters.add(cluster)
            uow.events.add(cluster_event(EventType.CLUSTER_CREATED, cluster, now))
            uow.commit()
        return ClusterState(cluster, warnings=read_spec(definition).warnings)

    def get(self, caller: Caller, id_or_name: str) -> ClusterState:
        """Return a definition with its last run; raises `ClusterNotFound`."""
        with self._open_unit_of_work() as uow:
            return _with_runs(uow, [find_cluster(uow, caller, id_or_name)])[0]

    def list(self, caller: Caller, query: ListQuery) -> tuple[Page[ClusterState], ClusterListStats]:
        """Return a page of definitions, newest first unless sorted, and figures of the whole list."""
        scope = f"clusters/{caller.namespace_id}"
        selection = select_page(query, self._cursors.open(scope, query), condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            rows = _with_runs(uow, uow.clusters.list(caller.namespace_id, selection))
            stats = uow.clusters.stats(caller.namespace_id, selection)
        seal = self._cursors.sealer(scope, query)
        return make_page(rows, query, selection, total=stats.total_clusters, seal=seal), stats

    def delete(self, caller: Caller, id_or_name: str) -> Cluster:
        """Remove a definition with its runs and their artifacts, and cancel what still runs."""
        with self._open_unit_of_work() as uow:
            cluster = find_cluster(uow, caller, id_or_name)
            runs = uow.cluster_runs.all(cluster.cluster_id)
        for run in runs:
            if run.status in _OPEN:
                self._cancel(caller, run.job_id)
        with self._open_unit_of_work() as uow:
            uow.clusters.delete(cluster.cluster_id)
            uow.events.add(cluster_event(EventType.CLUSTER_DELETED, cluster, self._clock.now()))
            uow.commit()
        for run in runs:
            remove_artifacts(self._objects, run.run_id)
        return cluster

    def _cancel(self, caller: Caller, job_id: str) -> None:
        try:
            self._jobs.cancel(caller, job_id)
        except JobNotFound:
            return


def find_cluster(uow: UnitOfWork, caller: Caller, id_or_name: str) -> Cluster:
    """Return a definition of the caller's namespace; raises `ClusterNotFound`."""
    found = uow.clusters.find(caller.namespace_id, id_or_name)
    if found is None:
        raise ClusterNotFound(f"There is no cluster {id_or_name!r}.", detail={"cluster": id_or_name})
    return found


def find_collections(uow: UnitOfWork, caller: Caller, ids_or_names: Sequence[str]) -> list[Collection]:
    """Return the collections in the order asked for, each once; raises `CollectionNotFound` that names the missing."""
    found = {word: uow.collections.find(caller.namespace_id, word) for word in ids_or_names}
    missing = [word for word, one in found.items() if one is None]
    if missing:
        message = f"There is no collection {', '.join(map(repr, missing))}."
        raise CollectionNotFound(message, detail={"collections": missing})
    by_id = {one.collection_id: one for one in found.values() if one is not None}
    return list(by_id.values())


def _with_runs(uow: UnitOfWork, clusters: Sequence[Cluster]) -> list[ClusterState]:
    runs = uow.cluster_runs.get_many([one.last_run_id for one in clusters if one.last_run_id is not None])
    return [ClusterState(one, runs.get(one.last_run_id or "")) for one in clusters]
