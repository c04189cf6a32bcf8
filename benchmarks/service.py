"""A running Shoal beside a bare grpcio server in the same run: calls a second, percentiles, MB/s, memory at rest.

Peer of the unary figures: a grpcio server of one process whose handler returns one small message. Peers of the streams:
parts of 256 KiB from that server, without Envoy, so that the difference is all of Shoal's path; and the bytes of an
uploaded document, through the same Envoy and the same server.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any, Self

import grpc
import numpy as np
import pyarrow as pa
from shoal.clusters.v1 import artifact_service_pb2, artifact_service_pb2_grpc
from shoal.rag.v1 import project_pb2, project_service_pb2, project_service_pb2_grpc

_UNARY_CALLS = 1500
_UPLOAD_BYTES = 200 << 20
_PART = 256 << 10
_ROWS = 400_000


def main() -> None:
    """Start a Shoal of its own, measure, print and write `benchmarks/results/service.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=_ROWS, help="members in the clustered collection")
    rows = parser.parse_known_args()[0].rows
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder, _Bare() as bare:
        shoal = _Shoal(Path(folder))
        try:
            say("Command: `python -m benchmarks service`\n")
            _memory(shoal, say)
            _unary(shoal, bare, say)
            version = _upload(shoal, Path(folder), say)
            _streams(shoal, bare, version, rows, say)
        finally:
            shoal.stop()
    Path("benchmarks/results").mkdir(exist_ok=True)
    Path("benchmarks/results/service.md").write_text("# Service\n\n" + "\n".join(lines) + "\n")


class _Shoal:
    """A `shoal up` on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._command("up", "--detach", "--port", "18000")
        self.state = self._when_ready()
        self.http = self.state["http"]
        self.address = self.http.removeprefix("http://")

    def _when_ready(self) -> dict[str, Any]:
        """Return the status once workers have loaded what they need, too: `up` does not wait for them."""
        while True:
            state: dict[str, Any] = json.loads(self._command("status", "--json"))
            if all(part["state"] in {"ready", "done"} for part in state["parts"].values()):
                return state
            time.sleep(0.5)

    def _command(self, name: str, *options: str) -> str:
        command = [sys.executable, "-m", "shoald", name, "--data", str(self._data), *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stop(self) -> None:
        self._command("down")


class _Bare(project_service_pb2_grpc.ProjectServiceServicer):
    """The peer: grpcio and nothing else, in a process of its own."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.service", "--bare"], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = f"127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def _serve_bare() -> None:
    answer = project_pb2.Project(project_id="0" * 36, name="bare").SerializeToString()
    part = b"x" * _PART

    def one(_request: bytes, _context: object) -> bytes:
        return answer

    def many(request: bytes, _context: object) -> object:
        for _ in range(int(request)):
            yield part

    handlers = {"One": grpc.unary_unary_rpc_method_handler(one), "Many": grpc.unary_stream_rpc_method_handler(many)}
    server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.max_send_message_length", 64 << 20)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Bare", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def _memory(shoal: _Shoal, say: Callable[[str], None]) -> None:
    say("## Memory at rest (proportional set size of each part and its children)\n\n| part | MB |\n|---|---|")
    total = 0.0
    for name, part in shoal.state["parts"].items():
        if part["pid"]:
            size = sum(map(_pss, _tree(part["pid"])))
            total += size
            say(f"| {name} | {size:.0f} |")
    say(f"| together | {total:.0f} |\n")


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(p for child in children for p in _tree(int(child)))]


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _unary(shoal: _Shoal, bare: _Bare, say: Callable[[str], None]) -> None:
    with grpc.insecure_channel(shoal.address) as channel:
        create = project_service_pb2.CreateProjectRequest(name="bench")
        project = project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(create)
    request = project_service_pb2.GetProjectRequest(project_id=project.project_id)
    path = f"/api/v1/projects/{project.project_id}"

    def by_grpc() -> Callable[[], object]:
        stub = project_service_pb2_grpc.ProjectServiceStub(grpc.insecure_channel(shoal.address, _own_connection()))
        return lambda: stub.GetProject(request)

    def by_json() -> Callable[[], object]:
        connection = http.client.HTTPConnection(shoal.address)

        def call() -> None:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200

        return call

    def by_bare() -> Callable[[], object]:
        one = grpc.insecure_channel(bare.address, _own_connection()).unary_unary("/bare.Bare/One")
        return lambda: one(b"")

    say("## A unary call: GetProject (one indexed row from PostgreSQL), the client on the same two cores\n")
    say("| path | connections | calls/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
    for connections in (1, 8):
        for name, client in (
            ("bare grpcio handler", by_bare),
            ("gRPC through Envoy", by_grpc),
            ("JSON through Envoy", by_json),
        ):
            rate, times = _load(client, connections)
            p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
            say(f"| {name} | {connections} | {rate:.0f} | {p50 * 1e3:.2f} | {p99 * 1e3:.2f} |")
    say("")


def _own_connection() -> list[tuple[str, int]]:
    return [("grpc.use_local_subchannel_pool", 1)]


def _load(client: Callable[[], Callable[[], object]], connections: int) -> tuple[float, list[float]]:
    times: list[float] = []

    def drive() -> None:
        call = client()
        for _ in range(50):
            call()
        barrier.wait()
        for _ in range(_UNARY_CALLS // connections):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)

    barrier = threading.Barrier(connections + 1)
    threads = [threading.Thread(target=drive) for _ in range(connections)]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - began), sorted(times)


def _upload(shoal: _Shoal, folder: Path, say: Callable[[str], None]) -> str:
    """Measure an upload; return the id of its document version."""
    file = folder / "large.bin"
    with file.open("wb") as out:
        for _ in range(_UPLOAD_BYTES >> 20):
            out.write(os.urandom(1 << 20))
    copied = folder / "copy.bin"
    began = time.perf_counter()
    with file.open("rb") as source, copied.open("wb") as target:
        while piece := source.read(_PART):
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    copy_seconds = time.perf_counter() - began
    copied.unlink()
    project = json.loads(
        _curl(f"{shoal.http}/api/v1/projects", "-H", "content-type: application/json", "-d", '{"name":"up"}')
    )
    began = time.perf_counter()
    answer = _curl(f"{shoal.http}/api/v1/projects/{project['project_id']}/documents", "-F", f"file=@{file}")
    seconds = time.perf_counter() - began
    size = _UPLOAD_BYTES / 1e6
    say(f"## Upload of {size:.0f} MB by multipart through Envoy\n")
    copying = size / copy_seconds
    say(f"{size / seconds:.0f} MB/s, hashed and stored; copying the same file with fsync {copying:.0f} MB/s\n")
    return str(json.loads(answer)["document_version"]["version_id"])


def _curl(*words: str) -> bytes:
    return subprocess.run(["curl", "-sS", "--fail-with-body", *words], check=True, capture_output=True).stdout


def _streams(shoal: _Shoal, bare: _Bare, version: str, rows: int, say: Callable[[str], None]) -> None:
    cluster_id, run_id = _clustered(shoal, rows)
    plain, plain_seconds = _downloaded(f"{shoal.http}/api/v1/document_versions/{version}/content")
    began = time.perf_counter()
    link = json.loads(_curl(f"{shoal.http}/v1/clusters/{cluster_id}/executions/{run_id}/export?format=parquet"))
    parquet, _ = _downloaded(link["url"])
    parquet_seconds = time.perf_counter() - began
    with grpc.insecure_channel(shoal.address, [("grpc.max_receive_message_length", 64 << 20)]) as channel:
        stub = artifact_service_pb2_grpc.ArtifactServiceStub(channel)
        request = artifact_service_pb2.StreamMembersRequest(cluster_id=cluster_id, run_id=run_id)
        # the first reading loads the library that decodes
        for _ in range(2):
            began, size, got = time.perf_counter(), 0, 0
            for part in stub.StreamMembers(request):
                size += len(part.arrow)
                got += pa.ipc.open_stream(part.arrow).read_all().num_rows if part.arrow else 0
            members_seconds = time.perf_counter() - began
    with grpc.insecure_channel(bare.address) as channel:
        many = channel.unary_stream("/bare.Bare/Many")
        parts = max(40, size // _PART)
        began = time.perf_counter()
        received = sum(len(part) for part in many(str(parts).encode()))
        bare_speed = received / (time.perf_counter() - began) / 1e6
    say(f"## Streams of a run with {rows:,} members\n\n| what | MB | MB/s | rows/s |\n|---|---|---|---|")
    say(f"| bare grpcio byte stream, no Envoy | {received / 1e6:.0f} | {bare_speed:.0f} | |")
    say(f"| bytes of a document, by HTTP through Envoy | {plain / 1e6:.0f} | {plain / 1e6 / plain_seconds:.0f} | |")
    speed, rate = size / 1e6 / members_seconds, got / members_seconds
    say(f"| member stream (Arrow), gRPC through Envoy | {size / 1e6:.1f} | {speed:.0f} | {rate:,.0f} |")
    speed = parquet / 1e6 / parquet_seconds
    say(f"| Parquet download through Envoy, link included | {parquet / 1e6:.1f} | {speed:.0f} | |\n")


def _downloaded(url: str) -> tuple[int, float]:
    """Return how many bytes were read over HTTP, by pieces of 256 KiB, and in how many seconds."""
    size, piece, began = 0, bytearray(_PART), time.perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - an address of this script's own installation
        while count := answer.readinto(piece):
            size += count
    return size, time.perf_counter() - began


def _clustered(shoal: _Shoal, rows: int) -> tuple[str, str]:
    """Import planted vectors through `shoal import` and cluster them; return the ids of the cluster and the run."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(20, 32))
    vectors = (centres[rng.integers(0, 20, rows)] + 0.2 * rng.normal(size=(rows, 32))).astype(np.float32)
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, vectors)
        file.flush()
        shoal._command("import", file.name, "--collection", "bench")  # noqa: SLF001 - the class is this script's
    collection = json.loads(_curl(f"{shoal.http}/v1/collections/bench"))
    definition = {
        "cluster_name": "bench",
        "collection_ids": [collection["collection_id"]],
        "vector_config": {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": 20}},
    }
    json_header = ("-H", "content-type: application/json")
    cluster = json.loads(_curl(f"{shoal.http}/v1/clusters", *json_header, "-d", json.dumps(definition)))
    task = json.loads(_curl(f"{shoal.http}/v1/clusters/{cluster['cluster_id']}/execute", "-X", "POST"))
    while task["status"] not in {"COMPLETED", "FAILED", "CANCELED"}:
        time.sleep(0.5)
        task = json.loads(_curl(f"{shoal.http}/v1/tasks/{task['task_id']}"))
    return cluster["cluster_id"], task["additional_data"]["run_id"]


if __name__ == "__main__":
    if "--bare" in sys.argv:
        _serve_bare()
    else:
        main()
