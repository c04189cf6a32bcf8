"""The edge alone for tests: a real Envoy before our gRPC servers, and behind them servicers that do as a test says."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from contract.player import HttpAnswer, http_sender
from shoald.application.access import Access
from shoald.supervisor import binaries
from shoald.supervisor.envoy_config import EnvoyForm, render
from shoald.supervisor.ports import free_port
from shoald.transport.server import Addresses, ServerLimits, Servers
from support.open_access import OPEN_ACCESS

LIMITS = ServerLimits(
    unary_threads=4, stream_threads=3, streams_per_caller=2, concurrent_calls=50, message_bytes=64 * 1024 * 1024
)
JSON_LIMIT = 1024 * 1024
UPLOAD_LIMIT = 64 * 1024 * 1024


@dataclass
class Edge:
    """A running edge."""

    url: str
    servers: Servers
    envoy: subprocess.Popen[bytes]
    access_log: Path
    unary: str

    @property
    def address(self) -> str:
        """Where gRPC clients connect."""
        return self.url.removeprefix("http://")

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HttpAnswer:
        """Send one request; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return http_sender(self.url)(method, path, named, body)

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send one JSON request and return status and body."""
        given = None if body is None else json.dumps(body).encode()
        answer = self.call(method, path, given, **headers)
        return answer.status, json.loads(answer.body)

    def memory(self) -> int:
        """Return Envoy's resident memory in bytes."""
        status = Path(f"/proc/{self.envoy.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextlib.contextmanager
def running_edge(
    folder: Path,
    add: Callable[[grpc.Server], Iterable[str]],
    limits: ServerLimits = LIMITS,
    access: Access = OPEN_ACCESS,
) -> Iterator[Edge]:
    """Run the edge for as long as the block lasts."""
    servers = Servers(add, limits, access)
    taken = servers.start(Addresses(unary="127.0.0.1:0", streams="127.0.0.1:0"))
    port = free_port()
    form = EnvoyForm(
        listen=f"127.0.0.1:{port}",
        admin=f"127.0.0.1:{free_port()}",
        unary=(taken.unary,),
        streams=(taken.streams,),
        access_log=str(folder / "access.log"),
        max_json_bytes=JSON_LIMIT,
        max_upload_bytes=UPLOAD_LIMIT,
        origins=("https://maps.example",),
        health_seconds=0.2,
    )
    configuration = folder / "envoy.json"
    configuration.write_text(json.dumps(render(form)))
    command = [binaries.envoy(), "-c", str(configuration), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with (folder / "envoy.log").open("wb") as log:
        envoy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    edge = Edge(f"http://127.0.0.1:{port}", servers, envoy, folder / "access.log", taken.unary)
    try:
        _wait_until_ready(edge)
        yield edge
    finally:
        envoy.terminate()
        envoy.wait(10)
        servers.drain(notice=0, grace=0.5)


def _wait_until_ready(edge: Edge) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if edge.call("GET", "/health").status == 200:
                return
        time.sleep(0.05)
    raise TimeoutError("the edge is not ready")
