"""Documents made one by one, changed and deleted: by id, by list of ids, and by filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shoald.application.access import Caller
from shoald.application.collections import find_collection, refuse_kept_by_index
from shoald.application.document_events import document_event, documents_deleted, documents_updated, documents_written
from shoald.application.document_reading import NOTHING_MORE, QUERY_SECONDS, ReadDocument, path_of, read_one
from shoald.application.document_vectors import (
    OWN_KEYS,
    IncomingDocument,
    batch_of,
    check_ids,
    check_payloads,
    check_vectors,
    configs_for,
)
from shoald.application.kept_nodes import KeptNodes
from shoald.application.listing import condition_of
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.taxonomy_applications import classification_of_stored
from shoald.domain.document_changes import with_fields
from shoald.domain.failures import AlreadyExists, CollectionDocumentNotFound, CollectionNotFound, InvalidFields
from shoald.domain.filters import Condition
from shoald.domain.identifiers import new_document_id
from shoald.domain.json_types import JsonObject, flaw_of
from shoald.domain.platform_words import EventType
from shoald.domain.records.collection import Collection

NOT_THERE = "There is no such document in this collection."
_BY_CREATION = "create"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document of several that were named."""

    document_id: str
    error: str | None = None


class DocumentChanges:
    """Changes documents of the caller's own collections; those that an index keeps raise `Conflict`.

    What is chosen by a filter is given up after `query_seconds` a statement, and nothing of it is done.
    """

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        nodes: KeptNodes,
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._nodes = nodes
        self._query_seconds = query_seconds

    def create(self, caller: Caller, collection: str, document: JsonObject) -> ReadDocument:
        """Store a new document from its JSON; raises `CollectionNotFound`, `AlreadyExists`, `InvalidVectors`."""
        with self._open_unit_of_work() as uow:
            found = _writable(uow, find_collection(uow, caller, collection))
            incoming = _incoming(document, found)
            if uow.collections.document(found.collection_id, incoming.document_id) is not None:
                message = f"There is a document {incoming.document_id!r} already."
                raise AlreadyExists(message, detail={"document_id": incoming.document_id})
            self._store(uow, found, incoming)
            stored = uow.collections.document(found.collection_id, incoming.document_id)
            uow.commit()
            return read_one(uow, caller, stored, incoming.document_id, NOTHING_MORE)

    def update(self, caller: Caller, collection: str, document_id: str, fields: JsonObject) -> ReadDocument:
        """Set fields of a document, in `metadata` each by itself, and return it.

        Raises `CollectionNotFound`, `CollectionDocumentNotFound`, `InvalidFields`, `Conflict`.
        """
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, collection)
            return self._updated(uow, caller, found, document_id, fields)

    def update_in_namespace(self, caller: Caller, document_id: str, fields: JsonObject) -> ReadDocument:
        """Set fields of the newest document of that id in the namespace, and return it."""
        with self._open_unit_of_work() as uow:
            document = uow.collections.document_in_namespace(caller.namespace_id, document_id)
            if document is None:
                raise _no_document(document_id)
            found = find_collection(uow, caller, document.collection_id)
            return self._updated(uow, caller, found, document_id, fields)

    def update_several(
        self, caller: Caller, collection: str, updates: Sequence[tuple[str, JsonObject]]
    ) -> Sequence[Outcome]:
        """Set fields of documents by id, and say what became of each; one that is named twice takes both."""
        with self._open_unit_of_work() as uow:
            found = _writable(uow, find_collection(uow, caller, collection))
            fields: dict[str, list[JsonObject]] = {}
            for at, (document_id, given) in enumerate(updates):
                _check_fields(given, found, ("updates", at, "update_data"))
                fields.setdefault(document_id, []).append(given)
            now = self._clock.now()
            changes = {one: partial(_with_all, given) for one, given in fields.items()}
            there = set(uow.collections.change_documents(found.collection_id, changes, at=now))
            if there:
                uow.events.add(documents_updated(found, now, updated=len(there)))
            uow.commit()
        return [Outcome(one, None if one in there else NOT_THERE) for one, _ in updates]

    def update_matching(self, caller: Caller, collection: str, filters: JsonObject | None, fields: JsonObject) -> int:
        """Set the same fields of all documents that meet the filter, of all without one; returns how many."""
        condition = condition_of(filters)
        with self._open_unit_of_work() as uow:
            found = _writable(uow, find_collection(uow, caller, collection))
            _check_fields(fields, found, ("update_data",))
            now, change = self._clock.now(), partial(_with_all, [fields])
            with uow.collections.within(self._query_seconds):
                count = uow.collections.change_matching(found.collection_id, condition, change, at=now)
            if count:
                uow.events.add(documents_updated(found, now, updated=count))
            uow.commit()
        return count

    def delete(self, caller: Caller, collection: str, document_id: str) -> None:
        """Delete one document; raises `CollectionNotFound`, `CollectionDocumentNotFound`, `Conflict`."""
        if self.delete_several(caller, collection, [document_id])[0].error is not None:
            raise _no_document(document_id)

    def delete_several(
        self, caller: Caller, collection: str, document_ids: Sequence[str], *, reason: str | None = None
    ) -> Sequence[Outcome]:
        """Delete documents by id, and say what became of each."""
        with self._open_unit_of_work() as uow:
            found = _writable(uow, find_collection(uow, caller, collection))
            now = self._clock.now()
            gone = set(uow.collections.delete_documents(found.collection_id, document_ids, at=now))
            if gone:
                uow.events.add(documents_deleted(found, now, deleted=len(gone), reason=reason))
            if gone and len(document_ids) == 1:
                uow.events.add(document_event(EventType.DOCUMENT_DELETED, found, document_ids[0], now))
            uow.commit()
        return [Outcome(one, None if one in gone else NOT_THERE) for one in dict.fromkeys(document_ids)]

    def delete_matching(
        self, caller: Caller, collection: str, filters: JsonObject, *, reason: str | None = None
    ) -> int:
        """Delete all documents that meet the filter, and say how many; one that says nothing is `InvalidFields`."""
        condition = condition_of(filters)
        if condition is None:
            raise InvalidFields.field("body", "filters", message="must say which documents to delete", value=filters)
        with self._open_unit_of_work() as uow:
            found = _writable(uow, find_collection(uow, caller, collection))
            now = self._clock.now()
            count = self._deleted(uow, found, condition)
            if count:
                uow.events.add(documents_deleted(found, now, deleted=count, reason=reason))
            uow.commit()
        return count

    def _deleted(self, uow: UnitOfWork, found: Collection, condition: Condition) -> int:
        with uow.collections.within(self._query_seconds):
            return uow.collections.delete_matching(found.collection_id, condition, at=self._clock.now())

    def _updated(
        self, uow: UnitOfWork, caller: Caller, found: Collection, document_id: str, fields: JsonObject
    ) -> ReadDocument:
        _writable(uow, found)
        _check_fields(fields, found, ())
        now = self._clock.now()
        change = partial(with_fields, fields=fields, merges_metadata=True)
        if not uow.collections.change_documents(found.collection_id, {document_id: change}, at=now):
            raise _no_document(document_id)
        uow.events.add(documents_updated(found, now, updated=1))
        uow.events.add(document_event(EventType.DOCUMENT_UPDATED, found, document_id, now))
        document = uow.collections.document(found.collection_id, document_id)
        uow.commit()
        return read_one(uow, caller, document, document_id, NOTHING_MORE)

    def _store(self, uow: UnitOfWork, found: Collection, incoming: IncomingDocument) -> None:
        batch = batch_of([incoming])
        configs = configs_for(found.vector_configs, batch)
        if batch.vectors and not found.vector_configs:
            uow.collections.set_vector_configs(found.collection_id, configs)
        check_ids(batch)
        check_payloads(batch)
        check_vectors(batch, configs)
        now = self._clock.now()
        classified = classification_of_stored(uow, self._nodes, found.collection_id).of([batch])
        uow.collections.put_documents(found.collection_id, classified, at=now)
        uow.events.add(documents_written(found, now, added=1, updated=0, by=_BY_CREATION))
        uow.events.add(document_event(EventType.DOCUMENT_CREATED, found, incoming.document_id, now))


