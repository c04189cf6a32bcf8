"""Documents with vectors that callers bring: stored by call or by stream."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoald.application.access import Caller
from shoald.application.collections import find_or_add_collection, refuse_kept_by_index
from shoald.application.document_events import batch_written
from shoald.application.document_reading import QUERY_SECONDS, DocumentReading
from shoald.application.document_vectors import (
    OWN_KEYS,
    IncomingDocument,
    batch_of,
    check_ids,
    check_payloads,
    check_vectors,
    configs_for,
    last_of_each,
    without_own_keys,
)
from shoald.application.kept_nodes import KeptNodes
from shoald.application.listing import PageCursors
from shoald.application.namespaces import caller_in
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.taxonomy_applications import ClassificationOfStored, classification_of_stored
from shoald.domain.failures import CollectionNotFound, IdempotencyConflict
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection, DocumentBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """Documents of one call, and where they go."""

    namespace: str
    collection: str | None
    documents: Sequence[IncomingDocument]
    write_token: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """What a call has stored."""

    collection_id: str
    document_ids: tuple[str, ...]
    write_token: str | None = None
    dropped_payload_fields: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    unsearchable_document_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Where the documents of a stream go, and whether they replace what is there."""

    namespace: str | None = None
    collection: str | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has stored, and what could not be done though the collection asks for it."""

    collection_id: str
    inserted: int
    warnings: tuple[str, ...] = ()


class CollectionDocuments(DocumentReading):
    """The documents of the caller's collections: read, and stored."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        cursors: PageCursors,
        nodes: KeptNodes,
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        super().__init__(open_unit_of_work=open_unit_of_work, clock=clock, cursors=cursors, query_seconds=query_seconds)
        self._nodes = nodes

    def upsert(self, caller: Caller, upsert: Upsert) -> Upserted:
        """Store all documents of a call or none; the same call under the same idempotency key is answered again.

        Raises `NamespaceNotFound`, `CollectionNotFound`, `InvalidVectors`, `Conflict`, `IdempotencyConflict`.
        """
        request_hash = b"" if upsert.idempotency_key is None else _request_hash(upsert)
        with self._open_unit_of_work() as uow:
            caller = caller_in(uow, caller, upsert.namespace)
            known = _answer_before(uow, caller, upsert, request_hash)
            if known is not None:
                return known
            collection = find_or_add_collection(uow, caller, upsert.collection, self._clock.now())
            documents, dropped = _without_own_keys(upsert.documents, collection)
            batch = last_of_each(batch_of(documents))
            classification = classification_of_stored(uow, self._nodes, collection.collection_id)
            self._store(uow, collection.collection_id, iter([batch]), classification, by="upsert")
            answer = _answer(upsert, collection, dropped, classification.warnings)
            if upsert.idempotency_key is not None:
                stored = _as_json(answer)
                uow.collections.keep_answer(
                    caller.namespace_id, upsert.idempotency_key, request_hash, stored, self._clock.now()
                )
            uow.commit()
        return answer

    def import_batches(
        self,
        caller: Caller,
        target: Import,
        batches: Iterable[DocumentBatch],
        *,
        step: Callable[[int], None] = lambda _: None,
    ) -> Imported:
        """Store all documents of a stream or none, in constant memory; `step` gets the number of each batch stored."""
        with self._open_unit_of_work() as uow:
            caller = caller_in(uow, caller, target.namespace)
            collection = find_or_add_collection(uow, caller, target.collection, self._clock.now())
            if target.replace:
                refuse_kept_by_index(collection)
                uow.collections.lock(collection.collection_id)
                uow.collections.replace_documents(collection.collection_id, (), at=self._clock.now())
            counted = _counted(map(without_own_keys, batches), step)
            classification = classification_of_stored(uow, self._nodes, collection.collection_id)
            inserted = self._store(uow, collection.collection_id, counted, classification, by="import")
            uow.commit()
        return Imported(
            collection_id=collection.collection_id, inserted=inserted, warnings=tuple(classification.warnings)
        )

    def _store(
        self,
        uow: UnitOfWork,
        collection_id: str,
        batches: Iterator[DocumentBatch],
        classification: ClassificationOfStored,
        *,
        by: str,
    ) -> int:
        """Store documents and tell of them: what one call or stream brings is one batch."""
        before = _held(uow, collection_id)
        refuse_kept_by_index(before)
        at = self._clock.now()
        checked = classification.of(_checked(uow, before, batches))
        stored = uow.collections.put_documents(collection_id, checked, at=at)
        behind = _held(uow, collection_id)
        added = behind.document_count - before.document_count
        # a batch has come when it ends: triggers that were made while it was streamed count it
        now = self._clock.now()
        for event in batch_written(behind, now, added=added, updated=stored - added, by=by, began_at=at):
            uow.events.add(event)
        return stored


