"""What lists of documents ask for beside their rows, and pages of documents and of groups as messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shoal.clusters.v1 import collection_document_service_pb2

from shoald.application.document_reading import GroupPage, ReadDocument, Wanted
from shoald.application.listing import ListQuery, Page
from shoald.domain.failures import InvalidFields
from shoald.transport.json_values import plain, to_value
from shoald.transport.mapping.clusters.collection_documents import to_struct_message
from shoald.transport.mapping.clusters.lists import list_query, pagination

_MOST_PARTITIONS = 256
_NAMES_ONLY = "true"


def document_query(request: Any) -> ListQuery:
    """Return what a list of documents asks for; `request.body` may say which part of the list."""
    return replace(list_query(request), partition=_partition(plain(request.body.partition)))


def wanted_of(body: Any, *, in_query: bool = False) -> Wanted:
    """Return what a list reads beside its rows: true in query or body is true."""
    names = plain(body.return_vector_names)
    return Wanted(
        all=body.return_vectors or in_query,
        names=tuple(map(str, names)) if isinstance(names, list) else (),
        only_names=names is True,
        expand=tuple(_strings(plain(body.expand), "expand")),
    )


def wanted_of_one(request: Any) -> Wanted:
    """Return what a call for one document reads beside it; lists stand in the query with commas between."""
    names = _words(request.return_vector_names)
    only_names = [name.lower() for name in names] == [_NAMES_ONLY]
    return Wanted(
        all=request.return_vectors,
        names=() if only_names else tuple(name for name in names if name != "false"),
        only_names=only_names,
        expand=tuple(_words(request.expand)),
    )


def group_field_of(body: Any) -> str | None:
    """Return the field that groups are made by, None for a list without groups."""
    given = plain(body.group_by)
    name = given.get("field") if isinstance(given, dict) else given
    if given in (None, "", {}):
        return None
    if not isinstance(name, str) or not name:
        message = "must be the name of a field, or an object with it as field"
        raise InvalidFields.field("body", "group_by", message=message, value=given)
    return name


def page_message(
    page: Page[ReadDocument], select: Sequence[str], unknown: Sequence[str] = ()
) -> collection_document_service_pb2.ListDocumentsResponse:
    """Return a page of documents."""
    message = collection_document_service_pb2.ListDocumentsResponse(
        results=[to_struct_message(read, select) for read in page.items],
        pagination=pagination(page),
        unknown_collection_ids=unknown,
    )
    if page.total is not None:
        message.total_documents = page.total
        message.stats.total_documents = page.total
    return message


def groups_message(groups: GroupPage, select: Sequence[str]) -> collection_document_service_pb2.ListDocumentsResponse:
    """Return a page of groups."""
    page = groups.page
    message = collection_document_service_pb2.ListDocumentsResponse(
        pagination=pagination(page), group_by_field=groups.field, unknown_collection_ids=groups.unknown
    )
    for group in page.items:
        message.groups.add(
            group_key=to_value(group.key),
            documents=[to_struct_message(read, select) for read in group.documents],
            count=group.count,
        )
    if any(group.count > len(group.documents) for group in page.items):
        message.warnings.append("Some groups have more documents than are shown; filter by the field to list them.")
    message.stats.total_groups = page.total or 0
    return message


def _partition(given: Any) -> tuple[int, int] | None:
    if given in (None, {}):
        return None
    index, count = (given.get("index"), given.get("count")) if isinstance(given, dict) else (None, None)
    # true and false are whole numbers to Python alone
    if type(index) is int and type(count) is int and 0 <= index < count <= _MOST_PARTITIONS:
        return index, count
    message = f"must have a count from 1 to {_MOST_PARTITIONS} and an index below it"
    raise InvalidFields.field("body", "partition", message=message, value=given)


def _strings(given: Any, name: str) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise InvalidFields.field("body", name, message="must be a list of strings", kind="list_type", value=given)
    return given


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
