"""Writes one log line for each call, counts it for Prometheus, and joins it to the caller's trace."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import structlog
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge, Histogram

from shoald.transport import calls
from shoald.transport.interceptors.method_interceptor import (
    Behaviour,
    MethodInterceptor,
    close_if_possible,
    is_service_of_grpc,
)

_log = structlog.get_logger("shoald.requests")
_tracer = trace.get_tracer("shoald.transport")

CALLS = Counter("shoal_calls_total", "Calls that ended, by method and status.", ["method", "status"])
SECONDS = Histogram(
    "shoal_call_seconds",
    "Time from a call's start to its end.",
    ["method"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RUNNING = Gauge("shoal_calls_running", "Calls that run now.", multiprocess_mode="livesum")


class RequestLog(MethodInterceptor):
    """Stands outermost, so that it sees every end of a call."""

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Observe one answer."""
        if is_service_of_grpc(method):
            return behaviour

        def observed(request: Any, context: grpc.ServicerContext) -> Any:
            with _observed(method, context):
                return behaviour(request, context)

        return observed

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Observe a stream from its first message to its end, also when its reader goes away."""
        if is_service_of_grpc(method):
            return behaviour

        def observed(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with _observed(method, context):
                answers = behaviour(request, context)
                try:
                    yield from answers
                finally:
                    close_if_possible(answers)

        return observed


@contextmanager
def _observed(method: str, context: grpc.ServicerContext) -> Iterator[None]:
    outcome = calls.begin_outcome()
    started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=calls.request_id_of(context) or uuid.uuid4().hex)
    RUNNING.inc()
    try:
        with _span(method, context):
            yield
    finally:
        RUNNING.dec()
        _tell(method, context, outcome, time.perf_counter() - started)


@contextmanager
def _span(method: str, context: grpc.ServicerContext) -> Iterator[None]:
    """Open the server's span below Envoy's; without a configured exporter this costs next to nothing."""
    carrier = {key: calls.metadata_of(context, key) for key in ("traceparent", "tracestate")}
    parent = propagate.extract({key: value for key, value in carrier.items() if value})
    service, _, name = method.removeprefix("/").partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    token_span = _tracer.start_as_current_span(
        method.removeprefix("/"), context=parent, kind=trace.SpanKind.SERVER, attributes=attributes
    )
    with token_span:
        yield


def _status(context: grpc.ServicerContext, outcome: calls.Outcome) -> str:
    if outcome.failure_code is None and not context.is_active():
        return "CANCELLED"
    return outcome.status


def _tell(method: str, context: grpc.ServicerContext, outcome: calls.Outcome, seconds: float) -> None:
    status = _status(context, outcome)
    CALLS.labels(method, status).inc()
    SECONDS.labels(method).observe(seconds)
    fields: dict[str, Any] = {"method": method.removeprefix("/"), "status": status, "ms": round(seconds * 1000, 1)}
    request = calls.http_request(context)
    if request is not None:
        fields |= {"http": f"{request[0]} {request[1]}", "http_status": outcome.http_status}
    if outcome.failure_code:
        fields["failure"] = outcome.failure_code
    _log.info("call", **fields)
