"""Stored bytes as the answer of a call: the headers of its request decide which of them are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc
from google.api.httpbody_pb2 import HttpBody

from shoald.transport import file_answers
from shoald.transport.calls import metadata_of
from shoald.transport.mapping.rag.documents import file_parts

# what Envoy's Lua file says of a HEAD, which reaches the server as the GET that it asks about
_HEADERS_ONLY = "x-shoal-head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file: the name and type it is shown under, and what gives its bytes from `start` to before `end`."""

    etag: str
    size: int
    mime: str
    filename: str
    parts: Callable[[int, int | None], Iterator[bytes]]


def send(context: grpc.ServicerContext, file: Download) -> Iterator[HttpBody]:
    """Send the bytes of a file, those of a range, or none when the caller has them or wants the headers alone."""
    named = {name: metadata_of(context, name.replace("_", "-")) for name in ("if_none_match", "range", "if_range")}
    answer = file_answers.answer_to(file_answers.FileRequest(**named), etag=file.etag, size=file.size)
    mime = file_answers.media_type(file.mime, file.filename)
    headers = file_answers.headers_of(answer, etag=file.etag, size=file.size, mime=mime, filename=file.filename)
    context.send_initial_metadata(tuple(headers.items()))
    is_wanted = metadata_of(context, _HEADERS_ONLY) is None
    return file_parts(file.parts(answer.start, answer.end) if is_wanted else (), mime)
