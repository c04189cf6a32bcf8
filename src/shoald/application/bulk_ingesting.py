"""Many small files at once: their documents in one transaction, their segment sets in another, made by one job.

A file alone costs some thirty statements, nearly all of them those of its upload, its job and its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoald.application import producers
from shoald.application.jobs import JobRequest
from shoald.application.segmenting import SegmentsHandler, known_loader
from shoald.domain.failures import BadRequest, DocumentNotFound, Failure
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.document import Document, DocumentVersion
from shoald.domain.records.segment_set import SegmentSet, SetItem
from shoald.domain.vocabulary import JobType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.documents import Documents, FileInfo
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFile:
    """One file, whole, and the loader that is to read it with these parameters."""

    file: FileInfo
    loader_type: str
    loader_params: JsonObject = field(default_factory=dict)
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedFile:
    """What became of a file: its ids, the last of which is None for one that could not be read, and then why."""

    filename: str
    document_id: str
    document_version_id: str
    segment_set_version_id: str | None
    error_code: str | None
    error_message: str | None


class BulkIngesting:
    """Takes small files in as far as their segment sets."""

    def __init__(self, *, documents: Documents, open_unit_of_work: OpenUnitOfWork, jobs: Jobs) -> None:
        self._documents = documents
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs

    def ingest(
        self, caller: Caller, project_id: str, files: Sequence[SmallFile], patience: Patience
    ) -> list[IngestedFile]:
        """Store and segment the files; a file that cannot be read stops none of the others.

        Raises `ProjectNotFound`, and `UnsupportedLoader` before anything is stored.
        """
        loaders = [known_loader(file.loader_type) for file in files]
        stored = self._documents.store_small(caller, project_id, [(file.file, file.content) for file in files])
        payload = {
            "files": [
                {"version_id": version.version_id, "loader_type": loader.value, "loader_params": file.loader_params}
                for (_, version), loader, file in zip(stored, loaders, files, strict=True)
            ]
        }
        with self._open_unit_of_work() as uow:
            job = self._jobs.accept(
                uow,
                JobRequest(job_type=JobType.SEGMENTS_BATCH, payload=payload, caller=caller, project_id=project_id),
            )
            uow.commit()
        job = patience.finish(self._jobs, job)
        return [_ingested(pair, made) for pair, made in zip(stored, job.result["files"], strict=True)]


class SegmentsBatchHandler:
    """`JobHandler` of segments of many small files: each is read, then stored, all in one transaction."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, segments: SegmentsHandler) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._segments = segments

    def run(self, context: JobContext) -> None:
        """Segment the versions that the payload names; the result says of each what became of it."""
        files = context.job.payload["files"]
        made = []
        with self._open_unit_of_work() as uow:
            for done, file in enumerate(files):
                context.progress("segments", done / len(files), f"{done} of {len(files)} files")
                # no more than one is held: a small file may unpack to much
                made.append(_stored(uow, self._read(context.job, file)))
            context.check()
            context.complete(uow, {"files": made})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing is shown before the sets are whole."""

    def _read(self, job: Job, file: JsonObject) -> tuple[SegmentSet, list[SetItem]] | Failure:
        with self._open_unit_of_work() as uow:
            found = uow.documents.get_version(file["version_id"], namespace_id=job.namespace_id)
        if found is None or found[1].is_deleted:
            return DocumentNotFound()
        version, document = found
        try:
            items = list(self._segments.segments(replace(job, payload=file), version, document))
        except BadRequest as failure:
            return failure
        return _new_set(document, version, file, items, self._clock), items


def _stored(uow: UnitOfWork, read: tuple[SegmentSet, list[SetItem]] | Failure) -> dict[str, Any]:
    if isinstance(read, Failure):
        return {"error_code": read.code, "error_message": read.message}
    segment_set, items = read
    uow.documents.lock_version(str(segment_set.document_version_id))
    uow.segment_sets.add(segment_set)
    uow.segment_sets.write_items(segment_set.segment_set_version_id, items)
    uow.segment_sets.finish(segment_set)
    return {"segment_set_version_id": segment_set.segment_set_version_id}


def _ingested(stored: tuple[Document, DocumentVersion], made: JsonObject) -> IngestedFile:
    document, version = stored
    return IngestedFile(
        filename=document.filename,
        document_id=document.document_id,
        document_version_id=version.version_id,
        segment_set_version_id=made.get("segment_set_version_id"),
        error_code=made.get("error_code"),
        error_message=made.get("error_message"),
    )


def _new_set(
    document: Document, version: DocumentVersion, file: JsonObject, items: Sequence[SetItem], clock: Clock
) -> SegmentSet:
    return SegmentSet(
        segment_set_version_id=new_uuid(),
        project_id=document.project_id,
        document_version_id=version.version_id,
        parent_segment_set_version_id=None,
        params={"loader_type": file["loader_type"], "loader_params": file["loader_params"], "source_text": False},
        input_refs={"document_version_id": version.version_id},
        artifact_uri=None,
        producer_type=producers.LIBRARY,
        producer_version=producers.VERSION,
        is_active=False,
        is_deleted=False,
        created_at=clock.now(),
        total_items=len(items),
        total_characters=sum(len(item.content) for item in items),
    )