def _writable(uow: UnitOfWork, found: Collection) -> Collection:
    """Hold a collection that callers may write into; raises `Conflict` for one that an index keeps."""
    refuse_kept_by_index(found)
    held = uow.collections.lock(found.collection_id)
    if held is None:
        raise CollectionNotFound
    return held


def _no_document(document_id: str) -> CollectionDocumentNotFound:
    return CollectionDocumentNotFound(f"There is no document {document_id!r}.", detail={"document_id": document_id})


def _with_all(several: Sequence[JsonObject], payload: JsonObject) -> JsonObject:
    for fields in several:
        payload = with_fields(payload, fields)
    return payload


def _incoming(document: JsonObject, found: Collection) -> IncomingDocument:
    """Return the document that its JSON means; raises `InvalidFields` for what it may not say."""
    given = dict(document)
    document_id = _text(given.pop("document_id", None), "document_id") or new_document_id()
    named = _text(given.pop("collection_id", None), "collection_id")
    if named not in {None, found.collection_id, found.collection_name}:
        message = f"must be that of the path, {found.collection_id!r}"
        raise InvalidFields.field("body", "collection_id", message=message, value=named)
    vectors = given.pop("vectors", None) or {}
    if not isinstance(vectors, Mapping):
        raise InvalidFields.field("body", "vectors", message="must be an object", kind="dict_type", value=vectors)
    _check_fields(given, found, (), more=set(vectors))
    return IncomingDocument(document_id, given, dict(vectors))


def _text(value: Any, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidFields.field("body", name, message="must be a string", kind="string_type", value=value)
    return value


def _check_fields(
    fields: JsonObject, found: Collection, where: tuple[str | int, ...], *, more: set[str] | None = None
) -> None:
    """Raise `InvalidFields` for no fields, keys that are a document's own or a vector's, and what JSON cannot hold."""
    if not fields and more is None:
        raise InvalidFields.field("body", *where, message="must have at least one field", value={})
    reserved = OWN_KEYS | {config.name for config in found.vector_configs} | {"vectors"} | (more or set())
    for key in fields:
        path_of(key, *where, key)
        if key.split(".")[0] in reserved:
            message = "cannot be set: it is the document's own, or a vector"
            raise InvalidFields.field("body", *where, key, message=message, value=fields[key])
    if flaw := flaw_of(fields):
        raise InvalidFields.field("body", *where, message=flaw)
