"""Derived sets: a segment or chunk set and a patch of one item go in, a copy with that item changed comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application import producers
from shoald.application.chunking import visible_chunk_set
from shoald.application.hidden_passages import hidden_positions
from shoald.application.jobs import JobRequest
from shoald.application.joining import origin_of
from shoald.application.object_sweep import JOB_INPUTS
from shoald.application.segmenting import visible_segment_set
from shoald.domain.failures import ChunkItemNotFound, ChunkSetNotFound, SegmentItemNotFound, SegmentSetNotFound
from shoald.domain.identifiers import new_uuid
from shoald.domain.item_patch import checked_patch, segment_type
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet, SetItem
from shoald.domain.vocabulary import ArtifactKind, JobType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.jobs import Jobs
    from shoald.application.keyword_indexing import KeywordIndexJobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job

# what a job that does nothing costs, and what PostgreSQL copies in a second
_LEAST_SECONDS = 0.01
_ITEMS_PER_SECOND = 50_000
_CHARACTERS_PER_SECOND = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClonePatch:
    """Which item to change and how; `params` are stored with the new set under `clone_patch`."""

    item_id: str
    patch: JsonObject
    params: JsonObject


class ClonePatching:
    """Derives sets from sets; the new one is then the active one, and the old one stays as it is."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._jobs = jobs

    def segment_set(self, caller: Caller, set_id: str, change: ClonePatch, patience: Patience) -> SegmentSet:
        """Derive a segment set; raises `SegmentSetNotFound`, `SegmentItemNotFound`, `InvalidFields`."""
        checked_patch(change.patch)
        with self._open_unit_of_work() as uow:
            source = visible_segment_set(uow, caller, set_id)
            item = uow.segment_sets.find_item(set_id, change.item_id)
            if item is None or item.position in hidden_positions(uow, source):
                raise SegmentItemNotFound(detail={"item_id": change.item_id})
            job = self._accept(uow, caller, ArtifactKind.SEGMENT_SET, source, item, change)
            uow.commit()
        job = patience.finish(self._jobs, job)
        with self._open_unit_of_work() as uow:
            return visible_segment_set(uow, caller, job.result["segment_set_version_id"])

    def chunk_set(self, caller: Caller, set_id: str, change: ClonePatch, patience: Patience) -> ChunkSet:
        """Derive a chunk set; raises `ChunkSetNotFound`, `ChunkItemNotFound`, `InvalidFields`."""
        checked_patch(change.patch)
        with self._open_unit_of_work() as uow:
            source = visible_chunk_set(uow, caller, set_id)
            item = uow.chunk_sets.find_item(set_id, change.item_id)
            if item is None or item.position in hidden_positions(uow, source):
                raise ChunkItemNotFound(detail={"item_id": change.item_id})
            job = self._accept(uow, caller, ArtifactKind.CHUNK_SET, source, item, change)
            uow.commit()
        job = patience.finish(self._jobs, job)
        with self._open_unit_of_work() as uow:
            return visible_chunk_set(uow, caller, job.result["chunk_set_version_id"])

    def _accept(
        self,
        uow: UnitOfWork,
        caller: Caller,
        kind: ArtifactKind,
        source: SegmentSet | ChunkSet,
        item: SetItem,
        change: ClonePatch,
    ) -> Job:
        payload = {
            "kind": kind.value,
            "set_id": _set_id(source),
            "item_id": item.item_id,
            "position": item.position,
            "patch_key": self._put(change),
        }
        size = source.total_items / _ITEMS_PER_SECOND + source.total_characters / _CHARACTERS_PER_SECOND
        return self._jobs.accept(
            uow,
            JobRequest(
                job_type=JobType.CLONE_PATCH,
                payload=payload,
                caller=caller,
                project_id=source.project_id,
                estimated_seconds=_LEAST_SECONDS + size,
            ),
        )

    def _put(self, change: ClonePatch) -> str:
        # a job's payload is for reading, and a text may be large
        content = json.dumps({"patch": change.patch, "params": change.params}, default=dict)
        return self._objects.put(f"{JOB_INPUTS}/{new_uuid()}", content.encode()).key


