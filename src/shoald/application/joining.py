"""Joined segment sets: the sets of many files go in, one set whose items say where they came from comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shoald.application import producers
from shoald.application.jobs import JobRequest
from shoald.application.projects import visible_project
from shoald.application.segmenting import visible_segment_set
from shoald.domain.failures import SegmentSetNotFound
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.document import Document
from shoald.domain.records.segment_set import SegmentSet, SetItem
from shoald.domain.vocabulary import JobType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job

_SETS_PER_SECOND = 1_000
_ITEMS_PER_SECOND = 50_000
_ORIGIN = ("document_id", "document_version_id", "filename", "source_path")


class Joining:
    """Makes one segment set of many."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs

    def create(self, caller: Caller, project_id: str, set_ids: Sequence[str], patience: Patience) -> SegmentSet:
        """Join sets of a project in this order, each once; none means the active set of every document.

        The new set is then the active joined set of the project. Raises `ProjectNotFound`, `SegmentSetNotFound`.
        """
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            sources = _sources(uow, caller, project_id, set_ids)
            payload = {
                "project_id": project_id,
                "segment_set_ids": [source.segment_set_version_id for source in sources],
                "all_active": not set_ids,
            }
            job = self._jobs.accept(
                uow,
                JobRequest(
                    job_type=JobType.JOIN,
                    payload=payload,
                    caller=caller,
                    project_id=project_id,
                    estimated_seconds=_estimate(sources),
                ),
            )
            uow.commit()
        job = patience.finish(self._jobs, job)
        with self._open_unit_of_work() as uow:
            return visible_segment_set(uow, caller, job.result["segment_set_version_id"])


class JoinHandler:
    """`JobHandler` of joins: PostgreSQL copies the items itself, set after set, in one transaction."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def run(self, context: JobContext) -> None:
        """Join the sets that the payload names."""
        job = context.job
        with self._open_unit_of_work() as uow:
            sources = [_source(uow, job, set_id) for set_id in job.payload["segment_set_ids"]]
            joined = _new_set(job, sources, self._clock)
            uow.segment_sets.add(joined)
            _join(uow, context, joined, sources)
            uow.projects.get_for_change(joined.project_id, namespace_id=job.namespace_id)
            uow.segment_sets.finish(joined)
            result = {"segment_set_version_id": joined.segment_set_version_id, "total_items": joined.total_items}
            context.complete(uow, result)
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing is shown before the set is whole."""


def _join(uow: UnitOfWork, context: JobContext, joined: SegmentSet, sources: Sequence[SegmentSet]) -> None:
    versions = [source.document_version_id for source in sources if source.document_version_id]
    documents = uow.documents.of_versions(versions)
    position = 0
    for done, source in enumerate(sources, 1):
        origin = _origin(source, documents)
        uow.segment_sets.join_items(joined.segment_set_version_id, source, first_position=position, metadata=origin)
        position += source.total_items
        context.progress("join", done / len(sources), f"{done} of {len(sources)} sets")


def origin_of(item: SetItem) -> JsonObject:
    """Return what the metadata of an item of a joined set say of where it came from."""
    return {name: item.metadata[name] for name in _ORIGIN if name in item.metadata}


def _origin(source: SegmentSet, documents: dict[str, Document]) -> JsonObject:
    """Return what the items of a set get into their metadata; those of a joined set have it already."""
    if source.document_version_id is None:
        return {}
    return documents[source.document_version_id].origin(source.document_version_id)


def _sources(uow: UnitOfWork, caller: Caller, project_id: str, set_ids: Sequence[str]) -> list[SegmentSet]:
    if set_ids:
        sources = [visible_segment_set(uow, caller, set_id) for set_id in dict.fromkeys(set_ids)]
        foreign = next((source for source in sources if source.project_id != project_id), None)
        if foreign is not None:
            raise SegmentSetNotFound(detail={"segment_set_version_id": foreign.segment_set_version_id})
        return sources
    active = list(uow.segment_sets.active_of_documents(project_id))
    if not active:
        raise SegmentSetNotFound(
            "No document of the project has an active segment set.",
            detail={"project_id": project_id},
            hint="Segment a document first, or name the sets in segment_set_ids.",
        )
    return active


def _source(uow: UnitOfWork, job: Job, set_id: str) -> SegmentSet:
    source = uow.segment_sets.get(set_id, namespace_id=job.namespace_id)
    if source is None:
        raise SegmentSetNotFound(detail={"segment_set_version_id": set_id})
    return source


def _estimate(sources: Sequence[SegmentSet]) -> float:
    return len(sources) / _SETS_PER_SECOND + sum(source.total_items for source in sources) / _ITEMS_PER_SECOND


def _new_set(job: Job, sources: Sequence[SegmentSet], clock: Clock) -> SegmentSet:
    return SegmentSet(
        segment_set_version_id=new_uuid(),
        project_id=job.payload["project_id"],
        document_version_id=None,
        parent_segment_set_version_id=None,
        params={"join": {"sets": len(sources), "all_active": job.payload["all_active"]}},
        input_refs={"segment_set_version_ids": [source.segment_set_version_id for source in sources]},
        artifact_uri=None,
        producer_type=producers.LIBRARY,
        producer_version=producers.VERSION,
        is_active=False,
        is_deleted=False,
        created_at=clock.now(),
        total_items=sum(source.total_items for source in sources),
        total_characters=sum(source.total_characters for source in sources),
    )
