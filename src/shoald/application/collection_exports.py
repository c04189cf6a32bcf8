"""Collections as files to take away: a question goes in, a job writes documents and vectors, addresses come out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from shoald.application.access import Caller
from shoald.application.collections import find_collection
from shoald.application.document_reading import path_of, value_at
from shoald.application.file_links import FileAddresses
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.listing import condition_of
from shoald.application.object_sweep import EXPORTS
from shoald.application.ports.clock import Clock
from shoald.application.ports.export_tables import ExportTable, ExportTables, Row
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore, ObjectWriter
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import CollectionNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection, CollectionDocument
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobType

LINK_SECONDS = 3600
_OWN = ("document_id", "collection_id")
_DOCUMENTS, _VECTORS = "documents", "vectors"
_LEAST_SECONDS, _DOCUMENT_SECONDS, _VECTOR_SECONDS = 0.02, 75e-6, 75e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportQuestion:
    """What is exported: which documents and fields (none: all) in which `CollectionFormat`, and whether vectors are."""

    format: str
    fields: tuple[str, ...] = ()
    filters: JsonObject | None = None
    most: int | None = None
    include_vectors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A file of an export: its short-lived address, the URI of its object, and its size in bytes."""

    url: str
    uri: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionExport:
    """The files of an export, with the number of documents in them."""

    format: str
    document_count: int
    exported_at: datetime
    documents: ExportedFile
    vectors: ExportedFile | None


class CollectionExports:
    """Exports the caller's collections."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs, objects: ObjectStore, addresses: FileAddresses
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs
        self._objects = objects
        self._addresses = addresses

    def export(self, caller: Caller, collection: str, asked: ExportQuestion, *, seconds: float) -> CollectionExport:
        """Write the files by a job, wait for it, and return where they are.

        Raises `CollectionNotFound`, `InvalidFields` for a filter or a field that means nothing, `TooLarge` for more
        fields than a table may have, and `DeadlineExceeded` when it takes longer than `seconds`; the job goes on then.
        """
        condition_of(asked.filters)
        for at, name in enumerate(asked.fields):
            path_of(name, "select_fields", at)
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, collection)
            job = self._jobs.accept(uow, _request(caller, found, asked))
            uow.commit()
        return self._lent(self._jobs.finish(job, seconds))

    def _lent(self, job: Job) -> CollectionExport:
        made = job.result
        return CollectionExport(
            format=made["format"],
            document_count=made["documents"],
            exported_at=datetime.fromisoformat(made["exported_at"]),
            documents=self._file(made["file"]),
            vectors=None if made["vectors"] is None else self._file(made["vectors"]),
        )

    def _file(self, stored: JsonObject) -> ExportedFile:
        url = self._addresses.of(stored["key"], filename=stored["filename"], seconds=LINK_SECONDS)
        return ExportedFile(url=url, uri=self._objects.uri(stored["key"]), size=stored["bytes"])


class CollectionExportHandler:
    """`JobHandler` of exports. An attempt writes apart from those before it, and all of it or nothing is seen."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, tables: ExportTables
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._tables = tables

    def run(self, context: JobContext) -> None:
        """Write the documents and their vectors as they were when the reading began, whatever is written meanwhile."""
        asked = _question(context.job.payload)
        with self._open_unit_of_work() as uow:
            uow.keep_moment()
            found = _collection(uow, context.job)
            with ExitStack() as stack:
                files = {name: stack.enter_context(self._objects.open_writer()) for name in _names(asked)}
                count = self._written(uow, context, _Export(found, asked, files))
                stored = {name: _published(context.job, found, name, asked.format, files[name]) for name in files}
        with self._open_unit_of_work() as uow:
            made = {
                "format": asked.format,
                "documents": count,
                "exported_at": self._clock.now().isoformat(),
                "file": stored[_DOCUMENTS],
                "vectors": stored.get(_VECTORS),
            }
            context.complete(uow, made)
            uow.commit()

    def _written(self, uow: UnitOfWork, context: JobContext, export: _Export) -> int:
        """Write the tables, and return how many documents they have."""
        found, asked, count = export.collection, export.asked, 0
        total = max(1, found.document_count if asked.most is None else min(asked.most, found.document_count))
        with self._opened(export) as (documents, vectors):
            condition = condition_of(asked.filters)
            for some in uow.collections.scanned(found.collection_id, condition, limit=asked.most):
                documents.write([_row(one, asked.fields) for one in some])
                if vectors is not None:
                    vectors.write(_vector_rows(uow, found.collection_id, some))
                count += len(some)
                context.progress("export", min(1.0, count / total), f"{count} documents")
        return count

    @contextmanager
    def _opened(self, export: _Export) -> Iterator[tuple[ExportTable, ExportTable | None]]:
        asked, files = export.asked, export.files
        columns = tuple(dict.fromkeys((*_OWN, *asked.fields)))
        with ExitStack() as stack:
            documents = stack.enter_context(self._tables.documents(files[_DOCUMENTS], asked.format, columns))
            if not asked.include_vectors:
                yield documents, None
                return
            kinds = {one.name: one.kind for one in export.collection.vector_configs}
            yield documents, stack.enter_context(self._tables.vectors(files[_VECTORS], asked.format, kinds))

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing follows the job: it writes files alone."""


@dataclass(frozen=True, slots=True)
class _Export:
    """What is written of which collection into which files."""

    collection: Collection
    asked: ExportQuestion
    files: Mapping[str, ObjectWriter]


def _request(caller: Caller, found: Collection, asked: ExportQuestion) -> JobRequest:
    each = _DOCUMENT_SECONDS + (_VECTOR_SECONDS if asked.include_vectors else 0.0)
    return JobRequest(
        job_type=JobType.COLLECTION_EXPORT,
        payload={"collection_ids": [found.collection_id], "asked": {**asdict(asked), "fields": list(asked.fields)}},
        caller=caller,
        estimated_seconds=_LEAST_SECONDS + each * found.document_count,
    )


def _question(payload: JsonObject) -> ExportQuestion:
    asked: dict[str, Any] = dict(payload["asked"])
    return ExportQuestion(**{**asked, "fields": tuple(asked["fields"])})


def _names(asked: ExportQuestion) -> tuple[str, ...]:
    return (_DOCUMENTS, _VECTORS) if asked.include_vectors else (_DOCUMENTS,)


def _collection(uow: UnitOfWork, job: Job) -> Collection:
    found = uow.collections.get_many(job.namespace_id, job.payload["collection_ids"])
    if not found:
        raise CollectionNotFound(detail={"collection_ids": job.payload["collection_ids"]})
    return found[0]


def _row(document: CollectionDocument, fields: Sequence[str]) -> Row:
    own = {"document_id": document.document_id, "collection_id": document.collection_id}
    if not fields:
        return {**document.payload, **own}
    chosen = {name: value_at(document.payload, name.split(".")) for name in fields}
    return {**chosen, **own}


def _vector_rows(uow: UnitOfWork, collection_id: str, some: Sequence[CollectionDocument]) -> list[Row]:
    found = uow.collections.vectors(collection_id, [one.document_id for one in some])
    return [{"document_id": one.document_id, **found[one.document_id]} for one in some]


def _published(job: Job, found: Collection, name: str, word: str, writer: ObjectWriter) -> JsonObject:
    """Publish a file; its name for downloads stands in a header."""
    stored = writer.publish(f"{EXPORTS}/{job.job_id}/{job.attempt}/{name}.{word}")
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", found.collection_name)
    part = "_vectors" if name == _VECTORS else ""
    return {"key": stored.key, "bytes": stored.size, "filename": f"{plain}{part}.{word}"}
