"""From one page of a list to the request for the next, however the call says where to go on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

RequestT = TypeVar("RequestT", bound=Message)


def next_request(request: RequestT, answer: Message, headers: Iterable[Any]) -> RequestT | None:
    """Return the request for the page behind `answer`, None when it was the last.

    The cursor is the answer's `next_cursor`, that of its `pagination`, or the header `x-next-cursor`.
    """
    cursor = _cursor_in(answer) or next((str(value) for key, value in headers if key == "x-next-cursor"), "")
    if not cursor:
        return None
    following = type(request)()
    following.CopyFrom(request)
    asked: Any = following
    asked.cursor = cursor
    if "body" in following.DESCRIPTOR.fields_by_name and following.HasField("body"):
        asked.body.cursor = cursor  # it wins over the request's own
    return following


def _cursor_in(answer: Message) -> str:
    names = answer.DESCRIPTOR.fields_by_name
    if "next_cursor" in names:
        return str(getattr(answer, "next_cursor", ""))
    if "pagination" in names:
        return str(getattr(answer, "pagination").next_cursor)  # noqa: B009 - the message's own class is not known here
    return ""
