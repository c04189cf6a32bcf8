"""What the clusters API's lists ask for, in query and body, as one query; and pages as their pagination object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from google.protobuf.message import Message
from shoal.clusters.v1 import pagination_pb2

from shoald.application.listing import DEFAULT_LIMIT, ListQuery, Page, SortKey
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject, flaw_of
from shoald.transport.json_values import plain_object

_CURSORS = ("cursor", "next_cursor", "after")


def list_query(request: Any) -> ListQuery:
    """Return what a list request asks for: what the body says wins over the query string, `limit` over `page_size`,
    `offset` over `page`.
    """
    places = (request.body, request)
    limit = _first(places, "limit", "page_size") or DEFAULT_LIMIT
    return ListQuery(
        limit=limit,
        offset=_offset(places, limit),
        cursor=_first(places, *_CURSORS),
        include_total=any(_value(place, "include_total") for place in places),
        filters=_filters(request),
        sort=_sort(request),
        search=_first(places, "search") or None,
    )


def pagination(page: Page[Any]) -> pagination_pb2.Pagination:
    """Return where a page stands; totals are said when they were asked for."""
    message = pagination_pb2.Pagination(
        page=page.offset // page.limit + 1, page_size=page.limit, next_cursor=page.next_cursor
    )
    if page.include_total and page.total is not None:
        message.total = page.total
        message.total_pages = -(-page.total // page.limit)
    return message


def _value(message: Message, name: str) -> Any:
    field = message.DESCRIPTOR.fields_by_name.get(name)
    return getattr(message, name) if field is not None and message.HasField(name) else None


def _first(places: Iterable[Message], *names: str) -> Any:
    """Return the first value that is set: the earlier place wins, then the earlier name."""
    values = (_value(place, name) for place in places for name in names)
    return next((value for value in values if value is not None), None)


def _offset(places: Iterable[Message], limit: int) -> int:
    for place in places:
        offset, page = _value(place, "offset"), _value(place, "page")
        if offset is not None:
            return int(offset)
        if page is not None:
            return (int(page) - 1) * limit
    return 0


def _filters(request: Any) -> JsonObject | None:
    """Return the filters of the body, else those that the query string carries as JSON text."""
    if _value(request.body, "filters") is not None:
        return plain_object(request.body.filters)
    text = _value(request, "filters")
    return _object_in(text, "filters", "must be a JSON object") if text else None


def _object_in(text: str, name: str, message: str) -> JsonObject:
    """Return the object that a parameter of the query string holds as JSON, as a body could hold it."""
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        given = None
    flaw = flaw_of(given) if isinstance(given, dict) else message
    if flaw is not None:
        raise InvalidFields.field("query", name, message=flaw, kind="json_invalid", value=text)
    return dict(given)


def _sort(request: Any) -> tuple[SortKey, ...]:
    keys = list(getattr(request.body, "sorts", ()))
    if not keys and _value(request.body, "sort") is not None:
        keys = [request.body.sort]
    if keys:
        return tuple(SortKey(field=key.field, descending=key.direction == "desc") for key in keys)
    word = _value(request, "sort")
    return (_sort_key(word),) if word else ()


def _sort_key(word: str) -> SortKey:
    """Read a key of the query string: `field`, `-field`, `field:desc`, or `{"field": …, "direction": …}`."""
    if word.startswith("{"):
        return _sort_object(word)
    name, separator, direction = word.rpartition(":")
    if separator and direction in {"asc", "desc"}:
        return SortKey(field=name, descending=direction == "desc")
    return SortKey(field=word.removeprefix("-"), descending=word.startswith("-"))


def _sort_object(text: str) -> SortKey:
    message = "must be an object of field and direction, asc or desc"
    given = _object_in(text, "sort", message)
    name, direction = given.get("field"), given.get("direction") or "asc"
    if not isinstance(name, str) or not name or direction not in ("asc", "desc"):
        raise InvalidFields.field("query", "sort", message=message, kind="json_invalid", value=text)
    return SortKey(field=name, descending=direction == "desc")
