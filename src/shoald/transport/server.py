"""Builds the two gRPC servers of a process, one for short calls and one for streams and calls that may wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from shoald.application.access import Access
from shoald.transport.interceptors.admission import Admission
from shoald.transport.interceptors.failures import Failures
from shoald.transport.interceptors.json_form import JsonForm
from shoald.transport.interceptors.key_check import KeyCheck
from shoald.transport.interceptors.request_log import RequestLog
from shoald.transport.interceptors.validation import Validation
from shoald.transport.interceptors.whole_requests import WholeRequests
from shoald.transport.reflection import add_reflection

_SERVING = health_pb2.HealthCheckResponse.SERVING
# threads beyond the admitted streams, which tell the next callers why they were not let in
_SPARE_THREADS = 4
_HEALTH_THREADS = 4
# beyond the 60 KiB of headers that Envoy lets in, so that its 431 comes before grpcio's RESOURCE_EXHAUSTED
_METADATA_BYTES = 96 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How much one process takes at a time; sizes in bytes, times in seconds."""

    unary_threads: int
    stream_threads: int
    streams_per_caller: int
    concurrent_calls: int
    message_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the two servers listen, as `host:port`; port 0 takes a free one."""

    unary: str
    streams: str


AddServicers = Callable[[grpc.Server], Iterable[str]]
"""Adds every servicer to a server and returns the names of the services."""


def channel_options(limits: ServerLimits) -> list[tuple[str, int]]:
    """Return the options of both servers: sizes, and how long Envoy's connections may live and be silent."""
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", 1000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _pool(name: str, threads: int) -> futures.ThreadPoolExecutor:
    return futures.ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)


class Servers:
    """Both servers of a process with one health service: started, then drained."""

    def __init__(
        self, add_servicers: AddServicers, limits: ServerLimits, access: Access, *, reflect: bool = True
    ) -> None:
        options = channel_options(limits)
        outer: list[grpc.ServerInterceptor] = [RequestLog(), Failures(), KeyCheck(access)]
        inner: list[grpc.ServerInterceptor] = [WholeRequests(), JsonForm(), Validation()]
        admission = Admission(limits.stream_threads, limits.streams_per_caller)
        self._unary = grpc.server(
            _pool("unary", limits.unary_threads),
            interceptors=[*outer, *inner],
            options=options,
            maximum_concurrent_rpcs=limits.concurrent_calls,
        )
        self._streams = grpc.server(
            _pool("stream", limits.stream_threads + _SPARE_THREADS),
            interceptors=[*outer, admission, *inner],
            options=options,
            maximum_concurrent_rpcs=limits.stream_threads + limits.concurrent_calls,
        )
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=_pool("health", _HEALTH_THREADS)
        )
        self._services = self._add(add_servicers, reflect=reflect)
        self._stopping = threading.Event()

    def _add(self, add_servicers: AddServicers, *, reflect: bool) -> Sequence[str]:
        services: list[str] = []
        for server in (self._unary, self._streams):
            services = [*add_servicers(server), health.SERVICE_NAME]
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            if reflect:
                add_reflection(server, services)
        return services

    def start(self, addresses: Addresses) -> Addresses:
        """Listen, say that everything serves, and return the addresses with the ports that were taken."""
        taken = [
            _bind(server, address)
            for server, address in ((self._unary, addresses.unary), (self._streams, addresses.streams))
        ]
        self._unary.start()
        self._streams.start()
        for service in ("", *self._services):
            self._health.set(service, _SERVING)
        return Addresses(unary=taken[0], streams=taken[1])

    def drain(self, *, notice: float, grace: float) -> None:
        """Say NOT_SERVING, wait `notice` seconds so that it is heard, refuse new calls, and let running ones end.

        Calls that still run after `grace` seconds are canceled.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        time.sleep(notice)
        ends = [server.stop(grace) for server in (self._unary, self._streams)]
        for end in ends:
            end.wait()

    @property
    def services(self) -> Sequence[str]:
        """The names of the services, health among them."""
        return self._services


class PortTaken(Exception):  # noqa: N818 - it says what is the case
    """Another process listens at an address of ours."""


def _bind(server: grpc.Server, address: str) -> str:
    host, _, _ = address.rpartition(":")
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTaken(f"cannot listen at {address}: {error}") from error
    if port == 0:
        raise PortTaken(f"cannot listen at {address}")
    return f"{host}:{port}"
