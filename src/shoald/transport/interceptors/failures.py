"""Turns what goes wrong into the answer that the caller's kind of client documents; the only place that catches all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
import structlog

from shoald.domain.failures import Broken, Busy, Failure, RangeNotSatisfiable, Unavailable
from shoald.transport import calls
from shoald.transport.error_bodies import Family, json_body, status_of
from shoald.transport.failure_table import answer_to
from shoald.transport.http_bindings import method_descriptor
from shoald.transport.interceptors.method_interceptor import (
    Behaviour,
    MethodInterceptor,
    close_if_possible,
    is_service_of_grpc,
)

_log = structlog.get_logger("shoald.transport")
# Envoy cannot read this as a message and breaks the transfer off, so that a client over HTTP/1.1, which sees no
# trailers, does not take what it has for the whole
_POISON = b"\xff\xff\xff"
_MAY_BE_BYTES = {"google.api.HttpBody", "shoal.clusters.v1.StreamMembersResponse"}
_READ_ON_SECONDS, _READ_ON_BYTES = 5.0, 64 * 1024 * 1024


class Failures(MethodInterceptor):
    """Answers with the failure that our code raised; anything else becomes an internal error that tells nothing."""

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Answer for a behaviour of one message."""
        if is_service_of_grpc(method):
            return behaviour
        family = Family.of_method(method)

        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - here everything that was not foreseen ends
                failure = _as_failure(error, context)
                if isinstance(request, Iterator) and calls.is_json(context):
                    read_on(request)
                _abort(context, failure, family)

        return guarded

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Answer for a stream: before its first message like the other, after it by breaking the transfer."""
        if is_service_of_grpc(method):
            return behaviour
        family = Family.of_method(method)

        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            answers = iter(())
            has_begun = False
            try:
                answers = behaviour(request, context)
                for answer in answers:
                    has_begun = True
                    yield answer
            except Exception as error:  # noqa: BLE001 - here everything that was not foreseen ends
                failure = _as_failure(error, context)
                if has_begun and calls.is_json(context):
                    yield _POISON
                _abort(context, failure, family)
            finally:
                close_if_possible(answers)

        return guarded

    def serializer(self, method: str, original: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
        """Let bytes through as they are: the poison in streams of file bodies, and members that are encoded already."""
        descriptor = method_descriptor(method)
        if descriptor is None or descriptor.output_type.full_name not in _MAY_BE_BYTES:
            return original
        return lambda message: message if isinstance(message, bytes) else original(message)


def read_on(requests: Iterator[Any], *, seconds: float = _READ_ON_SECONDS, size: int = _READ_ON_BYTES) -> None:
    """Take what is left of an upload that is refused, for so long and so many bytes, and throw it away.

    A client over HTTP/1.1 that is still sending when the connection closes sees a reset instead of the answer.
    """
    until = time.monotonic() + seconds
    with contextlib.suppress(Exception):  # whatever ends the upload, the answer is the failure that was met first
        while size > 0 and time.monotonic() < until:
            piece = next(requests, None)
            if piece is None:
                return
            size -= piece.ByteSize()


def _as_failure(error: Exception, context: grpc.ServicerContext) -> Failure:
    if isinstance(error, Failure):
        if isinstance(error, Broken):
            _log.error("broken", code=error.code, message=error.message, exc_info=error)
        return error
    if not context.is_active():
        # the caller is gone; what its absence did to our code interests nobody
        return Unavailable("The call was canceled.")
    _log.error("unforeseen error", exc_info=error)
    request_id = calls.request_id_of(context)
    hint = f"The server's log has more under request_id {request_id}." if request_id else None
    return Broken("An internal error occurred.", detail={"request_id": request_id}, hint=hint)


def _abort(context: grpc.ServicerContext, failure: Failure, family: Family) -> NoReturn:
    answer = answer_to(failure)
    calls.note_failure(failure.code, answer.status.name, answer.http_status)
    message = failure.message[:1024]
    context.set_trailing_metadata(tuple(_trailers(failure, family, is_json=calls.is_json(context))))
    context.abort(answer.status, message)


def _trailers(failure: Failure, family: Family, *, is_json: bool) -> Iterator[tuple[str, str | bytes]]:
    if isinstance(failure, (Busy, Unavailable)):
        yield "retry-after", str(max(1, round(failure.retry_after_seconds)))
    if isinstance(failure, RangeNotSatisfiable):
        yield "content-range", f"bytes */{failure.detail['size']}"
    if is_json:
        yield "x-error-body", json_body(failure, family)
        yield "x-http-status", str(answer_to(failure).http_status)
    else:
        yield "grpc-status-details-bin", status_of(failure).SerializeToString()
