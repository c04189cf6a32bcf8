"""Keyword indexes of sets, opened: made by the first search at the latest, then mapped into memory and kept open."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.keyed_locks import KeyedLocks
from shoald.application.keyword_indexing import AnySet, KeywordIndexing, KeywordIndexJobs, is_small, set_id
from shoald.domain.failures import ArtifactNotFound, DataCorrupt, Unavailable
from shoald.domain.retrieval.bm25 import Bm25Index

if TYPE_CHECKING:
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.repositories.keyword_indexes import KeywordFiles
    from shoald.application.ports.text_search import TextFile, TextSearch
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.waiting import Patience

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 55.0
_MOST_WAITING, _ASK_AGAIN_SECONDS = 4, 5.0
# each keeps two files mapped
_MOST_OPEN = 128


@dataclass(frozen=True, slots=True)
class OpenKeywordIndex:
    """What a set is searched with."""

    words: Bm25Index
    texts: TextFile


class KeywordIndexes:
    """The keyword indexes of one process: those used last, which take up to `most_bytes` beside their mapped files.

    Without `jobs` they are all made here: a job that searches must not wait for another job.
    """

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        objects: ObjectStore,
        text_search: TextSearch,
        indexing: KeywordIndexing,
        jobs: KeywordIndexJobs | None,
        most_bytes: int,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._text_search = text_search
        self._indexing = indexing
        self._jobs = jobs
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, OpenKeywordIndex] = OrderedDict()
        self._making = KeyedLocks()
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)

    def of(self, stored: AnySet, namespace_id: str, patience: Patience) -> OpenKeywordIndex:
        """Return the index of a set; callers who ask for one that is being made wait for it.

        Raises `DeadlineExceeded` when a worker needs longer than the caller waits, or a minute, while it goes on, and
        `Unavailable` when several callers wait already: they would take the threads of those who ask for other things.
        """
        found = self._remembered(set_id(stored))
        if found is not None:
            return found
        if is_small(stored):
            return self._awaited(stored, namespace_id, patience)
        if not self._waiting.acquire(blocking=False):
            raise Unavailable("The keyword index of this set is being made.", retry_after_seconds=_ASK_AGAIN_SECONDS)
        try:
            return self._awaited(stored, namespace_id, patience)
        finally:
            self._waiting.release()

    def _awaited(self, stored: AnySet, namespace_id: str, patience: Patience) -> OpenKeywordIndex:
        key = set_id(stored)
        with self._making.held(key):
            found = self._remembered(key)
            if found is None:
                found = self._opened(stored, namespace_id, patience)
                self._remember(key, found)
        return found

    def _remembered(self, key: str) -> OpenKeywordIndex | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _remember(self, key: str, index: OpenKeywordIndex) -> None:
        with self._lock:
            self._kept[key] = index
            while len(self._kept) > _MOST_OPEN or (len(self._kept) > 1 and self._nbytes() > self._most_bytes):
                self._kept.popitem(last=False)

    def _nbytes(self) -> int:
        return sum(kept.words.nbytes for kept in self._kept.values())

    def _opened(self, stored: AnySet, namespace_id: str, patience: Patience) -> OpenKeywordIndex:
        with self._open_unit_of_work(reading=True) as uow:
            files = uow.keyword_indexes.get(set_id(stored))
        if files is not None:
            try:
                return self._open(files)
            except (ArtifactNotFound, DataCorrupt, ValueError) as error:
                # what was lost or is of an earlier version is made again
                log.warning("the keyword index of set %s cannot be used and is made again: %s", set_id(stored), error)
        return self._open(self._made(stored, namespace_id, patience, again=files is not None))

    def _open(self, files: KeywordFiles) -> OpenKeywordIndex:
        """Map both files; `ValueError` says that they are not of this version."""
        with self._objects.local_copy(files.words.key, files.words.sha256) as path:
            words = Bm25Index(self._text_search.open_arrays(path))
        with self._objects.local_copy(files.texts.key, files.texts.sha256) as path:
            return OpenKeywordIndex(words, self._text_search.open_texts(path))

    def _made(self, stored: AnySet, namespace_id: str, patience: Patience, *, again: bool) -> KeywordFiles:
        if self._jobs is None or is_small(stored):
            return self._indexing.make_and_publish(stored)
        with self._open_unit_of_work() as uow:
            job = self._jobs.accept(uow, namespace_id, stored, again=again)
            uow.commit()
        if job is not None:
            self._jobs.finish(job, patience.left(at_most=_PATIENCE_SECONDS))
        with self._open_unit_of_work(reading=True) as uow:
            files = uow.keyword_indexes.get(set_id(stored))
        return files or self._indexing.make_and_publish(stored)
