"""Wraps what answers a method, once for each method, whatever its kind: one message or a stream, in and out."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import grpc

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Continuation = Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"]


class MethodInterceptor(grpc.ServerInterceptor, ABC):
    """Replaces behaviours by wrapped ones. Subclasses say how, for answers of one message and for streams of them."""

    def __init__(self) -> None:
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._lock = threading.Lock()

    @abstractmethod
    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Wrap a behaviour that returns one message."""

    @abstractmethod
    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Wrap a behaviour that returns an iterator of messages."""

    def deserializer(self, method: str, original: Callable[[bytes], Any]) -> Callable[[bytes], Any]:  # noqa: ARG002 - for subclasses
        """Wrap what turns bytes into a request; by default nothing changes."""
        return original

    def serializer(self, method: str, original: Callable[[Any], bytes]) -> Callable[[Any], bytes]:  # noqa: ARG002 - for subclasses
        """Wrap what turns an answer into bytes; by default nothing changes."""
        return original

    def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the method's wrapped handler."""
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        with self._lock:
            return self._wrapped.setdefault(method, self.wrap(method, handler))

    def wrap(self, method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """Return a handler of the same kind around this one."""
        behaviour, make = _parts(handler)
        wrapped = (self.stream if handler.response_streaming else self.unary)(method, behaviour)
        return make(
            wrapped,
            self.deserializer(method, handler.request_deserializer) if handler.request_deserializer else None,
            self.serializer(method, handler.response_serializer) if handler.response_serializer else None,
        )


def _parts(handler: Any) -> tuple[Behaviour, Callable[..., grpc.RpcMethodHandler[Any, Any]]]:
    if handler.request_streaming and handler.response_streaming:
        return handler.stream_stream, grpc.stream_stream_rpc_method_handler
    if handler.request_streaming:
        return handler.stream_unary, grpc.stream_unary_rpc_method_handler
    if handler.response_streaming:
        return handler.unary_stream, grpc.unary_stream_rpc_method_handler
    return handler.unary_unary, grpc.unary_unary_rpc_method_handler


def is_service_of_grpc(method: str) -> bool:
    """Say whether a method is health or reflection, which have rules of their own."""
    return method.startswith("/grpc.")


def close_if_possible(iterator: Iterator[Any]) -> None:
    """Close an iterator that can be closed, so that what it holds is let go at once."""
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
