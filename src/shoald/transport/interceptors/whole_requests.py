"""Lets a stream of requests end only where its caller ended it: one that was broken off fails, and is not the whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc

from shoald.domain.failures import Unavailable
from shoald.transport.interceptors.method_interceptor import Behaviour, MethodInterceptor, is_service_of_grpc

# grpcio tells of the end of a stream and of its caller's leaving in two events, the end first; for so long the second
# may be on its way. They come together, so that this only has to outlast the other threads' turns.
_SECONDS = 0.01


class WholeRequests(MethodInterceptor):
    """Raises at the end of a request stream when its caller is gone; grpcio itself would just end the iteration."""

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Wrap what reads a stream and answers once."""
        return behaviour if is_service_of_grpc(method) else _reading_whole(behaviour)

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Wrap what reads a stream and answers with one."""
        return behaviour if is_service_of_grpc(method) else _reading_whole(behaviour)


def _reading_whole(behaviour: Behaviour) -> Behaviour:
    def reading(request: Any, context: grpc.ServicerContext) -> Any:
        return behaviour(whole(request, context) if isinstance(request, Iterator) else request, context)

    return reading


def whole(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    """Yield the requests; raise `Unavailable` at their end when the caller did not end them.

    A form says itself where it ends, and its reader looks: nobody waits for the word behind it.
    """
    gone = threading.Event()
    if not context.add_callback(gone.set):
        gone.set()
    first = next(requests, None)
    if first is not None:
        yield first
    yield from requests
    if gone.wait(0 if _is_a_form(first) else _SECONDS) or not context.is_active():
        raise Unavailable("The call was canceled.")


def _is_a_form(first: Any) -> bool:
    return str(getattr(getattr(first, "file", None), "content_type", "")).lower().startswith("multipart/form-data")
