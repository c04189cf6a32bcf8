"""What runs found is written back into documents, and taken back: asked for here, done by jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shoald.application.access import Caller
from shoald.application.clusters import find_cluster
from shoald.application.collections import find_or_add_collection, refuse_kept_by_index
from shoald.application.enrichment_fields import defined_mappings, partition_of
from shoald.application.executions import find_run
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.output_collections import writes_into_sources
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_following import PublishedRun
from shoald.application.waiting import Patience
from shoald.domain.failures import ArtifactNotFound, Conflict, EnrichmentNotFound, InvalidFields
from shoald.domain.identifiers import new_enrichment_id
from shoald.domain.records.cluster import REPLAY_OF, Cluster, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.enrichment import Enrichment, FieldMapping
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import EnrichmentStatus, ExecutionStatus, JobType

BATCH_SIZE = 1000
UNDOABLE = frozenset({EnrichmentStatus.COMPLETED, EnrichmentStatus.FAILED, EnrichmentStatus.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentRequest:
    """What to write back: of which run (the latest completed one unless named), into which documents, which fields.

    Without a `source` the documents of all collections that the run read are written; without a `target` where they
    are. No mappings mean those of the definition.
    """

    run_id: str | None = None
    source: str | None = None
    target: str | None = None
    mappings: tuple[FieldMapping, ...] = ()
    batch_size: int = BATCH_SIZE


class Enrichments:
    """The enrichments of the caller's clusters."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._jobs = jobs

    def start(self, caller: Caller, cluster: str, request: EnrichmentRequest) -> Enrichment:
        """Accept an enrichment.

        Raises `ClusterNotFound`, `ExecutionNotFound`, `CollectionNotFound`, `ArtifactNotFound` without a completed run,
        `InvalidFields` for a source that the run did not read, and `Conflict` for a target that an index keeps.
        """
        with self._open_unit_of_work() as uow:
            enrichment, job = self._accepted(uow, caller, cluster, request)
            uow.commit()
        self._jobs.dispatch(job)
        return enrichment

    def finish(
        self, caller: Caller, clusters: Sequence[str], request: EnrichmentRequest, patience: Patience
    ) -> list[Enrichment]:
        """Accept the enrichments of several clusters, all or none, and see them to their end, one after another.

        Raises as `start` does, what a job met, and `DeadlineExceeded`; accepted jobs go on.
        """
        with self._open_unit_of_work() as uow:
            accepted = [self._accepted(uow, caller, one, request) for one in clusters]
            uow.commit()
        for _, job in accepted:
            patience.finish(self._jobs, job)
        with self._open_unit_of_work() as uow:
            found = [uow.enrichments.get(one.enrichment_id) for one, _ in accepted]
        return [one for one in found if one is not None]

    def _accepted(
        self, uow: UnitOfWork, caller: Caller, cluster: str, request: EnrichmentRequest
    ) -> tuple[Enrichment, Job]:
        definition = find_cluster(uow, caller, cluster)
        run = _completed_run(uow, caller, definition, request.run_id)
        sources = _sources(uow, caller, run, request.source)
        target = None
        if request.target is not None:
            target = find_or_add_collection(uow, caller, request.target, self._clock.now())
            if target.collection_id not in {one.collection_id for one in sources}:
                refuse_kept_by_index(target)
        new = NewEnrichment(
            cluster=definition,
            run=run,
            sources=tuple(one.collection_id for one in sources),
            target=_unless_source(target, sources),
            mappings=request.mappings or defined_mappings(definition),
            batch_size=request.batch_size,
        )
        return accept_enrichment(uow, self._jobs, new, self._clock.now())

    def get(self, caller: Caller, cluster: str, enrichment_id: str) -> Enrichment:
        """Return an enrichment; raises `ClusterNotFound` or `EnrichmentNotFound`."""
        with self._open_unit_of_work() as uow:
            return _found(uow, caller, cluster, enrichment_id)

    def undo(self, caller: Caller, cluster: str, enrichment_id: str) -> Enrichment:
        """Accept that an enrichment is taken back; what was changed since stays as it is.

        Raises `ClusterNotFound`, `EnrichmentNotFound`, and `Conflict` while it is at work or when nothing is kept of
        what was there before.
        """
        with self._open_unit_of_work() as uow:
            enrichment = _found(uow, caller, cluster, enrichment_id, lock=True)
            if enrichment.status not in UNDOABLE:
                message = f"The enrichment is {enrichment.status}; it can be undone once it has ended, and only once."
                raise Conflict(message, detail={"enrichment_id": enrichment_id, "status": enrichment.status})
            job = self._jobs.accept(uow, _job_request(enrichment, JobType.ENRICHMENT_UNDO))
            uow.enrichments.change(enrichment_id, status=EnrichmentStatus.UNDOING.value, job_id=job.job_id)
            changed = _found(uow, caller, cluster, enrichment_id)
            uow.commit()
        self._jobs.dispatch(job)
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEnrichment:
    """An enrichment that is to be accepted."""

    cluster: Cluster
    run: ClusterRun
    sources: tuple[str, ...]
    mappings: tuple[FieldMapping, ...]
    target: str | None = None
    batch_size: int = BATCH_SIZE
    is_automatic: bool = False


