"""Segment sets: a document version goes in, its text comes out as a set of segments, made by a job."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application import producers
from shoald.application.documents import visible_version
from shoald.application.hidden_passages import as_seen
from shoald.application.jobs import JobRequest
from shoald.application.object_sweep import JOB_INPUTS
from shoald.application.projects import visible_project
from shoald.application.set_items import Totals, item_batches, json_batches
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import DocumentVersionNotFound, SegmentSetNotFound, UnsupportedLoader
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.loader_params import with_defaults
from shoald.domain.records.document import Document, DocumentVersion
from shoald.domain.records.segment_set import SegmentSet, SetItem
from shoald.domain.vocabulary import JobType, LoaderType, SegmentType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.document_loader import DocumentLoader
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job

# what a job that does nothing costs, and a loader's child process before the first byte
_LEAST_SECONDS = 0.01
_CHILD_SECONDS = 0.1
_TEXT_BYTES_PER_SECOND = 5_000_000
# what a loader and the storing of its segments may take for a file at its worst: `1,1,1,…` is a segment per two bytes
_WORST_BYTES_PER_SECOND = {LoaderType.TEXT: _TEXT_BYTES_PER_SECOND, LoaderType.CSV: 1_000_000, LoaderType.QA: 500_000}
_HOSTILE_BYTES_PER_SECOND = 100_000
# a few bytes of these may keep a parser busy for seconds
_NEVER_SHORT = frozenset({LoaderType.PDF, LoaderType.DOCX, LoaderType.EXCEL, LoaderType.PPTX})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """How to segment: by a loader with its params, or, when there is `source_text`, as that one segment."""

    loader_type: str
    loader_params: JsonObject
    source_text: str | None = None


class Segmenting:
    """Makes segment sets of document versions, and reads them."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._jobs = jobs

    def create(self, caller: Caller, version_id: str, how: Segmentation, patience: Patience) -> SegmentSet:
        """Segment a version and return the set, which is then the active one of its version.

        Raises `DocumentVersionNotFound`, `DocumentNotFound`, `UnsupportedLoader`, `InvalidLoaderParams`.
        """
        with self._open_unit_of_work() as uow:
            found = visible_version(uow, caller, version_id)
            payload = self._payload(found[0], how)
            job = self._jobs.accept(uow, _job_request(caller, found, payload, len(how.source_text or "")))
            uow.commit()
        job = patience.finish(self._jobs, job)
        return self.get(caller, job.result["segment_set_version_id"])

    def _payload(self, version: DocumentVersion, how: Segmentation) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "version_id": version.version_id,
            "loader_type": how.loader_type,
            "loader_params": dict(how.loader_params),
        }
        if how.source_text:
            # a job's payload is for reading, and a text may be large
            payload["source_text_key"] = _put_text(self._objects, how.source_text)
        else:
            loader = known_loader(how.loader_type)
            payload["loader_params"] = with_defaults(loader, how.loader_params, version.parser_params)
        return payload

    def list(self, caller: Caller, project_id: str, wanted: ListRange) -> Listed[SegmentSet]:
        """Return the segment sets of a project, newest first; raises `ProjectNotFound`."""
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            return read_list(
                lambda offset, limit: uow.segment_sets.list(project_id, offset=offset, limit=limit), wanted
            )

    def get(self, caller: Caller, set_id: str) -> SegmentSet:
        """Return a segment set; raises `SegmentSetNotFound`."""
        with self._open_unit_of_work() as uow:
            return visible_segment_set(uow, caller, set_id)

    def as_seen(self, segment_set: SegmentSet) -> SegmentSet:
        """Return a set that the caller was given with the number of items that it can read."""
        with self._open_unit_of_work(reading=True) as uow:
            return as_seen(uow, segment_set)

    def items(self, segment_set: SegmentSet, *, start: int = 0) -> Iterator[Sequence[SetItem]]:
        """Yield the items of a set that the caller was given, by position, in batches of about a megabyte.

        Passages of deleted documents are left out of a joined set.
        """
        return item_batches(self._open_unit_of_work, segment_set, start=start)

    def items_as_json(self, segment_set: SegmentSet) -> Iterator[str]:
        """Yield what `items` does as JSON objects joined by commas."""
        return json_batches(self._open_unit_of_work, segment_set)


