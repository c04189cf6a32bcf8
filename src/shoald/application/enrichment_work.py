"""The jobs of enrichments: members of a run are read and written back in batches, and brought back in batches.

Each batch is one transaction under the attempt's fence that also notes how far the work is, so that an attempt that
was killed is gone on with where it stopped: nothing is left out, and nothing is kept twice of what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shoald.application.enrichment_fields import MemberValues
from shoald.application.output_events import documents_enriched
from shoald.application.ports.clock import Clock
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.failures import ClusterNotFound, EnrichmentNotFound, ExecutionNotFound
from shoald.domain.job_states import Progressed
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.enrichment import Enrichment
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import EnrichmentStatus, JobState

_ENDS = {
    JobState.FAILED: EnrichmentStatus.FAILED,
    JobState.CANCELED: EnrichmentStatus.CANCELED,
    JobState.SKIPPED: EnrichmentStatus.CANCELED,
}

ByCollection = Mapping[str, Mapping[str, JsonObject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentBatch:
    """The next members: how many there are, and what is written into which documents of which collection."""

    members: int
    values: ByCollection

    @property
    def documents(self) -> int:
        """Documents that are to be written."""
        return sum(map(len, self.values.values()))


class EnrichmentWriting:
    """Writes an enrichment batch by batch, whatever its values come from, and sees it to its end."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def write(self, context: JobContext, batch: EnrichmentBatch) -> bool:
        """Write one batch and note it; False when a newer enrichment has overtaken this one."""
        with self._open_unit_of_work() as uow:
            enrichment = _fenced(uow, context)
            if uow.enrichments.is_overtaken(enrichment):
                return False
            there = _lock(uow, enrichment)
            enriched = 0
            for collection_id, values in batch.values.items():
                if (enrichment.target_collection_id or collection_id) in there:
                    written = uow.enrichments.write(enrichment, collection_id, values, at=self._clock.now())
                    enriched += written.enriched
            uow.enrichments.change(
                enrichment.enrichment_id,
                position=enrichment.position + batch.members,
                enriched=enrichment.enriched + enriched,
                failed=enrichment.failed + batch.documents - enriched,
                batches=enrichment.batches + 1,
            )
            uow.commit()
        return True

    def start_over(self, context: JobContext) -> None:
        """Bring back, batch by batch, what an attempt before this one wrote, and count from nothing again."""
        while self._brought_back(context):
            context.progress("enrich", 0.0, "beginning anew")

    def _brought_back(self, context: JobContext) -> int:
        with self._open_unit_of_work() as uow:
            enrichment = _fenced(uow, context)
            _lock(uow, enrichment)
            restored = uow.enrichments.restore(enrichment, limit=enrichment.batch_size, at=self._clock.now())
            uow.enrichments.change(enrichment.enrichment_id, position=0, enriched=0, failed=0, batches=0)
            uow.commit()
        return restored

    def complete(self, context: JobContext) -> None:
        """End the job: what older ones kept of the same keys can no longer be brought back."""
        with self._open_unit_of_work() as uow:
            enrichment = held_enrichment(uow, context, lock=True)
            is_overtaken = uow.enrichments.is_overtaken(enrichment)
            status = EnrichmentStatus.REPLACED if is_overtaken else EnrichmentStatus.COMPLETED
            now = self._clock.now()
            uow.enrichments.change(enrichment.enrichment_id, status=status.value, completed_at=now)
            if is_overtaken:
                uow.enrichments.forget(enrichment.enrichment_id)
            else:
                uow.enrichments.replace_older(enrichment)
            for event in documents_enriched(enrichment, enrichment.enriched, now):
                uow.events.add(event)
            context.complete(uow, {"enrichment_id": enrichment.enrichment_id, "enriched": enrichment.enriched})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the enrichment along with its job."""
        _follow(uow, job, EnrichmentStatus.PROCESSING)


class EnrichmentHandler:
    """`JobHandler` of enrichments; in constant memory beside one batch."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, tables: RunTables
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._writing = EnrichmentWriting(open_unit_of_work=open_unit_of_work, clock=clock)
        self._objects = objects
        self._tables = tables

    def run(self, context: JobContext) -> None:
        """Write what is not written yet, unless a newer enrichment writes the same."""
        with self._open_unit_of_work() as uow:
            enrichment = held_enrichment(uow, context)
            run, values = _what(uow, enrichment)
        total = max(1, run.artifacts[MEMBERS]["rows"])
        done = enrichment.position
        for batch in self._batches(run, enrichment, values):
            context.progress("enrich", done / total, f"{done} of {total} members")
            if not self._writing.write(context, batch):
                break
            done += batch.members
        self._writing.complete(context)

    def _batches(self, run: ClusterRun, enrichment: Enrichment, values: MemberValues) -> Iterator[EnrichmentBatch]:
        """Yield the members behind the enrichment's position."""
        stored, at = run.artifacts[MEMBERS], 0
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            for batch in self._tables.read(path, batch_rows=enrichment.batch_size):
                at += len(batch["point_id"])
                if at > enrichment.position:
                    yield _batch(batch, values, frozenset(enrichment.source_collection_ids))

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the enrichment along with its job."""
        self._writing.follow(uow, job)


class EnrichmentUndoHandler:
    """`JobHandler` that brings back what was there before an enrichment."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def run(self, context: JobContext) -> None:
        """Bring back batch after batch; what was brought back is forgotten in the same transaction."""
        while restored := self._restore(context):
            context.progress("undo", 0.5, f"{restored} documents brought back")
        with self._open_unit_of_work() as uow:
            enrichment = held_enrichment(uow, context, lock=True)
            now = self._clock.now()
            uow.enrichments.change(enrichment.enrichment_id, status=EnrichmentStatus.UNDONE.value, undone_at=now)
            for event in documents_enriched(enrichment, enrichment.restored, now):
                uow.events.add(event)
            context.complete(uow, {"enrichment_id": enrichment.enrichment_id, "restored": enrichment.restored})
            uow.commit()

    def _restore(self, context: JobContext) -> int:
        """Bring back one batch; returns how many documents have been until now, 0 when there are none left."""
        with self._open_unit_of_work() as uow:
            enrichment = _fenced(uow, context)
            _lock(uow, enrichment)
            restored = uow.enrichments.restore(enrichment, limit=enrichment.batch_size, at=self._clock.now())
            if not restored:
                return 0
            total = enrichment.restored + restored
            uow.enrichments.change(enrichment.enrichment_id, restored=total)
            uow.commit()
        return total

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the enrichment along with its job."""
        _follow(uow, job, EnrichmentStatus.UNDOING)


def _batch(batch: Mapping[str, Any], values: MemberValues, sources: frozenset[str]) -> EnrichmentBatch:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for collection_id, document_id, written in values.of(batch):
        if collection_id in sources:
            # a document that is a member once for each feature comes more than once
            found.setdefault(collection_id, {}).setdefault(document_id, {}).update(written)
    return EnrichmentBatch(members=len(batch["point_id"]), values=found)


def held_enrichment(uow: UnitOfWork, context: JobContext, *, lock: bool = False) -> Enrichment:
    """Return the enrichment of a job; raises `EnrichmentNotFound` when it went with its cluster or taxonomy."""
    enrichment_id = context.job.payload["enrichment_id"]
    found = uow.enrichments.get(enrichment_id, lock=lock)
    if found is None:
        raise EnrichmentNotFound(detail={"enrichment_id": enrichment_id})
    return found


def _fenced(uow: UnitOfWork, context: JobContext) -> Enrichment:
    """Return the enrichment, held; raises `JobFenced` when another attempt has taken the job over."""
    context.check()
    uow.jobs.apply(context.job.job_id, Progressed(context.job.attempt))
    return held_enrichment(uow, context, lock=True)


def _lock(uow: UnitOfWork, enrichment: Enrichment) -> list[str]:
    """Keep other writers away from the collections that are written, and return those that there still are."""
    locked = [uow.collections.lock(one) for one in enrichment.written_collection_ids]
    return [one.collection_id for one in locked if one is not None]


def _what(uow: UnitOfWork, enrichment: Enrichment) -> tuple[ClusterRun, MemberValues]:
    run = uow.cluster_runs.get(enrichment.run_id)
    if run is None:
        raise ExecutionNotFound(detail={"run_id": enrichment.run_id})
    cluster = uow.clusters.find(enrichment.namespace_id, enrichment.cluster_id)
    if cluster is None:
        raise ClusterNotFound(detail={"cluster_id": enrichment.cluster_id})
    values = MemberValues(cluster=cluster, run=run, mappings=enrichment.mappings, partition=enrichment.partition)
    return run, values


def _follow(uow: UnitOfWork, job: Job, working: EnrichmentStatus) -> None:
    """Say that the enrichment is at work, or how it ended; a failed undoing can be asked for again."""
    enrichment_id, end = job.payload["enrichment_id"], _ENDS.get(job.state)
    if end is None:
        uow.enrichments.change(enrichment_id, status=working.value)
    else:
        said = {"error_code": job.error_code, "error_message": job.error_message}
        uow.enrichments.change(enrichment_id, status=end.value, **said)
