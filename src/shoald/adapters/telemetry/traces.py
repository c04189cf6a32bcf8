"""OpenTelemetry: from Envoy through the server to the worker, switched on by the standard variables."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import propagate, trace
from prometheus_client import Counter, Histogram

from shoald.application.ports.tracing import CallMarks

ATTEMPTS = Counter("shoal_job_attempts_total", "Attempts at jobs that ended, by kind and outcome.", ["kind", "outcome"])
SECONDS = Histogram(
    "shoal_job_seconds",
    "Time of one attempt at a job.",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
_log = structlog.get_logger("shoald.jobs")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_switched_on() -> bool:
    """Say whether the standard variables name a collector."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(os.environ.get(name) for name in _ENDPOINTS)


def set_up_traces(service: str) -> None:
    """Export spans over OTLP where a collector is named; the libraries are not even loaded elsewhere."""
    if not is_switched_on():
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


class OpenTelemetryTracing:
    """Carries request id and trace of a call into its jobs."""

    def current(self) -> CallMarks:
        """Return the marks of the call that this thread serves."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        return CallMarks(request_id=request_id, trace_parent=carrier.get("traceparent"))

    @contextmanager
    def job_span(self, name: str, marks: CallMarks, **fields: str | int) -> Iterator[None]:
        """Do what is inside as part of the call with these marks; log lines carry them and the fields."""
        parent = propagate.extract({"traceparent": marks.trace_parent} if marks.trace_parent else {})
        request_id = marks.request_id or uuid.uuid4().hex
        tracer = trace.get_tracer("shoald.jobs")
        attributes = {f"shoal.{key}": value for key, value in fields.items()}
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id, **fields),
            tracer.start_as_current_span(
                name,
                context=parent,
                kind=trace.SpanKind.CONSUMER,
                attributes={**attributes, "shoal.request_id": request_id},
            ),
        ):
            started = time.perf_counter()
            outcome = "raised"
            try:
                yield
                outcome = "returned"
            finally:
                seconds = time.perf_counter() - started
                ATTEMPTS.labels(name, outcome).inc()
                SECONDS.labels(name).observe(seconds)
                _log.info("attempt", kind=name, outcome=outcome, ms=round(seconds * 1000, 1))