def _held(uow: UnitOfWork, collection_id: str) -> Collection:
    collection = uow.collections.lock(collection_id)
    if collection is None:
        raise CollectionNotFound
    return collection


def _checked(uow: UnitOfWork, collection: Collection, batches: Iterator[DocumentBatch]) -> Iterator[DocumentBatch]:
    """Yield the batches that may be stored; the first one with vectors decides where nothing is configured."""
    configs = collection.vector_configs
    for batch in batches:
        if not configs and batch.vectors:
            configs = configs_for(configs, batch)
            uow.collections.set_vector_configs(collection.collection_id, configs)
        check_ids(batch)
        check_payloads(batch)
        check_vectors(batch, configs)
        yield last_of_each(batch)


def _counted(batches: Iterable[DocumentBatch], step: Callable[[int], None]) -> Iterator[DocumentBatch]:
    for batch in batches:
        yield batch
        step(len(batch.ids))


def _without_own_keys(
    documents: Sequence[IncomingDocument], collection: Collection
) -> tuple[list[IncomingDocument], dict[str, list[str]]]:
    """Return the documents without payload keys that their own keys would hide, and which keys those were."""
    reserved = OWN_KEYS | {config.name for config in collection.vector_configs}
    kept, dropped = [], dict[str, list[str]]()
    for one in documents:
        hidden = (reserved | set(one.vectors)) & set(one.payload)
        if hidden:
            dropped[one.document_id] = sorted(hidden)
        payload = {key: value for key, value in one.payload.items() if key not in hidden} if hidden else one.payload
        kept.append(replace(one, payload=payload))
    return kept, dropped


def _answer(
    upsert: Upsert, collection: Collection, dropped: Mapping[str, Sequence[str]], warnings: Sequence[str]
) -> Upserted:
    ids = [one.document_id for one in upsert.documents]
    repeated = len(ids) - len(set(ids))
    again = f"documents that come again later in the call: {repeated}; the last of each was stored"
    last = {one.document_id: one for one in upsert.documents}
    return Upserted(
        collection_id=collection.collection_id,
        document_ids=tuple(dict.fromkeys(ids)),
        write_token=upsert.write_token,
        dropped_payload_fields=dropped,
        unsearchable_document_ids=tuple(one.document_id for one in last.values() if not one.vectors),
        warnings=((again,) if repeated else ()) + tuple(warnings),
    )


def _request_hash(upsert: Upsert) -> bytes:
    """Hash what the call stores, so that a key that is used for something else is noticed."""
    digest = hashlib.sha256(json.dumps([upsert.namespace, upsert.collection]).encode())
    for one in upsert.documents:
        vectors = {name: _plain(given) for name, given in one.vectors.items()}
        asked = [one.document_id, one.payload, vectors]
        digest.update(json.dumps(asked, sort_keys=True, default=str).encode())
    return digest.digest()


def _plain(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {key: _plain(one) for key, one in given.items()}
    return given.tolist() if isinstance(given, np.ndarray) else given


def _answer_before(uow: UnitOfWork, caller: Caller, upsert: Upsert, request_hash: bytes) -> Upserted | None:
    if upsert.idempotency_key is None:
        return None
    known = uow.collections.answered_under(caller.namespace_id, upsert.idempotency_key)
    if known is None:
        return None
    if known[0] != request_hash:
        raise IdempotencyConflict
    return _from_json(known[1])


def _as_json(answer: Upserted) -> JsonObject:
    return {
        "collection_id": answer.collection_id,
        "document_ids": list(answer.document_ids),
        "write_token": answer.write_token,
        "dropped_payload_fields": dict(answer.dropped_payload_fields),
        "unsearchable_document_ids": list(answer.unsearchable_document_ids),
        "warnings": list(answer.warnings),
    }


def _from_json(stored: JsonObject) -> Upserted:
    return Upserted(
        collection_id=stored["collection_id"],
        document_ids=tuple(stored["document_ids"]),
        write_token=stored["write_token"],
        dropped_payload_fields=stored["dropped_payload_fields"],
        unsearchable_document_ids=tuple(stored["unsearchable_document_ids"]),
        warnings=tuple(stored["warnings"]),
    )
