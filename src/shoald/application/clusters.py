"""Cluster definitions: made, found, listed, changed and deleted, each with what its last run found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shoald.application.access import Caller
from shoald.application.cluster_changes import changed
from shoald.application.cluster_definitions import check_name, normalized, read_spec, resolve_features
from shoald.application.cluster_events import cluster_event
from shoald.application.cluster_removal import GoesWithCluster
from shoald.application.cluster_settings import idle_settings, idle_words, overruled_words
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.output_collections import outputs_of
from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import remove_artifacts
from shoald.domain.failures import ClusterNotFound, CollectionNotFound, InvalidFields, JobNotFound
from shoald.domain.identifiers import new_cluster_id
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType
from shoald.domain.records.cluster import Cluster, ClusterListStats, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.enrichment import Enrichment
from shoald.domain.vocabulary import ExecutionStatus, JobState

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
    """A definition and its last run, if it ever ran; one that was just made, with what of it does not apply.

    `outputs` are the ids and names of the collections that hold what its runs found; `last_enrichment` is what of them
    was written back into documents last.
    """

    cluster: Cluster
    last_run: ClusterRun | None = None
    warnings: tuple[str, ...] = ()
    outputs: Sequence[tuple[str, str]] = ()
    last_enrichment: Enrichment | None = None

    @property
    def status(self) -> JobState | None:
        """The last run's state in the words of tasks; None before the first."""
        return None if self.last_run is None else _STATES[ExecutionStatus(self.last_run.status)]


class Clusters:
    """The cluster definitions of the caller's namespace."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        cursors: PageCursors,
        jobs: Jobs,
        objects: ObjectStore,
        goes_along: Sequence[GoesWithCluster] = (),
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._jobs = jobs
        self._objects = objects
        self._goes_along = goes_along

    def create(self, caller: Caller, asked: JsonObject) -> ClusterState:
        """Make a definition from the documented request, in any of its spellings.

        Raises `InvalidFields`, `CollectionNotFound`, `ClusterNotFound` for a source of a composite cluster, and
        `AlreadyExists` when the name is taken.
        """
        with self._open_unit_of_work() as uow:
            cluster = self.add(uow, caller, asked)
            (state,) = _with_runs(uow, [cluster])
            uow.commit()
        idle = idle_words(asked, by_attributes=cluster.definition["vector_config"] is None)
        return replace(state, warnings=(*_warnings(cluster), *idle, *overruled_words(asked)))

    def add(self, uow: UnitOfWork, caller: Caller, asked: JsonObject) -> Cluster:
        """Make a definition in an open transaction; raises what `create` raises."""
        asked_for = normalized(asked)
        condition_of(asked_for["filters"])
        cluster_id = new_cluster_id()
        name = asked.get("cluster_name") or f"cluster {cluster_id.removeprefix('clust_')}"
        check_name(name)
        definition, now = _settled(uow, caller, asked_for), self._clock.now()
        cluster = Cluster(
            cluster_id=cluster_id,
            namespace_id=caller.namespace_id,
            cluster_name=name,
            description=asked.get("description"),
            cluster_type=definition["cluster_type"],
            collection_ids=tuple(definition["collection_ids"]),
            definition=definition,
            metadata=asked.get("metadata") or {},
            last_run_id=None,
            created_at=now,
            updated_at=now,
        )
        uow.clusters.add(cluster)
        uow.events.add(cluster_event(EventType.CLUSTER_CREATED, cluster, now))
        return cluster

    def get(self, caller: Caller, id_or_name: str) -> ClusterState:
        """Return a definition with its last run, the groups of a hierarchy too; raises `ClusterNotFound`."""
        with self._open_unit_of_work() as uow:
            (state,) = _with_runs(uow, [find_cluster(uow, caller, id_or_name)])
            if state.last_run is None or not state.last_run.has_hierarchy:
                return state
            return replace(state, last_run=uow.cluster_runs.get(state.last_run.run_id))

    def list(self, caller: Caller, query: ListQuery) -> tuple[Page[ClusterState], ClusterListStats]:
        """Return a page of definitions, newest first unless sorted, and figures of the whole list."""
        scope = f"clusters/{caller.namespace_id}"
        selection = select_page(query, self._cursors.open(scope, query), condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            rows = _with_runs(uow, uow.clusters.list(caller.namespace_id, selection))
            stats = uow.clusters.stats(caller.namespace_id, selection)
        seal = self._cursors.sealer(scope, query)
        return make_page(rows, query, selection, total=stats.total_clusters, seal=seal), stats

    def patch(self, caller: Caller, id_or_name: str, asked: JsonObject) -> ClusterState:
        """Change what is said, and nothing else; saying what is there already changes nothing.

        Runs that were accepted before go by what was then. Raises `ClusterNotFound`, `InvalidFields`, and
        `AlreadyExists` when the name is taken.
        """
        with self._open_unit_of_work() as uow:
            before = uow.clusters.lock(caller.namespace_id, id_or_name)
            if before is None:
                raise _not_found(id_or_name)
            after = changed(before, asked)
            if asked.get("source_cluster_ids"):
                after = _with_sources(uow, caller, after, asked["source_cluster_ids"])
            if after != before:
                after = replace(after, updated_at=self._clock.now())
                uow.clusters.update(after)
                uow.events.add(cluster_event(EventType.CLUSTER_UPDATED, after, after.updated_at))
            (state,) = _with_runs(uow, [after])
            uow.commit()
        return replace(state, warnings=_warnings(after))

    def delete(self, caller: Caller, id_or_name: str, *, keeps_output: bool = False) -> tuple[Cluster, Sequence[str]]:
        """Remove a definition with its runs, their jobs and artifacts, and cancel what still runs.

        With `keeps_output` the artifacts stay in the object store, and the ids of their runs are returned beside the
        definition. Artifacts that a crash leaves behind are swept up later.
        """
        with self._open_unit_of_work() as uow:
            cluster = find_cluster(uow, caller, id_or_name)
            runs = uow.cluster_runs.all(cluster.cluster_id)
        for run in runs:
            if run.status in _OPEN:
                self._cancel(caller, run.job_id)
        kept = self._remove(caller, cluster, keeps_output=keeps_output)
        for run in runs:
            if run.run_id not in kept:
                remove_artifacts(self._objects, run.run_id)
        return cluster, kept

    def _remove(self, caller: Caller, cluster: Cluster, *, keeps_output: bool) -> Sequence[str]:
        with self._open_unit_of_work() as uow:
            if uow.clusters.lock(caller.namespace_id, cluster.cluster_id) is None:
                raise _not_found(cluster.cluster_id)
            uow.clusters.hold_runs(cluster.cluster_id)
            now = self._clock.now()
            kept = uow.clusters.keep_artifacts(cluster.cluster_id, now) if keeps_output else []
            for one in self._goes_along:
                one.remove(uow, cluster, keeps_output=keeps_output)
            uow.clusters.delete(cluster.cluster_id)
            uow.events.add(cluster_event(EventType.CLUSTER_DELETED, cluster, now))
            uow.commit()
        return kept

    def _cancel(self, caller: Caller, job_id: str) -> None:
        try:
            self._jobs.cancel(caller, job_id)
        except JobNotFound:
            return


def find_cluster(uow: UnitOfWork, caller: Caller, id_or_name: str) -> Cluster:
    """Return a definition of the caller's namespace; raises `ClusterNotFound`."""
    found = uow.clusters.find(caller.namespace_id, id_or_name)
    if found is None:
        raise _not_found(id_or_name)
    return found


