"""Documents read: by id, by pages with filters, in groups, in one collection or in all of a namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoald.application.access import Caller
from shoald.application.collections import find_collection
from shoald.application.listing import ListQuery, Page, PageCursors, Selection, condition_of, make_page, select_page
from shoald.application.namespaces import caller_in
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import CollectionDocumentNotFound, CollectionNotFound, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import CollectionDocument

if TYPE_CHECKING:
    from shoald.application.ports.repositories.collections import NamedVectors

GROUP_SIZE = 100
"""Documents of a group that a page shows at most."""

QUERY_SECONDS = 10.0
_MOST_EXPANDED = 50


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document with the vectors that were asked for, the names of all it has when those were, and the documents that
    its fields name, by field, when those were.
    """

    document: CollectionDocument
    vectors: NamedVectors = field(default_factory=dict)
    vector_names: tuple[str, ...] | None = None
    expanded: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is read beside a document: vectors, all or some by name, or only the names of those there are; and the
    documents that the fields at these paths name.
    """

    all: bool = False
    names: tuple[str, ...] = ()
    only_names: bool = False
    expand: tuple[str, ...] = ()

    @property
    def vectors(self) -> bool:
        """Whether anything of vectors is wanted."""
        return self.all or bool(self.names) or self.only_names


NOTHING_MORE = Wanted()


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page of documents, and the collections that were named and are not there."""

    page: Page[ReadDocument]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """Documents that have one value of a field: the first of them, and how many there are."""

    key: Any
    documents: Sequence[ReadDocument]
    count: int


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A page of groups by a field, and the collections that were named and are not there."""

    page: Page[ReadGroup]
    field: str
    unknown: tuple[str, ...] = ()


class DocumentReading:
    """Reads documents of the caller's collections. What reads many of them is given up after `query_seconds`."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        cursors: PageCursors,
        query_seconds: float = QUERY_SECONDS,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._query_seconds = query_seconds

    def list(
        self, caller: Caller, collection: str, query: ListQuery, wanted: Wanted = NOTHING_MORE
    ) -> Page[ReadDocument]:
        """Return a page of documents in the order of their ids unless sorted.

        Raises `CollectionNotFound`, and `DeadlineExceeded` for conditions that take too long.
        """
        with self._open_unit_of_work() as uow:
            collection_id = find_collection(uow, caller, collection).collection_id
            return self._page(uow, caller, [collection_id], f"documents/{collection_id}", query, wanted)

    def list_in_namespace(
        self, caller: Caller, collections: Sequence[str], query: ListQuery, wanted: Wanted = NOTHING_MORE
    ) -> DocumentPage:
        """Return a page of documents of these collections, of all without any, in the order of collections and ids.

        Raises `CollectionNotFound` when none of those named is there, and `DeadlineExceeded`.
        """
        with self._open_unit_of_work() as uow:
            ids, unknown = _named_collections(uow, caller, collections)
            scope = f"documents/{caller.namespace_id}/{','.join(sorted(collections))}"
            return DocumentPage(self._page(uow, caller, ids, scope, query, wanted), unknown)

    def group(
        self,
        caller: Caller,
        collections: Sequence[str],
        query: ListQuery,
        group_by: str,
        wanted: Wanted = NOTHING_MORE,
    ) -> GroupPage:
        """Return a page of groups of documents by the value of a field, the largest first; each shows its first
        `GROUP_SIZE`. Raises as `list_in_namespace` does.
        """
        path = path_of(group_by, "group_by")
        condition = condition_of(query.filters)
        with self._open_unit_of_work() as uow:
            ids, unknown = _named_collections(uow, caller, collections)
            scope = f"groups/{caller.namespace_id}/{group_by}/{','.join(sorted(collections))}"
            selection = select_page(query, self._cursors.open(scope, query), condition)
            with uow.collections.within(self._query_seconds):
                groups, total = uow.collections.document_groups(ids, selection, path, most=GROUP_SIZE)
            read = [ReadGroup(one.key, _with_more(uow, caller, one.documents, wanted), one.count) for one in groups]
        page = make_page(read, query, selection, total=total, seal=self._cursors.sealer(scope, query))
        return GroupPage(page, group_by, unknown)

    def get(self, caller: Caller, collection: str, document_id: str, wanted: Wanted = NOTHING_MORE) -> ReadDocument:
        """Return one document; raises `CollectionNotFound` or `CollectionDocumentNotFound`."""
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, collection)
            document = uow.collections.document(found.collection_id, document_id)
            return read_one(uow, caller, document, document_id, wanted)

    def get_in_namespace(
        self, caller: Caller, namespace: str | None, document_id: str, wanted: Wanted = NOTHING_MORE
    ) -> ReadDocument:
        """Return the newest document of that id in the namespace; raises `CollectionDocumentNotFound`."""
        with self._open_unit_of_work() as uow:
            caller = caller_in(uow, caller, namespace)
            document = uow.collections.document_in_namespace(caller.namespace_id, document_id)
            return read_one(uow, caller, document, document_id, wanted)

    def get_many(self, caller: Caller, document_ids: Sequence[str]) -> tuple[Sequence[ReadDocument], Sequence[str]]:
        """Return the newest document of each id in the namespace, in that order, and the ids that are not there."""
        with self._open_unit_of_work() as uow:
            found = uow.collections.documents_in_namespace(caller.namespace_id, document_ids)
        by_id = {one.document_id: ReadDocument(one) for one in found}
        wanted = list(dict.fromkeys(document_ids))
        return [by_id[one] for one in wanted if one in by_id], [one for one in wanted if one not in by_id]

    def count(self, caller: Caller, collection: str) -> tuple[str, int]:
        """Return a collection's id and how many documents it has; raises `CollectionNotFound`."""
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, collection)
        return found.collection_id, found.document_count

    def _page(
        self, uow: UnitOfWork, caller: Caller, ids: Sequence[str], scope: str, query: ListQuery, wanted: Wanted
    ) -> Page[ReadDocument]:
        selection = select_page(query, self._cursors.open(scope, query), condition_of(query.filters))
        with self._bounded(uow, query):
            rows = uow.collections.documents(ids, selection)
            total = self._total(uow, ids, selection) if query.include_total else None
        read = _with_more(uow, caller, rows, wanted)
        by_id = None if query.sort else _place_of
        return make_page(read, query, selection, total=total, seal=self._cursors.sealer(scope, query), id_of=by_id)

    @staticmethod
    def _total(uow: UnitOfWork, ids: Sequence[str], selection: Selection) -> int:
        return uow.collections.count_documents(ids, replace(selection, after=None))

    def _bounded(self, uow: UnitOfWork, query: ListQuery) -> AbstractContextManager[None]:
        """Bound what looks at more than the documents it returns."""
        reads_many = query.filters or query.search or query.sort or query.include_total or query.partition
        return uow.collections.within(self._query_seconds) if reads_many else nullcontext()


