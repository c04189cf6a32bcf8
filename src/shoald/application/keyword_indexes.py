"""Keyword indexes of sets: built at the first search, kept in memory and as objects, never built again for a set."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shoald.application.keyed_locks import KeyedLocks
from shoald.application.set_items import batch_size
from shoald.domain.failures import ArtifactNotFound, Failure
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.retrieval.bm25 import Bm25Index

if TYPE_CHECKING:
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.repositories.segment_sets import SetItemRepository
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

AnySet = ChunkSet | SegmentSet


class KeywordIndexes:
    """The keyword indexes of one process: those used last, up to `most_bytes` together."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, most_bytes: int) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Bm25Index] = OrderedDict()
        self._making = KeyedLocks()

    def of(self, stored: AnySet) -> Bm25Index:
        """Return the index of a set; callers who ask for one that is being built wait for it."""
        key = set_id(stored)
        found = self._remembered(key)
        if found is not None:
            return found
        with self._making.held(key):
            found = self._remembered(key)
            if found is None:
                found = self._load(key) or self._build(stored, key)
                self._remember(key, found)
        return found

    def _remembered(self, key: str) -> Bm25Index | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _remember(self, key: str, index: Bm25Index) -> None:
        with self._lock:
            self._kept[key] = index
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)

    def _load(self, key: str) -> Bm25Index | None:
        try:
            return Bm25Index.from_bytes(self._objects.get(_object_key(key)))
        except (ArtifactNotFound, ValueError):
            return None

    def _build(self, stored: AnySet, key: str) -> Bm25Index:
        index = Bm25Index.build(self._texts(stored))
        # the next process need not build it; one that cannot be stored is built again
        with contextlib.suppress(Failure):
            self._objects.put(_object_key(key), index.to_bytes())
        return index

    def _texts(self, stored: AnySet) -> Iterator[str]:
        size = batch_size(stored)
        for start in range(0, stored.total_items, size):
            with self._open_unit_of_work() as uow:
                texts = repository_of(uow, stored).texts(set_id(stored), start=start, limit=size)
            for _, text in texts:
                yield text


def set_id(stored: AnySet) -> str:
    """Return the id of a set of either kind."""
    return stored.chunk_set_version_id if isinstance(stored, ChunkSet) else stored.segment_set_version_id


def repository_of(uow: UnitOfWork, stored: AnySet) -> SetItemRepository:
    """Return where the items of a set are."""
    return uow.chunk_sets if isinstance(stored, ChunkSet) else uow.segment_sets


def _object_key(key: str) -> str:
    return f"keyword_indexes/{key}.npz"
