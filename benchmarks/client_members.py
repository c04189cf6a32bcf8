"""The member stream read in each language: rows a second of the client's own library, as Arrow and as lists.

The server sends messages that were made beforehand, on loopback and without Envoy, so that the clients are measured.
Each reads the stream four times, to the end and part by part, and the quickest counts. The readers are the clients of
`examples/clients` with the programs of `readers` in place of their scenario, all built before the first is measured;
languages that this machine lacks are left out.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from shoal.clusters.v1 import artifact_service_pb2 as pb
from shoal.clusters.v1 import artifact_service_pb2_grpc

from benchmarks._clustering import Report

MEMBERS = 300_000
MESSAGE = 1 << 20
READERS = Path(__file__).parent / "readers"
HAS_ARROW = ("python", "javascript", "typescript")


class _Members(artifact_service_pb2_grpc.ArtifactServiceServicer):
    """Sends the messages of a format."""

    def __init__(self, messages: dict[str, list[pb.StreamMembersResponse]]) -> None:
        self._messages = messages

    def StreamMembers(  # noqa: N802 - the contract's name
        self, request: pb.StreamMembersRequest, _context: grpc.ServicerContext
    ) -> Iterator[pb.StreamMembersResponse]:
        yield from self._messages[request.format or "arrow"]


def _messages() -> dict[str, list[pb.StreamMembersResponse]]:
    from shoald.adapters.parquet.run_tables import ParquetRunTables
    from shoald.transport.mapping.clusters.artifacts import members_message

    tables = ParquetRunTables()
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        tables.write(file, _columns(), metadata={})
        file.flush()
        arrow = tables.arrow_messages(file.name, max_bytes=MESSAGE)
        return {
            "arrow": [pb.StreamMembersResponse(arrow=body, rows=rows) for body, rows in arrow],
            "lists": list(map(members_message, tables.read(file.name))),
        }


def _columns() -> dict[str, Any]:
    random = np.random.default_rng(0)
    numbers = ("x", "y", "z", "cosine_similarity_to_centroid", "raw_cosine_to_centroid", "probability")
    return {
        "point_id": np.array([f"{row:036d}".encode() for row in range(MEMBERS)]),
        "collection_id": ["col_0123456789"] * MEMBERS,
        "cluster_id": [f"cl_{label}" for label in np.sort(random.integers(0, 100, MEMBERS))],
        **{name: random.random(MEMBERS, dtype=np.float32) for name in numbers},
    }


@contextlib.contextmanager
def _serving(messages: dict[str, list[pb.StreamMembersResponse]]) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    artifact_service_pb2_grpc.add_ArtifactServiceServicer_to_server(_Members(messages), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def main() -> None:
    """Print the table and write it."""
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tools are scripts, in no package that is installed
    from tools.clients import CLIENTS

    report = Report("client_members", "The member stream in each language")
    report.say(
        f"{MEMBERS:,} members over gRPC on loopback, without Envoy; server and client share the machine's cores. "
        "Arrow is opened as tables, lists are counted as the language's protobuf decodes them. "
        "C++ is built as CMake does without a build type: not optimised."
    )
    report.head("client", "format", "s", "rows/s", "of Python's")
    messages = _messages()
    pythons: dict[str, float] = {}
    readers = [client for client in CLIENTS if (READERS / client.name).is_dir() and not client.missing]
    with contextlib.ExitStack() as built, _serving(messages) as url:
        # all are built before the first is measured, so that they are measured close together
        starts = [(one, built.enter_context(one.built(READERS / one.name, name="readers"))) for one in readers]
        for client, start in starts:
            for form in ("arrow", "lists") if client.name in HAS_ARROW else ("lists",):
                rows, seconds = start(url, form).split()
                speed = int(rows) / float(seconds)
                pythons.setdefault(form, speed)
                report.row(client.name, form, float(seconds), f"{speed:,.0f}", speed / pythons[form])


if __name__ == "__main__":
    main()