def path_of(name: str, *where: str | int) -> tuple[str, ...]:
    """Return the path that a name with dots means; raises `InvalidFields` for one with nothing between them."""
    path = tuple(name.split("."))
    if not all(path) or "\0" in name:
        message = "must be names of keys with single dots between them"
        raise InvalidFields.field("body", *where, message=message, value=name)
    return path


def read_one(
    uow: UnitOfWork, caller: Caller, document: CollectionDocument | None, document_id: str, wanted: Wanted
) -> ReadDocument:
    """Return a document with what is wanted beside it; raises `CollectionDocumentNotFound` for none."""
    if document is None:
        raise CollectionDocumentNotFound(f"There is no document {document_id!r}.", detail={"document_id": document_id})
    return _with_more(uow, caller, [document], wanted)[0]


def _place_of(read: ReadDocument) -> str:
    return f"{read.document.collection_id}/{read.document.document_id}"


def _named_collections(uow: UnitOfWork, caller: Caller, names: Sequence[str]) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the ids of the collections of these ids or names, all without any, and the names that mean none."""
    if not names:
        return uow.collections.ids_in(caller.namespace_id), ()
    found = uow.collections.find_many(caller.namespace_id, names)
    ids = sorted({one.collection_id for one in found.values()})
    unknown = tuple(name for name in dict.fromkeys(names) if name not in found)
    if not ids:
        message = f"There is no collection {', '.join(map(repr, unknown))}."
        raise CollectionNotFound(message, detail={"collections": list(unknown)})
    return ids, unknown


def _with_more(
    uow: UnitOfWork, caller: Caller, rows: Sequence[CollectionDocument], wanted: Wanted
) -> Sequence[ReadDocument]:
    """Return documents with the vectors and the named documents that are wanted."""
    read = _with_vectors(uow, rows, wanted)
    return _with_expanded(uow, caller, read, wanted.expand) if wanted.expand else read


def _with_vectors(uow: UnitOfWork, rows: Sequence[CollectionDocument], wanted: Wanted) -> Sequence[ReadDocument]:
    if not wanted.vectors:
        return [ReadDocument(row) for row in rows]
    names = None if wanted.all or wanted.only_names else wanted.names
    stored: dict[tuple[str, str], NamedVectors] = {}
    for collection_id, ids in _by_collection(rows):
        vectors = uow.collections.vectors(collection_id, ids, names)
        stored |= {(collection_id, one): vectors[one] for one in ids}
    read = []
    for row in rows:
        own = stored[row.collection_id, row.document_id]
        shown = {} if wanted.only_names and not wanted.all else own
        read.append(ReadDocument(row, shown, tuple(sorted(own)) if wanted.only_names else None))
    return read


def _by_collection(rows: Sequence[CollectionDocument]) -> Iterator[tuple[str, Sequence[str]]]:
    by_collection: dict[str, list[str]] = {}
    for row in rows:
        by_collection.setdefault(row.collection_id, []).append(row.document_id)
    yield from by_collection.items()


def _with_expanded(
    uow: UnitOfWork, caller: Caller, rows: Sequence[ReadDocument], fields: Sequence[str]
) -> Sequence[ReadDocument]:
    """Return documents with those that their fields name, null for ids that are not there; at most 50 of them."""
    paths = {name: path_of(name, "expand") for name in fields}
    named = {id(row): {name: _ids_at(row.document.payload, path) for name, path in paths.items()} for row in rows}
    ids = list(dict.fromkeys(one for by_name in named.values() for several in by_name.values() for one in several))
    if len(ids) > _MOST_EXPANDED:
        message = f"the documents of this page name {len(ids)} others; at most {_MOST_EXPANDED} are returned"
        raise InvalidFields.field("body", "expand", message=message, value=list(fields))
    found = {one.document_id: one for one in uow.collections.documents_in_namespace(caller.namespace_id, ids)}
    return [
        replace(row, expanded={name: _resolved(row, path, found.get) for name, path in paths.items()}) for row in rows
    ]


def value_at(payload: Any, path: Sequence[str]) -> Any:
    """Return the value at a path of a payload, None where there is none."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, Mapping) else None
    return payload


def _ids_at(payload: JsonObject, path: Sequence[str]) -> list[str]:
    value = value_at(payload, path)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _resolved(
    row: ReadDocument, path: Sequence[str], find: Callable[[str], CollectionDocument | None]
) -> CollectionDocument | Sequence[CollectionDocument | None] | None:
    ids = _ids_at(row.document.payload, path)
    if isinstance(value_at(row.document.payload, path), list):
        return [find(one) for one in ids]
    return find(ids[0]) if ids else None