class ClonePatchHandler:
    """`JobHandler` of derived sets: PostgreSQL copies the items itself, in one transaction."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        keyword_index_jobs: KeywordIndexJobs,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._keyword_index_jobs = keyword_index_jobs

    def run(self, context: JobContext) -> None:
        """Derive the set that the payload names."""
        job = context.job
        given = json.loads(self._objects.get(job.payload["patch_key"]))
        derive: Callable[[UnitOfWork, JobContext, dict[str, Any]], JsonObject] = (
            self._segment_set if job.payload["kind"] == ArtifactKind.SEGMENT_SET else self._chunk_set
        )
        with self._open_unit_of_work() as uow:
            context.complete(uow, derive(uow, context, given))
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing is shown before the set is whole."""

    def _segment_set(self, uow: UnitOfWork, context: JobContext, given: dict[str, Any]) -> JsonObject:
        job = context.job
        source = uow.segment_sets.get(job.payload["set_id"], namespace_id=job.namespace_id)
        if source is None:
            raise SegmentSetNotFound(detail={"segment_set_version_id": job.payload["set_id"]})
        before = uow.segment_sets.items_at(job.payload["set_id"], [job.payload["position"]])[job.payload["position"]]
        after = _patched(before, given["patch"], is_joined=source.document_version_id is None)
        after = replace(after, type=segment_type(after.type))
        clone = replace(
            source,
            segment_set_version_id=new_uuid(),
            parent_segment_set_version_id=source.segment_set_version_id,
            **self._changes(source, before, after, given["params"]),
            input_refs=_input_refs("parent_segment_set_version_id", job),
        )
        uow.segment_sets.add(replace(clone, is_active=False))
        uow.segment_sets.clone_items(clone.segment_set_version_id, source.segment_set_version_id, after)
        context.check()
        if clone.document_version_id is None:
            uow.projects.get_for_change(clone.project_id, namespace_id=job.namespace_id)
        else:
            uow.documents.lock_version(clone.document_version_id)
        uow.segment_sets.finish(clone)
        return {"segment_set_version_id": clone.segment_set_version_id, "total_items": clone.total_items}

    def _chunk_set(self, uow: UnitOfWork, context: JobContext, given: dict[str, Any]) -> JsonObject:
        job = context.job
        source = uow.chunk_sets.get(job.payload["set_id"], namespace_id=job.namespace_id)
        if source is None:
            raise ChunkSetNotFound(detail={"chunk_set_version_id": job.payload["set_id"]})
        before = uow.chunk_sets.items_at(job.payload["set_id"], [job.payload["position"]])[job.payload["position"]]
        segment_set = uow.segment_sets.get(source.segment_set_version_id, namespace_id=job.namespace_id)
        is_joined = segment_set is not None and segment_set.document_version_id is None
        after = _patched(before, given["patch"], is_joined=is_joined)
        clone = replace(
            source,
            chunk_set_version_id=new_uuid(),
            parent_chunk_set_version_id=source.chunk_set_version_id,
            **self._changes(source, before, after, given["params"]),
            input_refs=_input_refs("parent_chunk_set_version_id", job),
        )
        uow.chunk_sets.add(replace(clone, is_active=False))
        uow.chunk_sets.clone_items(clone.chunk_set_version_id, source.chunk_set_version_id, after)
        context.check()
        uow.projects.get_for_change(clone.project_id, namespace_id=job.namespace_id)
        uow.chunk_sets.finish(clone)
        self._keyword_index_jobs.accept(uow, job.namespace_id, clone)  # the scheduler sends it on its way
        return {"chunk_set_version_id": clone.chunk_set_version_id, "total_items": clone.total_items}

    def _changes(
        self, source: SegmentSet | ChunkSet, before: SetItem, after: SetItem, params: JsonObject
    ) -> dict[str, Any]:
        return {
            "params": {**source.params, "clone_patch": params},
            "producer_type": producers.LIBRARY,
            "producer_version": producers.VERSION,
            "created_at": self._clock.now(),
            "total_characters": source.total_characters - len(before.content) + len(after.content),
        }


def _patched(before: SetItem, patch: JsonObject, *, is_joined: bool) -> SetItem:
    """Return the item as the patch makes it; one of a joined set still says which document it hides with."""
    after = replace(before, **checked_patch(patch))
    return replace(after, metadata={**after.metadata, **origin_of(before)}) if is_joined else after


def _set_id(source: SegmentSet | ChunkSet) -> str:
    return source.chunk_set_version_id if isinstance(source, ChunkSet) else source.segment_set_version_id


def _input_refs(parent: str, job: Job) -> JsonObject:
    return {parent: job.payload["set_id"], "patched_item_id": job.payload["item_id"]}
