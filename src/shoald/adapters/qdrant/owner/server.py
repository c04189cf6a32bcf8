"""The owner's gRPC server: the services, health, limits, and a key when one is set."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from qdrant_client import grpc as messages

from shoald.adapters.qdrant.owner.services import Collections, Points, Root
from shoald.adapters.qdrant.owner.shards import Shards

_THREADS = 8
_MOST_CALLS = 128
_LARGEST_MESSAGE = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerOptions:
    """Where the shards lie, where to listen (port 0: any free one), and the key that callers must show, if any."""

    root: Path
    host: str
    port: int
    api_key: str | None = None


class Owner:
    """The running owner of one directory."""

    def __init__(self, options: OwnerOptions) -> None:
        self._shards = Shards(options.root)
        self._health = health.HealthServicer()
        interceptors: list[grpc.ServerInterceptor] = [_KeyCheck(options.api_key)] if options.api_key else []
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="owner"),
            interceptors=interceptors,
            maximum_concurrent_rpcs=_MOST_CALLS,
            options=[
                ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
                ("grpc.max_send_message_length", _LARGEST_MESSAGE),
                ("grpc.so_reuseport", 0),
            ],
        )
        generated: Any = messages  # Qdrant's stubs carry no types
        generated.add_CollectionsServicer_to_server(Collections(self._shards), self._server)
        generated.add_PointsServicer_to_server(Points(self._shards), self._server)
        generated.add_QdrantServicer_to_server(Root(), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = self._server.add_insecure_port(f"{options.host}:{options.port}")

    def start(self) -> None:
        """Take calls."""
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def stop(self, *, seconds: float) -> None:
        """Let running calls end within so many seconds, then flush and close the shards."""
        self._health.enter_graceful_shutdown()
        self._server.stop(seconds).wait(seconds + 1.0)  # calls are cancelled by then; grpcio need not have noticed
        self._shards.close()


class _KeyCheck(grpc.ServerInterceptor):
    """Refuses calls without the key, as a Qdrant server with a key does; health may always be asked."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._refusal: Any = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Pass a call on, or answer it here."""
        shown = dict(handler_call_details.invocation_metadata or ()).get("api-key", "")
        is_health = handler_call_details.method.startswith("/grpc.health.v1.")
        if is_health or hmac.compare_digest(str(shown).encode(), self._key):
            return continuation(handler_call_details)
        return self._refusal


def _refuse(_request: object, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid API key")
