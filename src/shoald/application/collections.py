"""Collections: made, found, listed, deleted, and kept by index builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shoald.application.access import Caller
from shoald.application.document_events import batch_written, collection_event
from shoald.application.document_vectors import without_own_keys
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.namespaces import check_vector_configs
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import AlreadyExists, CollectionNotFound, Conflict, InvalidFields
from shoald.domain.identifiers import looks_like_an_id, new_collection_id
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType
from shoald.domain.records.collection import Collection, DocumentBatch, ItemBatch, VectorConfig
from shoald.domain.records.payload_index import DeclaredIndex

DIRECT_UPSERT = "_direct_upsert"
INDEX_VECTOR = "embedding"
_LONGEST_NAME = 100
_SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCollection:
    """What a caller says of a new collection; without vectors those of the namespace apply."""

    collection_name: str
    description: str | None = None
    vector_configs: tuple[VectorConfig, ...] = ()
    metadata: JsonObject = field(default_factory=dict[str, Any])
    source: JsonObject = field(default_factory=dict[str, Any])
    feature_extractor: JsonObject = field(default_factory=dict[str, Any])
    taxonomy_applications: Sequence[Any] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionChanges:
    """What changes in a collection; None leaves it."""

    collection_name: str | None = None
    description: str | None = None
    metadata: JsonObject | None = None
    taxonomy_applications: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionClone:
    """What a clone is called, and what is other than in what it is cloned from; None is the same."""

    collection_name: str
    description: str | None = None
    metadata: JsonObject | None = None
    source: JsonObject | None = None
    feature_extractor: JsonObject | None = None
    taxonomy_applications: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIndex:
    """An index build that is being published: what its collection is called and which vectors it has."""

    namespace_id: str
    index_id: str
    index_name: str
    build_id: str
    embedder: str
    embedder_version: str
    dimension: int
    metadata: JsonObject = field(default_factory=dict[str, Any])

    @property
    def vector_config(self) -> VectorConfig:
        """The one vector of the collection."""
        uri = f"shoal://{self.embedder}@{self.embedder_version}/{INDEX_VECTOR}"
        return VectorConfig(name=INDEX_VECTOR, dimension=self.dimension, metric="cosine", feature_uri=uri)


Attach = Callable[[UnitOfWork, Caller, Collection, Sequence[Any]], None]
"""Puts taxonomies, in the shape of the document, in the place of those that classify what a collection stores."""


class Collections:
    """The collections of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors, attach: Attach
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._attach = attach

    def create(self, caller: Caller, new: NewCollection) -> Collection:
        """Make an empty collection; raises `AlreadyExists`, and `InvalidFields` for a name that looks like an id."""
        _check_name(new.collection_name)
        check_vector_configs(new.vector_configs)
        with self._open_unit_of_work() as uow:
            collection = add_collection(uow, caller, new, self._clock.now())
            self._attach(uow, caller, collection, new.taxonomy_applications)
            uow.commit()
        return collection

    def update(self, caller: Caller, id_or_name: str, changes: CollectionChanges) -> Collection:
        """Change what is said of a collection; raises `CollectionNotFound`, `AlreadyExists`, `InvalidFields`."""
        if changes.collection_name is not None:
            _check_name(changes.collection_name)
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, id_or_name)
            now = self._clock.now()
            said = {name: getattr(changes, name) for name in ("collection_name", "description", "metadata")}
            changed = replace(found, **{k: v for k, v in said.items() if v is not None}, updated_at=now)
            uow.collections.update(changed)
            if changes.taxonomy_applications is not None:
                self._attach(uow, caller, changed, changes.taxonomy_applications)
            uow.events.add(collection_event(EventType.COLLECTION_UPDATED, changed, now))
            uow.commit()
        return changed

    def clone(self, caller: Caller, id_or_name: str, clone: CollectionClone) -> tuple[Collection, Collection]:
        """Make an empty collection for vectors like another's, and return it and the other.

        Raises `CollectionNotFound`, `AlreadyExists`, `InvalidFields`.
        """
        _check_name(clone.collection_name)
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, id_or_name)
            new = NewCollection(
                collection_name=clone.collection_name,
                description=found.description if clone.description is None else clone.description,
                vector_configs=found.vector_configs,
                metadata=found.metadata if clone.metadata is None else clone.metadata,
                source=found.source if clone.source is None else clone.source,
                feature_extractor=clone.feature_extractor or found.feature_extractor,
            )
            made = add_collection(uow, caller, new, self._clock.now())
            given = clone.taxonomy_applications
            attached = uow.taxonomies.attached([found.collection_id]).get(found.collection_id, ())
            self._attach(uow, caller, made, [one.config for one in attached] if given is None else given)
            uow.commit()
        return made, found

    def get(self, caller: Caller, id_or_name: str) -> Collection:
        """Return a collection; raises `CollectionNotFound`."""
        with self._open_unit_of_work() as uow:
            return find_collection(uow, caller, id_or_name)

    def payload_indexes(self, caller: Caller) -> Sequence[DeclaredIndex]:
        """Return the payload fields that the namespace declares as indexed, and how each index stands."""
        with self._open_unit_of_work() as uow:
            return uow.collections.declared_indexes(caller.namespace_id)

    def taxonomy_applications(self, collection_ids: Sequence[str]) -> Mapping[str, Sequence[JsonObject]]:
        """Return the taxonomies that classify what collections store, in the shape of the document."""
        with self._open_unit_of_work() as uow:
            attached = uow.taxonomies.attached(collection_ids)
        return {key: [one.config for one in found] for key, found in attached.items()}

    def list(self, caller: Caller, query: ListQuery) -> Page[Collection]:
        """Return a page of collections, newest first unless sorted."""
        scope = f"collections/{caller.namespace_id}"
        selection = select_page(query, self._cursors.open(scope, query), condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            rows = uow.collections.list(caller.namespace_id, selection)
            total = uow.collections.count(caller.namespace_id, selection)
        return make_page(rows, query, selection, total=total, seal=self._cursors.sealer(scope, query))

    def count_documents(self, caller: Caller, query: ListQuery) -> int:
        """Return the number of documents in all collections of a list, whatever its pages."""
        selection = select_page(query, 0, condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            return uow.collections.count_in_listed(caller.namespace_id, selection)

    def delete(self, caller: Caller, id_or_name: str) -> Collection:
        """Remove a collection of the caller's own vectors; raises `Conflict` for one that an index keeps."""
        with self._open_unit_of_work() as uow:
            collection = find_collection(uow, caller, id_or_name)
            refuse_kept_by_index(collection)
            uow.collections.delete(collection.collection_id)
            uow.events.add(collection_event(EventType.COLLECTION_DELETED, collection, self._clock.now()))
            uow.commit()
        return collection


def find_collection(uow: UnitOfWork, caller: Caller, id_or_name: str) -> Collection:
    """Return a collection of the caller's namespace; raises `CollectionNotFound`."""
    found = uow.collections.find(caller.namespace_id, id_or_name)
    if found is None:
        raise CollectionNotFound(f"There is no collection {id_or_name!r}.", detail={"collection": id_or_name})
    return found


def find_or_add_collection(uow: UnitOfWork, caller: Caller, id_or_name: str | None, at: datetime) -> Collection:
    """Return the collection that vectors are stored in: the one named, which a new name makes, or `_direct_upsert`."""
    name = id_or_name or DIRECT_UPSERT
    found = uow.collections.find(caller.namespace_id, name)
    if found is not None:
        return found
    if looks_like_an_id(name):
        raise CollectionNotFound(f"There is no collection {name!r}.", detail={"collection": name})
    if not _SHORTEST_NAME <= len(name) <= _LONGEST_NAME:
        message = f"a name has {_SHORTEST_NAME} to {_LONGEST_NAME} characters"
        raise InvalidFields.field("body", "collection_id", message=message, value=name)
    try:
        return add_collection(uow, caller, NewCollection(collection_name=name), at)
    except AlreadyExists:
        # another call has made it in the meantime, or it is hidden
        found = uow.collections.find(caller.namespace_id, name)
        if found is None:
            raise
        return found


def add_collection(uow: UnitOfWork, caller: Caller, new: NewCollection, at: datetime) -> Collection:
    """Store a new collection; without vectors of its own it has those of its namespace."""
    namespace = uow.namespaces.find(caller.namespace_id)
    inherited = namespace.vector_configs if namespace is not None else ()
    collection = Collection(
        collection_id=new_collection_id(),
        namespace_id=caller.namespace_id,
        collection_name=new.collection_name,
        description=new.description,
        index_id=None,
        vector_configs=new.vector_configs or inherited,
        metadata=new.metadata,
        source=new.source,
        feature_extractor=new.feature_extractor,
        document_count=0,
        created_at=at,
        updated_at=at,
    )
    return _added(uow, collection)


def _added(uow: UnitOfWork, collection: Collection) -> Collection:
    uow.collections.add(collection)
    uow.events.add(collection_event(EventType.COLLECTION_CREATED, collection, collection.created_at))
    return collection


def _check_name(name: str) -> None:
    if looks_like_an_id(name):
        message = "a name must not look like an id"
        raise InvalidFields.field("body", "collection_name", message=message, value=name)


def refuse_kept_by_index(collection: Collection) -> None:
    """Raise `Conflict` for a collection whose documents are the chunks of an index."""
    if collection.index_id is not None:
        message = "This collection is kept by an index; build the index to change its documents."
        raise Conflict(message, detail={"collection_id": collection.collection_id, "index_id": collection.index_id})


def publish_index_collection(
    uow: UnitOfWork, built: BuiltIndex, batches: Iterable[DocumentBatch | ItemBatch], *, at: datetime
) -> Collection:
    """Make the index's collection, or replace its documents, inside the transaction that activates the build.

    Documents are the build's chunks (document id = chunk item id) with one vector, `embedding`.
    """
    collection = uow.collections.of_index(built.index_id)
    if collection is None:
        collection = _add_index_collection(uow, built, at)
    uow.collections.lock(collection.collection_id)
    uow.collections.set_vector_configs(collection.collection_id, [built.vector_config])
    # a chunk's `document_id` is its source's
    renamed = (batch if isinstance(batch, ItemBatch) else without_own_keys(batch) for batch in batches)
    stored = uow.collections.replace_documents(collection.collection_id, renamed, at=at, index_build_id=built.build_id)
    behind = uow.collections.lock(collection.collection_id) or collection
    for event in batch_written(behind, at, added=stored, updated=0, by="index_build", began_at=at):
        uow.events.add(event)
    return collection


def _add_index_collection(uow: UnitOfWork, built: BuiltIndex, at: datetime) -> Collection:
    """Store it under the index's name or, where that is taken or cannot be a collection's name, one made from it."""
    plain = built.index_name.strip()[:_LONGEST_NAME]
    suffix = f" ({built.index_id[:8]})"
    names = [plain, plain[: _LONGEST_NAME - len(suffix)] + suffix, f"index {built.index_id}"]
    for name in names:
        if len(name) < _SHORTEST_NAME or looks_like_an_id(name):
            continue
        if not uow.collections.is_taken(built.namespace_id, name):
            break
    collection = Collection(
        collection_id=new_collection_id(),
        namespace_id=built.namespace_id,
        collection_name=name,
        description=f"The chunks of the index {built.index_name!r}.",
        index_id=built.index_id,
        vector_configs=(built.vector_config,),
        metadata=built.metadata,
        document_count=0,
        created_at=at,
        updated_at=at,
    )
    return _added(uow, collection)
