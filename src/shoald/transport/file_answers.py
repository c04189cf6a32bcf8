"""Stored bytes as an HTTP answer: conditions and ranges of a request go in, headers and the wanted part come out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from shoald.domain.failures import RangeNotSatisfiable
from shoald.domain.media_types import guessed_type

OK, PARTIAL_CONTENT, NOT_MODIFIED = 200, 206, 304
_UNKNOWN = "application/octet-stream"
_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")
# what a browser would run with the rights of this address's own pages is more than a list can name: every kind of XML
# may hold scripts; PDF alone is shown by a program of its own, which a sandbox would stop
_NOT_SANDBOXED = "application/pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """What a request says of the bytes that it wants; None where it says nothing."""

    if_none_match: str | None = None
    range: str | None = None
    if_range: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """The HTTP status, and which bytes to send: from `start` to before `end`."""

    status: int
    start: int
    end: int


def answer_to(request: FileRequest, *, etag: str, size: int) -> FileAnswer:
    """Return how a request is answered; raises `RangeNotSatisfiable`.

    More than one range, and one that is no range, are answered with the whole, as HTTP allows.

    >>> answer_to(FileRequest(range="bytes=2-4"), etag="a", size=10)
    FileAnswer(status=206, start=2, end=5)
    >>> answer_to(FileRequest(range="bytes=-3"), etag="a", size=10)
    FileAnswer(status=206, start=7, end=10)
    >>> answer_to(FileRequest(if_none_match='"b", W/"a"'), etag="a", size=10)
    FileAnswer(status=304, start=0, end=0)
    """
    if request.if_none_match is not None and _names(request.if_none_match, etag):
        return FileAnswer(status=NOT_MODIFIED, start=0, end=0)
    wanted = _RANGE.fullmatch(request.range or "")
    is_same = request.if_range is None or request.if_range == f'"{etag}"'
    if wanted is None or not is_same or not any(wanted.groups()):
        return FileAnswer(status=OK, start=0, end=size)
    start, end = _bounds(wanted.group(1), wanted.group(2), size)
    if start >= end:
        raise RangeNotSatisfiable(detail={"range": request.range, "size": size})
    return FileAnswer(status=PARTIAL_CONTENT, start=start, end=end)


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size
    return int(first), size if not last else min(int(last) + 1, size)


def _names(header: str, etag: str) -> bool:
    known = {word.strip().removeprefix("W/") for word in header.split(",")}
    return "*" in known or f'"{etag}"' in known


def media_type(mime: str, filename: str) -> str:
    """Return the media type of a file: what its upload said, else a guess from its name.

    >>> media_type("application/octet-stream", "a.md"), media_type("text/plain", "a.csv"), media_type("", "a")
    ('text/markdown', 'text/plain', 'application/octet-stream')
    """
    given = mime.strip()
    if given and given != _UNKNOWN:
        return given
    return guessed_type(filename) or _UNKNOWN


def headers_of(answer: FileAnswer, *, etag: str, size: int, mime: str, filename: str) -> dict[str, str]:
    """Return the headers of an answer beside its content type.

    `x-own-status` and `x-own-length` are for Envoy's Lua file, which makes the status and the length of them.
    """
    headers = {
        "etag": f'"{etag}"',
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=0, must-revalidate",
        "content-disposition": _disposition(filename),
        "x-content-type-options": "nosniff",
        "x-own-status": str(answer.status),
        "x-own-length": str(answer.end - answer.start),
    }
    if mime.partition(";")[0].strip().lower() != _NOT_SANDBOXED:
        headers["content-security-policy"] = "sandbox"
    if answer.status == PARTIAL_CONTENT:
        headers["content-range"] = f"bytes {answer.start}-{answer.end - 1}/{size}"
    return headers


def _disposition(filename: str) -> str:
    r"""Return `inline` with the name, in both forms that RFC 6266 knows when it is not plain ASCII.

    >>> _disposition('a "b".txt'), _disposition("\u00fc.txt")
    ('inline; filename="a _b_.txt"', 'inline; filename="_.txt"; filename*=UTF-8\'\'%C3%BC.txt')
    """
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    if filename.isascii():
        return f'inline; filename="{plain}"'
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