def _not_found(id_or_name: str) -> ClusterNotFound:
    return ClusterNotFound(f"There is no cluster {id_or_name!r}.", detail={"cluster": id_or_name})


def find_collections(uow: UnitOfWork, caller: Caller, ids_or_names: Sequence[str]) -> list[Collection]:
    """Return the collections in the order asked for, each once; raises `CollectionNotFound` that names the missing."""
    found = uow.collections.find_many(caller.namespace_id, ids_or_names)
    missing = [word for word in dict.fromkeys(ids_or_names) if word not in found]
    if missing:
        message = f"There is no collection {', '.join(map(repr, missing))}."
        raise CollectionNotFound(message, detail={"collections": missing})
    return list({one.collection_id: one for one in found.values()}.values())


def _settled(uow: UnitOfWork, caller: Caller, definition: JsonObject) -> dict[str, Any]:
    """Return a definition whose collections and sources are there, by their ids.

    A composite one has the collections and features of its sources where it names none itself.
    """
    sources = [find_cluster(uow, caller, one) for one in definition["source_cluster_ids"]]
    named = definition["collection_ids"] or [one for source in sources for one in source.collection_ids]
    collections = find_collections(uow, caller, named)
    vector = definition["vector_config"]
    if vector is not None:
        vector = {**vector, "feature_uris": vector["feature_uris"] or _features_of(sources)}
        resolve_features(vector["feature_uris"], collections)
    return {
        **definition,
        "vector_config": vector,
        "collection_ids": [one.collection_id for one in collections],
        "source_cluster_ids": list(dict.fromkeys(source.cluster_id for source in sources)),
    }


def _with_sources(uow: UnitOfWork, caller: Caller, cluster: Cluster, ids_or_names: Sequence[str]) -> Cluster:
    """Return a composite cluster with other sources; their collections come to those that it has."""
    sources = [find_cluster(uow, caller, one) for one in ids_or_names]
    if any(source.cluster_id == cluster.cluster_id for source in sources):
        message = "a cluster cannot be a source of itself"
        raise InvalidFields.field("body", "source_cluster_ids", message=message, value=list(ids_or_names))
    collections = dict.fromkeys(
        [*cluster.collection_ids, *(one for source in sources for one in source.collection_ids)]
    )
    ids = list(dict.fromkeys(source.cluster_id for source in sources))
    definition = {**cluster.definition, "source_cluster_ids": ids, "collection_ids": list(collections)}
    return replace(cluster, collection_ids=tuple(collections), definition=definition)


def _features_of(sources: Sequence[Cluster]) -> list[str]:
    """Return the features of the first source that names any; that all have them is seen when it runs."""
    named = ((source.definition["vector_config"] or {}).get("feature_uris") for source in sources)
    return next((list(features) for features in named if features), [])


def _warnings(cluster: Cluster) -> tuple[str, ...]:
    return (*read_spec(cluster.definition).warnings, *idle_settings(cluster.definition))


def _with_runs(uow: UnitOfWork, clusters: Sequence[Cluster]) -> list[ClusterState]:
    runs = uow.cluster_runs.get_many([one.last_run_id for one in clusters if one.last_run_id is not None])
    outputs = outputs_of(uow, clusters)
    enrichments = uow.enrichments.newest([one.cluster_id for one in clusters])
    return [
        ClusterState(
            one,
            runs.get(one.last_run_id or ""),
            outputs=outputs.get(one.cluster_id, ()),
            last_enrichment=enrichments.get(one.cluster_id),
        )
        for one in clusters
    ]