def accept_enrichment(uow: UnitOfWork, jobs: Jobs, new: NewEnrichment, at: datetime) -> tuple[Enrichment, Job]:
    """Store an enrichment and its job."""
    pending = Enrichment(
        enrichment_id=new_enrichment_id(),
        namespace_id=new.cluster.namespace_id,
        cluster_id=new.cluster.cluster_id,
        run_id=new.run.run_id,
        job_id="",
        status=EnrichmentStatus.PENDING.value,
        source_collection_ids=new.sources,
        target_collection_id=new.target,
        mappings=new.mappings,
        partition=partition_of(new.run),
        is_automatic=new.is_automatic,
        batch_size=new.batch_size,
        created_at=at,
    )
    job = jobs.accept(uow, _job_request(pending, JobType.ENRICHMENT))
    accepted = replace(pending, job_id=job.job_id)
    uow.enrichments.add(accepted)
    return accepted, job


class EnrichingFollower:
    """`RunFollower` of clusters whose runs write into the documents that they grouped."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def follow(self, uow: UnitOfWork, published: PublishedRun) -> Job | None:
        """Accept the writing back."""
        cluster, run = published.cluster, published.run
        if not writes_into_sources(cluster) or REPLAY_OF in run.overrides:
            return None
        new = NewEnrichment(
            cluster=cluster,
            run=run,
            sources=tuple(run.revisions),
            mappings=defined_mappings(cluster),
            is_automatic=True,
        )
        return accept_enrichment(uow, self._jobs, new, published.at)[1]

    def drawn(self, uow: UnitOfWork, published: PublishedRun) -> None:
        """Leave documents as they are: a later enrichment writes the places."""


class EnrichmentRemoval:
    """`GoesWithCluster` of enrichments: what they wrote stays, and cannot be undone any more."""

    def remove(self, uow: UnitOfWork, cluster: Cluster, *, keeps_output: bool) -> None:  # noqa: ARG002 - documents are the caller's
        """Remove them; one that is at work finds itself gone."""
        uow.enrichments.delete(cluster.cluster_id)


def _job_request(enrichment: Enrichment, job_type: JobType) -> JobRequest:
    return JobRequest(
        job_type=job_type,
        payload={
            "cluster_id": enrichment.cluster_id,
            "run_id": enrichment.run_id,
            "enrichment_id": enrichment.enrichment_id,
            "collection_ids": list(enrichment.written_collection_ids),
        },
        caller=Caller(namespace_id=enrichment.namespace_id),
    )


def _completed_run(uow: UnitOfWork, caller: Caller, cluster: Cluster, run_id: str | None) -> ClusterRun:
    if run_id is None:
        run = uow.cluster_runs.latest_completed(cluster.cluster_id)
    else:
        run = find_run(uow, caller, cluster.cluster_id, run_id)
    if run is None or run.status != ExecutionStatus.COMPLETED:
        message = "There is no completed execution whose groups could be written back."
        raise ArtifactNotFound(message, detail={"cluster_id": cluster.cluster_id, "run_id": run_id})
    return run


def _sources(uow: UnitOfWork, caller: Caller, run: ClusterRun, source: str | None) -> list[Collection]:
    """Return the collections that the run read and that there still are, or the one of them that is asked for."""
    read = uow.collections.get_many(caller.namespace_id, list(run.revisions))
    if source is None:
        return read
    asked = [one for one in read if source in {one.collection_id, one.collection_name}]
    if not asked:
        message = f"the execution {run.run_id} did not read this collection"
        raise InvalidFields.field("body", "source_collection_id", message=message, value=source)
    return asked


def _unless_source(target: Collection | None, sources: Sequence[Collection]) -> str | None:
    """Return the target, None where it is the only source: its documents are written where they are then."""
    is_source = target is not None and [one.collection_id for one in sources] == [target.collection_id]
    return None if target is None or is_source else target.collection_id


def _found(uow: UnitOfWork, caller: Caller, cluster: str, enrichment_id: str, *, lock: bool = False) -> Enrichment:
    cluster_id = find_cluster(uow, caller, cluster).cluster_id
    found = uow.enrichments.get(enrichment_id, lock=lock)
    if found is None or found.cluster_id != cluster_id:
        message = f"There is no enrichment {enrichment_id!r} of this cluster."
        raise EnrichmentNotFound(message, detail={"cluster_id": cluster_id, "enrichment_id": enrichment_id})
    return found
