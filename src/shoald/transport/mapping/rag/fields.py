"""Fields that many messages of the RAG API have: times, free objects, parts of lists."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from shoald.application.whole_lists import Listed, ListRange
from shoald.domain.cursors import cursor_of, offset_of
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject, flaw_of
from shoald.transport.calls import answer_header
from shoald.transport.json_values import plain_object, to_struct

_MILLISECOND = 1000


class RangeRequest(Protocol):
    """A request for a list."""

    limit: int
    cursor: str

    def HasField(self, field_name: Any, /) -> bool:  # noqa: N802 - protobuf's name
        """Say whether a field is set."""
        ...


def to_timestamp(time: datetime) -> Timestamp:
    """Return a time whose JSON has six digits: a whole millisecond, of which JSON shows three, is shown 1 µs later."""
    if time.microsecond % _MILLISECOND == 0:
        time += timedelta(microseconds=1)
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def to_object(value: JsonObject) -> Struct:
    """Return a free object as a message."""
    return to_struct(value)


def object_of(value: Struct, *loc: str) -> dict[str, Any]:
    """Return the free object that stands at `loc` in a body; one that was not given is empty.

    Raises `InvalidFields` for one that could be stored but not be shown again.
    """
    given = plain_object(value)
    if flaw := flaw_of(given):
        raise InvalidFields.field("body", *loc, message=f"Value error, {flaw}")
    return given


def list_range(request: RangeRequest) -> ListRange:
    """Return which part of a list a request wants."""
    return ListRange(limit=request.limit if request.HasField("limit") else None, offset=offset_of(request.cursor))


def announce_next(listed: Listed[Any]) -> None:
    """Name the cursor of the next part of a list in a header, since the documented body is a bare array."""
    if listed.next_offset is not None:
        answer_header("x-next-cursor", cursor_of(listed.next_offset))
