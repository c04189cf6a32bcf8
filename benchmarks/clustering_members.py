"""The member stream beside a bare byte stream and one message a row: gRPC on loopback, the client on the same cores.

A million members with ids of 36 characters. Streams of bytes are read twenty times, messages of one row twice, and the
median counts; the client opens every Arrow batch. Processor seconds are those of server and client together.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import grpc
import numpy as np
from shoal.clusters.v1 import artifact_pb2
from shoal.clusters.v1 import artifact_service_pb2 as pb

from benchmarks._clustering import Report

MEMBERS = 1_000_000
SINGLE = 50_000
READ = 20
READ_SINGLE = 2
PART = 1 << 20
MESSAGE = 1 << 20
"""The size of the server's Arrow messages."""


def _written(path: Path) -> None:
    from shoald.adapters.parquet.run_tables import ParquetRunTables

    random = np.random.default_rng(0)
    labels = np.sort(random.integers(0, 100, MEMBERS))
    columns: dict[str, Any] = {
        "point_id": np.array([f"{row:036d}".encode() for row in range(MEMBERS)]),
        "collection_id": ["col_0123456789"] * MEMBERS,
        "cluster_id": [f"cl_{label}" for label in labels],
        **{name: random.normal(size=MEMBERS).astype(np.float32) for name in ("x", "y", "z")},
        **{
            name: random.random(MEMBERS, dtype=np.float32)
            for name in ("cosine_similarity_to_centroid", "raw_cosine_to_centroid", "probability")
        },
    }
    with path.open("wb") as file:
        ParquetRunTables().write(file, columns, metadata={})


def _serve(path: str, told: Any) -> None:
    from shoald.adapters.parquet.run_tables import ParquetRunTables
    from shoald.transport.mapping.clusters.artifacts import encoded_members

    tables, part = ParquetRunTables(), b"x" * PART

    def bare(request: bytes, _context: object) -> Iterator[bytes]:
        return (part for _ in range(int(request)))

    def members(_request: bytes, _context: object) -> Iterator[bytes]:
        for arrow, rows in tables.arrow_messages(path, max_bytes=MESSAGE):
            yield encoded_members(arrow, rows)

    def rows(_request: bytes, _context: object) -> Iterator[bytes]:
        sent = 0
        for batch in tables.read(path, columns=[field.name for field in artifact_pb2.Member.DESCRIPTOR.fields]):
            names = list(batch)  # the file has a column for most of the fields
            for row in zip(*(batch[name] for name in names), strict=True):
                yield artifact_pb2.Member(**dict(zip(names, row, strict=True))).SerializeToString()
                sent += 1
                if sent == SINGLE:
                    return

    def spent(_request: bytes, _context: object) -> Iterator[bytes]:
        yield str(time.process_time()).encode()

    works: dict[str, Callable[[bytes, Any], Iterator[bytes]]] = {
        "Bare": bare,
        "Members": members,
        "Rows": rows,
        "Spent": spent,
    }
    handlers: Any = {name: grpc.unary_stream_rpc_method_handler(work) for name, work in works.items()}
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Streams", handlers),))
    told.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()


def _opened(body: bytes) -> tuple[int, int]:
    import pyarrow as pa

    # each look at the field would copy it
    arrow = pb.StreamMembersResponse.FromString(body).arrow
    return len(arrow), int(pa.ipc.open_stream(arrow).read_all().num_rows)


def _row(body: bytes) -> tuple[int, int]:
    artifact_pb2.Member.FromString(body)
    return len(body), 1


@dataclass(frozen=True)
class _Reading:
    """What one stream brought and took."""

    size: int
    rows: int
    wall: float
    cpu: float


def _read(
    channel: grpc.Channel, name: str, request: bytes, take: Callable[[bytes], tuple[int, int]], times: int = READ
) -> _Reading:
    """Read a stream a few times; return the median seconds."""
    stream: Any = channel.unary_stream(f"/bench.Streams/{name}")
    spent: Any = channel.unary_stream("/bench.Streams/Spent")
    walls, cpus, parts = [], [], [(0, 0)]
    for _ in range(times):
        before = float(next(spent(b""))) + time.process_time()
        began = time.perf_counter()
        parts = [take(body) for body in stream(request)]
        walls.append(time.perf_counter() - began)
        cpus.append(float(next(spent(b""))) + time.process_time() - before)
    return _Reading(sum(size for size, _ in parts), sum(rows for _, rows in parts), median(walls), median(cpus))


def main() -> None:
    """Print the table and write it."""
    report = Report("clustering_members", "The member stream")
    report.say(
        f"{MEMBERS:,} members over gRPC on loopback, client and server on the same cores, no Envoy; {SINGLE:,} of them "
        "as one message a row. Wanted: 30 % of the bare stream's bytes, a hundred times the rows of one message a row."
    )
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members.parquet"
        _written(path)
        told = context.Queue()
        server = context.Process(target=_serve, args=(str(path), told), daemon=True)
        server.start()
        try:
            with grpc.insecure_channel(
                f"127.0.0.1:{told.get()}", [("grpc.max_receive_message_length", 64 << 20)]
            ) as channel:
                _compared(report, channel)
        finally:
            server.terminate()
            server.join()


def _compared(report: Report, channel: grpc.Channel) -> None:
    arrow = _read(channel, "Members", b"", _opened)
    single = _read(channel, "Rows", b"", _row, READ_SINGLE)
    bare = _read(channel, "Bare", str(round(arrow.size / PART)).encode(), lambda body: (len(body), 0))
    report.head("stream", "MB", "MB/s", "rows/s", "cpu s", "of the bare stream's MB/s", "of its MB a cpu second")
    for name, one in (("bare bytes", bare), ("Arrow batches", arrow), ("one message a row", single)):
        share = one.size / one.wall / (bare.size / bare.wall)
        work = one.size / one.cpu / (bare.size / bare.cpu)
        report.row(name, one.size / 1e6, one.size / 1e6 / one.wall, f"{one.rows / one.wall:,.0f}", one.cpu, share, work)
    times = arrow.rows / arrow.wall / (single.rows / single.wall)
    report.say(f"\n{times:.0f} times the rows per second of one message a row.")
