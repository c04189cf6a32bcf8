"""Which documents a statement takes, and in which order: the same for lists, groups, figures, changes and deletions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, and_, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.tables.clusters import collection_documents, collections
from shoald.application.listing import Selection, SortKey
from shoald.domain.failures import NotFound
from shoald.domain.filters import Condition
from shoald.domain.records.collection import CollectionDocument

# made once: an alias copies every column of its table
_KNOWN = collections.alias()
_COLUMNS = {name: collection_documents.c[name] for name in ("document_id", "collection_id", "created_at", "updated_at")}

# what a filter sees: a document as its readers see it
WHOLE = collection_documents.c.payload.op("||", return_type=JSONB)(
    func.jsonb_build_object(
        "document_id", collection_documents.c.document_id, "collection_id", collection_documents.c.collection_id
    )
)


def document_of(row: Row[Any]) -> CollectionDocument:
    """Return a row of the table as a document."""
    return CollectionDocument(
        document_id=row.document_id,
        collection_id=row.collection_id,
        payload=row.payload,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def in_collections(collection_ids: Sequence[str]) -> ColumnElement[bool]:
    """Return that a document lies in one of these collections, all of which are seen by whom the statement is for."""
    column = collection_documents.c.collection_id
    is_in = column == collection_ids[0] if len(collection_ids) == 1 else column == func.any(list(collection_ids))
    return and_(is_in, are_seen(collection_ids))


def are_seen(collection_ids: Sequence[str]) -> ColumnElement[bool]:
    """Return that the collections are seen, by the policy of their own table: asked once for a statement.

    Documents and vectors have no policy, with which no condition on a payload could use an index.
    """
    found = select(func.count()).where(_KNOWN.c.collection_id == func.any(list(collection_ids)))
    return found.scalar_subquery() == len(set(collection_ids))


def refuse_unseen(connection: Connection, collection_ids: Sequence[str]) -> None:
    """Raise `NotFound` unless the collections are seen; asked before documents are written, which have no policy."""
    if not connection.scalar(select(are_seen(collection_ids))):
        raise NotFound("There is no such collection.", detail={"collection_ids": list(collection_ids)})


def meets(
    condition: Condition, collection_ids: Sequence[str] = (), ready: Mapping[str, bool] = MappingProxyType({})
) -> ColumnElement[bool]:
    """Return the condition over a row of documents of these collections; `ready` fields have an index to ask."""
    # imported where it is used: a start without filters is quicker
    from shoald.adapters.postgres.payload_indexes import indexed_clause

    return indexed_clause(condition, WHOLE, collection_ids, ready)


def selected(
    collection_ids: Sequence[str], selection: Selection, ready: Mapping[str, bool] = MappingProxyType({})
) -> ColumnElement[bool]:
    """Return what the documents of a selection have in common, its limits left out."""
    parts = [in_collections(collection_ids)]
    if selection.condition is not None:
        parts.append(meets(selection.condition, collection_ids, ready))
    if selection.search:
        in_payload = cast(collection_documents.c.payload, Text).icontains(selection.search, autoescape=True)
        parts.append(in_payload | collection_documents.c.document_id.icontains(selection.search, autoescape=True))
    if selection.after is not None:
        parts.append(_behind(selection.after, several=len(collection_ids) > 1))
    if selection.partition is not None:
        parts.append(_in_partition(*selection.partition))
    return and_(*parts)


def in_order(statement: Select[Any], selection: Selection) -> Select[Any]:
    """Add the order: what was asked for, then collections and ids."""
    return statement.order_by(*order_of(selection))


def order_of(selection: Selection) -> list[ColumnElement[Any]]:
    """Return what documents of a selection are ordered by."""
    columns = [(_sort_column(key), key.descending) for key in selection.sort]
    order = [(column.desc() if descending else column.asc()).nulls_last() for column, descending in columns]
    return [*order, collection_documents.c.collection_id, collection_documents.c.document_id]


def _sort_column(key: SortKey) -> ColumnElement[Any]:
    """Return a column, or the value at a dotted path of the payload: numbers by size, text by its characters."""
    if key.field in _COLUMNS:
        return _COLUMNS[key.field]
    value: ColumnElement[Any] = collection_documents.c.payload
    for word in key.field.split("."):
        value = value[word]
    return value


def _behind(after: str, *, several: bool) -> ColumnElement[bool]:
    """Return that a document comes behind another, an id, or collection and id with a slash where there are several."""
    if not several:
        return collection_documents.c.document_id > after.partition("/")[2]
    collection_id, _, document_id = after.partition("/")
    place = tuple_(collection_documents.c.collection_id, collection_documents.c.document_id)
    return place > tuple_(collection_id, document_id)


def _in_partition(index: int, count: int) -> ColumnElement[bool]:
    """Return that a document falls in one of so many parts, by its id."""
    rest = func.mod(func.hashtextextended(collection_documents.c.document_id, 0), count)
    return func.mod(rest + count, count) == index
