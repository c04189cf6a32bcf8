"""A trace goes from Envoy through the server into the job that a call starts, once a collector is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from contract.contracts import ROOT
from contract.player import http_sender
from shoald.supervisor import binaries
from shoald.supervisor.envoy_config import EnvoyForm, render
from shoald.supervisor.ports import free_port

pytestmark = pytest.mark.integration

SERVER = """
import sys
sys.path.append("tests")
from contract.trial_services import Projects, SegmentSets, adder
from shoald.adapters.telemetry.setup import Telemetry, set_up_telemetry
from shoald.adapters.telemetry.traces import OpenTelemetryTracing
from shoald.transport.server import Addresses, ServerLimits, Servers
from support.open_access import OPEN_ACCESS
set_up_telemetry("shoal-server", Telemetry())
tracing, plain = OpenTelemetryTracing(), Projects.GetProject
def traced(self, request, context):
    with tracing.job_span("job trial", tracing.current(), job_id="j"):
        return plain(self, request, context)
Projects.GetProject = traced
limits = ServerLimits(unary_threads=2, stream_threads=2, streams_per_caller=2, concurrent_calls=9, message_bytes=99999)
servers = Servers(adder(SegmentSets()), limits, OPEN_ACCESS)
taken = servers.start(Addresses(unary="127.0.0.1:0", streams="127.0.0.1:0"))
print("listens", taken.unary, taken.streams, flush=True)
sys.stdin.read()
"""


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that it is sent: (service, name, trace, span, parent)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str, str, str]] = []
        self.changed = threading.Condition()

    def Export(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802, ANN001, ARG002 - gRPC's names
        with self.changed:
            for resource in request.resource_spans:
                service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
                self.spans += [
                    (service, s.name, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex())
                    for scope in resource.scope_spans
                    for s in scope.spans
                ]
            self.changed.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def collector() -> Iterator[tuple[Collector, int]]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    keeper = Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(keeper, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield keeper, port
    server.stop(0).wait()


def test_a_trace_goes_from_envoy_to_the_job(collector: tuple[Collector, int], tmp_path: Path) -> None:
    keeper, port = collector
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    command = [sys.executable, "-c", SERVER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, cwd=ROOT, text=True) as server:
        assert server.stdout is not None
        _, unary, streams = server.stdout.readline().split()
        listen = f"127.0.0.1:{free_port()}"
        admin = f"127.0.0.1:{free_port()}"
        form = EnvoyForm(listen=listen, admin=admin, unary=(unary,), streams=(streams,), otlp_endpoint=endpoint)
        file = tmp_path / "envoy.json"
        file.write_text(json.dumps(render(form)))
        options = ["--disable-hot-restart", "--concurrency", "1", "-l", "off"]
        with subprocess.Popen([binaries.envoy(), "-c", str(file), *options], stdout=subprocess.DEVNULL) as envoy:
            try:
                trace = _call_until_traced(keeper, listen)
            finally:
                envoy.terminate()
        server.kill()
    names = {(service, name): (span, parent) for service, name, of, span, parent in keeper.spans if of == trace}
    job = next(value for (service, name), value in names.items() if name == "job trial")
    call = names["shoal-server", "shoal.rag.v1.ProjectService/GetProject"]
    edges = [span for (service, _), (span, _) in names.items() if service == "shoal-envoy"]
    assert job[1] == call[0]
    assert call[1] in edges


def _call_until_traced(keeper: Collector, listen: str) -> str:
    """Call until all three have told of one call, and return its trace."""
    send = http_sender(f"http://{listen}")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            send("GET", "/api/v1/projects/here", {}, None)
        except OSError:
            time.sleep(0.1)
            continue
        with keeper.changed:
            keeper.changed.wait(0.3)
            for trace in {span[2] for span in keeper.spans}:
                told = {span[0] for span in keeper.spans if span[2] == trace}
                if told >= {"shoal-envoy", "shoal-server"} and len([s for s in keeper.spans if s[2] == trace]) > 2:
                    return trace
    raise AssertionError(f"no whole trace; spans: {keeper.spans[:20]}")
