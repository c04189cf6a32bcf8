"""The member stream beside a bare byte stream and one message a row: gRPC on loopback, the client on the same cores.

A million members with ids of 36 characters. Every stream is read twice and the second time counts, so that loading
libraries does not; the client opens every Arrow batch.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from shoal.clusters.v1 import artifact_pb2
from shoal.clusters.v1 import artifact_service_pb2 as pb

from benchmarks._clustering import Report

MEMBERS = 1_000_000
SINGLE = 50_000
PART = 1 << 20
MESSAGE = 2 << 20
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

    tables, part = ParquetRunTables(), b"x" * PART

    def bare(request: bytes, _context: object) -> Iterator[bytes]:
        return (part for _ in range(int(request)))

    def members(_request: bytes, _context: object) -> Iterator[bytes]:
        for arrow, rows in tables.arrow_messages(path, max_bytes=MESSAGE):
            yield pb.StreamMembersResponse(arrow=arrow, rows=rows).SerializeToString()

    def rows(_request: bytes, _context: object) -> Iterator[bytes]:
        names = [field.name for field in artifact_pb2.Member.DESCRIPTOR.fields]
        sent = 0
        for batch in tables.read(path, columns=names):
            for row in zip(*(batch[name] for name in names), strict=True):
                yield artifact_pb2.Member(**dict(zip(names, row, strict=True))).SerializeToString()
                sent += 1
                if sent == SINGLE:
                    return

    works: dict[str, Callable[[bytes, Any], Iterator[bytes]]] = {"Bare": bare, "Members": members, "Rows": rows}
    handlers: Any = {name: grpc.unary_stream_rpc_method_handler(work) for name, work in works.items()}
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Streams", handlers),))
    told.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()


def _opened(body: bytes) -> tuple[int, int]:
    import pyarrow as pa

    part = pb.StreamMembersResponse.FromString(body)
    return len(part.arrow), int(pa.ipc.open_stream(part.arrow).read_all().num_rows)


def _row(body: bytes) -> tuple[int, int]:
    artifact_pb2.Member.FromString(body)
    return len(body), 1


def _read(channel: grpc.Channel, name: str, request: bytes, take: Callable[[bytes], tuple[int, int]]) -> list[float]:
    """Return bytes, rows and seconds of the second reading."""
    for _ in range(2):
        began = time.perf_counter()
        stream: Any = channel.unary_stream(f"/bench.Streams/{name}")
        parts = [take(body) for body in stream(request)]
        took = time.perf_counter() - began
    return [float(sum(size for size, _ in parts)), float(sum(rows for _, rows in parts)), took]


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
    size, rows, took = _read(channel, "Members", b"", _opened)
    _, single, single_took = _read(channel, "Rows", b"", _row)
    bare, _, bare_took = _read(channel, "Bare", str(round(size / PART)).encode(), lambda body: (len(body), 0))
    share, times = size / took / (bare / bare_took), rows / took / (single / single_took)
    report.head("stream", "MB", "MB/s", "rows/s", "of the bare stream", "times one message a row")
    report.row("bare bytes", bare / 1e6, bare / 1e6 / bare_took, "-", 1.0, "-")
    report.row("Arrow batches", size / 1e6, size / 1e6 / took, f"{rows / took:,.0f}", share, round(times))
    report.row("one message a row", "-", "-", f"{single / single_took:,.0f}", "-", 1)
