"""Keyword indexes are made here: the texts of a set go in, a file of texts and one of words come out, once per set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from shoald.application.access import Caller
from shoald.application.jobs import JobRequest
from shoald.application.ports.repositories.keyword_indexes import KeywordFiles
from shoald.application.set_items import batch_size
from shoald.domain.failures import ChunkSetNotFound, SegmentSetNotFound
from shoald.domain.identifiers import new_uuid
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.retrieval.bm25 import Bm25Index
from shoald.domain.vocabulary import JobType

if TYPE_CHECKING:
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.object_store import ObjectStore, StoredObject
    from shoald.application.ports.repositories.segment_sets import SetItemRepository
    from shoald.application.ports.text_search import TextSearch, TextWriter
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.domain.records.job import Job

AnySet = ChunkSet | SegmentSet

_FOLDER = "keyword_indexes"
# a set of this many characters takes a tenth of a second; larger ones are for a worker
_SMALL_CHARACTERS = 500_000


class KeywordIndexing:
    """Makes and stores the files of a set."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, text_search: TextSearch
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._text_search = text_search

    def known(self, stored: AnySet) -> KeywordFiles | None:
        """Return the files of a set, None when they have not been made or are gone."""
        with self._open_unit_of_work() as uow:
            files = uow.keyword_indexes.get(set_id(stored))
        are_there = files is not None and all(self._objects.exists(one.key) for one in (files.texts, files.words))
        return files if are_there else None

    def make(self, stored: AnySet, report: Callable[[int], None] = lambda _: None) -> KeywordFiles:
        """Make the files and store them; `report` is called with the number of texts read, and may raise.

        Memory is that of the index itself, about 40 bytes for each different word of a text.
        """
        folder = f"{_FOLDER}/{set_id(stored)}/{new_uuid()}"
        with self._objects.open_writer() as texts:
            with self._text_search.open_writer(texts.write) as writer:
                index = Bm25Index.build(self._copied(stored, writer, report))
            texts_file = texts.publish(f"{folder}/texts.arrow")
        return KeywordFiles(
            set_id=set_id(stored),
            texts=texts_file,
            words=self._store_words(index, f"{folder}/words.arrow"),
            created_at=self._clock.now(),
        )

    def publish(self, uow: UnitOfWork, files: KeywordFiles) -> None:
        """Make files those of their set, in the caller's transaction."""
        uow.keyword_indexes.put(files)

    def make_and_publish(self, stored: AnySet) -> KeywordFiles:
        """Make the files of a small set here and now."""
        files = self.make(stored)
        with self._open_unit_of_work() as uow:
            self.publish(uow, files)
            uow.commit()
        return files

    def _store_words(self, index: Bm25Index, key: str) -> StoredObject:
        with self._objects.open_writer() as words:
            self._text_search.write_arrays(index.arrays(), words.write)
            return words.publish(key)

    def _copied(self, stored: AnySet, writer: TextWriter, report: Callable[[int], None]) -> Iterator[str]:
        """Yield the texts of a set, each of which has then been written."""
        size = batch_size(stored)
        for start in range(0, stored.total_items, size):
            with self._open_unit_of_work() as uow:
                texts = [text for _, text in repository_of(uow, stored).texts(set_id(stored), start=start, limit=size)]
            writer.add(texts)
            yield from texts
            report(start + len(texts))


class KeywordIndexHandler:
    """`JobHandler` of keyword indexes; one that is there already is left as it is."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, indexing: KeywordIndexing) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._indexing = indexing

    def run(self, context: JobContext) -> None:
        """Make the index of the set that the payload names."""
        job = context.job
        stored = self._set_of(job)
        known = None if job.payload["again"] else self._indexing.known(stored)

        def report(count: int) -> None:
            context.progress("keyword_index", 0.9 * count / stored.total_items, f"{count} texts")

        files = known or self._indexing.make(stored, report)
        context.check()
        with self._open_unit_of_work() as uow:
            self._indexing.publish(uow, files)
            context.complete(uow, {"set_id": files.set_id, "bytes": files.texts.size + files.words.size})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing of it is shown."""

    def _set_of(self, job: Job) -> AnySet:
        with self._open_unit_of_work() as uow:
            if job.payload["kind"] == "chunk_set":
                chunks = uow.chunk_sets.get(job.payload["set_id"], namespace_id=job.namespace_id)
                if chunks is None:
                    raise ChunkSetNotFound(detail={"chunk_set_version_id": job.payload["set_id"]})
                return chunks
            segments = uow.segment_sets.get(job.payload["set_id"], namespace_id=job.namespace_id)
            if segments is None:
                raise SegmentSetNotFound(detail={"segment_set_version_id": job.payload["set_id"]})
            return segments


class KeywordIndexJobs:
    """Asks workers for the keyword indexes of sets that are not small.

    `later` does what it is given when nobody waits for anything else: a set is answered before its index is made.
    """

    def __init__(self, jobs: Jobs, later: Callable[[Callable[[], None]], None]) -> None:
        self._jobs = jobs
        self._later = later

    def accept(self, uow: UnitOfWork, namespace_id: str, stored: AnySet, *, again: bool = False) -> Job | None:
        """Store a job for a set's index in the caller's transaction; None for a set small enough for its first query.

        `dispatch` it once that is committed.
        """
        if is_small(stored):
            return None
        request = JobRequest(
            job_type=JobType.KEYWORD_INDEX,
            payload={
                "set_id": set_id(stored),
                "kind": "chunk_set" if isinstance(stored, ChunkSet) else "segment_set",
                "again": again,
            },
            caller=Caller(namespace_id=namespace_id),
            project_id=stored.project_id,
        )
        return self._jobs.accept(uow, request)

    def dispatch(self, job: Job | None) -> None:
        """Send it on its way, if there is one."""
        if job is not None:
            self._later(partial(self._jobs.dispatch, job))

    def finish(self, job: Job, seconds: float) -> None:
        """Wait for it; raises `DeadlineExceeded` when it takes longer, and what it met."""
        self._jobs.finish(job, seconds)


def is_small(stored: AnySet) -> bool:
    """Say whether an index is made in a moment."""
    return stored.total_characters <= _SMALL_CHARACTERS


def set_id(stored: AnySet) -> str:
    """Return the id of a set of either kind."""
    return stored.chunk_set_version_id if isinstance(stored, ChunkSet) else stored.segment_set_version_id


def repository_of(uow: UnitOfWork, stored: AnySet) -> SetItemRepository:
    """Return where the items of a set are."""
    return uow.chunk_sets if isinstance(stored, ChunkSet) else uow.segment_sets