class SegmentsHandler:
    """`JobHandler` of segments: loads and stores in one transaction, so that a set is there whole or not at all."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, loader: DocumentLoader
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._loader = loader

    def run(self, context: JobContext) -> None:
        """Segment the version that the payload names."""
        job = context.job
        with self._open_unit_of_work() as uow:
            found = uow.documents.get_version(job.payload["version_id"], namespace_id=job.namespace_id)
        if found is None or found[1].is_deleted:
            raise DocumentVersionNotFound(detail={"version_id": job.payload["version_id"]})
        version, document = found
        with contextlib.closing(self.segments(job, version, document)) as segments:
            self._store(context, _new_set(job, version, document, self._clock), segments)

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing is shown before the set is whole."""

    def _store(self, context: JobContext, segment_set: SegmentSet, segments: Iterator[SetItem]) -> None:
        totals = Totals(report=lambda count: context.progress("segments", 0.5, f"{count} segments"))
        set_id = segment_set.segment_set_version_id
        with self._open_unit_of_work() as uow:
            uow.segment_sets.add(segment_set)
            uow.segment_sets.write_items(set_id, totals.counted(segments))
            context.check()
            uow.documents.lock_version(str(segment_set.document_version_id))
            uow.segment_sets.finish(replace(segment_set, total_items=totals.items, total_characters=totals.characters))
            context.complete(uow, {"segment_set_version_id": set_id, "total_items": totals.items})
            uow.commit()

    def segments(self, job: Job, version: DocumentVersion, document: Document) -> Generator[SetItem]:
        """Yield the segments of a version, read as the job's payload says."""
        if "source_text_key" in job.payload:
            yield _source_text(self._objects.get(job.payload["source_text_key"]).decode())
            return
        key = self._objects.key_of(version.artifact_uri or document.storage_uri)
        with self._objects.local_copy(key, version.content_hash) as path:
            yield from self._loader.load(
                path,
                filename=version.filename,
                loader_type=job.payload["loader_type"].lower(),
                loader_params=job.payload["loader_params"],
                keep=self._keep,
            )

    def _keep(self, picture: bytes, mime: str) -> JsonObject:
        # under the hash of its bytes, as uploads lie: sets that are derived from this one name it too
        with self._objects.open_writer() as writer:
            writer.write(picture)
            stored = writer.publish()
        uri = self._objects.uri(stored.key)
        return {"object_uri": uri, "mime": mime, "size": stored.size, "content_hash": stored.sha256}


def known_loader(loader_type: str) -> LoaderType:
    """Return the loader of this name, case ignored; raises `UnsupportedLoader`."""
    try:
        return LoaderType(loader_type.lower())
    except ValueError:
        raise UnsupportedLoader(
            f"Unsupported loader: {loader_type}",
            detail={"loader_type": loader_type},
            hint=f"Known loaders: {', '.join(LoaderType)}.",
        ) from None


def visible_segment_set(uow: UnitOfWork, caller: Caller, set_id: str) -> SegmentSet:
    """Return a segment set of the caller's namespace; raises `SegmentSetNotFound`."""
    segment_set = uow.segment_sets.get(set_id, namespace_id=caller.namespace_id)
    if segment_set is None:
        raise SegmentSetNotFound(detail={"segment_set_version_id": set_id})
    return segment_set


def _put_text(objects: ObjectStore, text: str) -> str:
    return objects.put(f"{JOB_INPUTS}/{new_uuid()}", text.encode()).key


def _job_request(
    caller: Caller, found: tuple[DocumentVersion, Document], payload: JsonObject, text_length: int
) -> JobRequest:
    seconds = (
        _LEAST_SECONDS + text_length / _TEXT_BYTES_PER_SECOND
        if "source_text_key" in payload
        else _loading_seconds(payload, found[0].size)
    )
    return JobRequest(
        job_type=JobType.SEGMENTS,
        payload=payload,
        caller=caller,
        project_id=found[1].project_id,
        estimated_seconds=seconds,
    )


def _loading_seconds(payload: JsonObject, size: int) -> float | None:
    """Estimate by the worst file of that size; None is for what only a worker should do, a jq program too."""
    loader = known_loader(payload["loader_type"])
    if loader in _NEVER_SHORT or payload["loader_params"].get("jq_schema", ".") != ".":
        return None
    return _CHILD_SECONDS + size / _WORST_BYTES_PER_SECOND.get(loader, _HOSTILE_BYTES_PER_SECOND)


def _new_set(job: Job, version: DocumentVersion, document: Document, clock: Clock) -> SegmentSet:
    return SegmentSet(
        segment_set_version_id=new_uuid(),
        project_id=document.project_id,
        document_version_id=version.version_id,
        parent_segment_set_version_id=None,
        params={
            "loader_type": job.payload["loader_type"],
            "loader_params": job.payload["loader_params"],
            "source_text": "source_text_key" in job.payload,
        },
        input_refs={"document_version_id": version.version_id},
        artifact_uri=None,
        producer_type=producers.LIBRARY,
        producer_version=producers.VERSION,
        is_active=False,
        is_deleted=False,
        created_at=clock.now(),
        total_items=0,
        total_characters=0,
    )


def _source_text(text: str) -> SetItem:
    return SetItem(
        item_id=new_uuid(),
        position=0,
        content=text,
        metadata={},
        parent_id=None,
        level=0,
        path=(),
        type=SegmentType.TEXT,
        original_format="text",
    )
