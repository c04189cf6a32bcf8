"""Vectors into PostgreSQL and out of it, beside reading the same bytes from a file, and artifacts beside a bare stream.

100,000 vectors of 384 float32 with ids of 36 characters. The file is dropped from the page cache before it is read,
and read into memory that was used before.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import SecretStr

from shoald.adapters.parquet.run_tables import ParquetRunTables
from shoald.adapters.postgres.migrating import migrate
from shoald.adapters.postgres.snapshots import SnapshotFiles
from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.application.collection_documents import CollectionDocuments, Import
from shoald.application.kept_nodes import KeptNodes
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.settings import Settings
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import start_part
from shoald.transport.mapping.clusters.artifacts import artifacts_json
from shoald.wiring import Adapters, build_access

_ROWS, _DIMENSION, _BATCH = 100_000, 384, 10_000
_BYTES = _ROWS * _DIMENSION * 4
_MEMBERS = 1_000_000
_ROUNDS = 7


def main() -> None:
    """Print one line per measured thing."""
    _print("load of the machine before (0 is idle)", os.getloadavg()[0], f"of {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        with _database(Path(folder)) as url:
            _vectors(url, Path(folder))
        _members(Path(folder))


def _vectors(url: str, folder: Path) -> None:
    values = np.random.default_rng(0).normal(size=(_ROWS, _DIMENSION)).astype(np.float32)
    adapters = Adapters(
        Settings(database_url=url, data_dir=folder / "data", signing_secret=SecretStr("s" * 32)), is_worker=True
    )
    documents = CollectionDocuments(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        nodes=KeptNodes(),
    )
    caller = build_access(adapters).caller()
    began = time.perf_counter()
    stored = documents.import_batches(caller, Import(collection="bench"), _batches(values))
    _print("import, documents and vectors", _BYTES / 1e6 / (time.perf_counter() - began), "MB/s")
    out = np.empty_like(values)
    reader = VectorReader(url)
    read, from_file = _by_turns(
        lambda: reader.read(stored.collection_id, "v", lambda _: out, lambda _: None), _file_reader(values, out, folder)
    )
    _print("a file not in the page cache", _BYTES / 1e6 / from_file, "MB/s")
    _print("PostgreSQL into NumPy, with ids", _BYTES / 1e6 / read, "MB/s")
    _print("  as a share of the file's speed", from_file / read, "(wanted: 0.25)")
    snapshots = SnapshotFiles(folder / "snapshots", reader)
    for name in ("first run: read, ordered, hashed, written", "second run over unchanged documents"):
        began = time.perf_counter()
        snapshot = snapshots.open(stored.collection_id, "v", dimension=_DIMENSION, revision=1)
        _print(f"{name} (vectors read: {snapshot.was_read})", time.perf_counter() - began, "s")
    adapters.close()


def _batches(values: npt.NDArray[np.float32]) -> Iterator[DocumentBatch]:
    for start in range(0, _ROWS, _BATCH):
        rows = range(start, start + _BATCH)
        yield DocumentBatch(
            ids=[str(uuid.UUID(int=row)) for row in rows],
            payloads=[{"title": f"document {row}"} for row in rows],
            vectors=[VectorColumn(name="v", values=values[start : start + _BATCH])],
        )


def _file_reader(values: npt.NDArray[np.float32], out: npt.NDArray[np.float32], folder: Path) -> Callable[[], object]:
    path = folder / "vectors.bin"
    path.write_bytes(values.tobytes())

    def read() -> None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.readinto(out.data.cast("B"))

    return read


def _members(folder: Path) -> None:
    """Write and read a million members: as Parquet, as Arrow messages, as JSON."""
    tables, path = ParquetRunTables(), folder / "members.parquet"
    random = np.random.default_rng(0)
    labels = np.sort(random.integers(0, 100, _MEMBERS))
    columns: dict[str, Any] = {
        "point_id": np.array([f"{row:036d}".encode() for row in range(_MEMBERS)]),
        "collection_id": ["col_0123456789"] * _MEMBERS,
        "cluster_id": [f"cl_{label}" for label in labels],
        **{name: random.normal(size=_MEMBERS).astype(np.float32) for name in ("x", "y", "z")},
        "cosine_similarity_to_centroid": random.random(_MEMBERS, dtype=np.float32),
    }
    with path.open("wb") as file:
        began = time.perf_counter()
        tables.write(file, columns, metadata={})
        _print("members as Parquet, written", _MEMBERS / 1e6 / (time.perf_counter() - began), "million rows/s")
    _print("  its size", path.stat().st_size / 1e6, "MB")
    began = time.perf_counter()
    size = sum(len(body) for body, _ in tables.arrow_messages(str(path), max_bytes=2 << 20))
    took = time.perf_counter() - began
    _print("members as Arrow messages", _MEMBERS / 1e6 / took, f"million rows/s ({size / 1e6 / took:.0f} MB/s)")
    began = time.perf_counter()
    size = sum(len(part.data) for part in artifacts_json(_empty_run(), vectors=None, members=tables.read(str(path))))
    took = time.perf_counter() - began
    _print("members as JSON", _MEMBERS / 1e6 / took, f"million rows/s ({size / 1e6 / took:.0f} MB/s)")


def _empty_run() -> Any:
    from datetime import UTC, datetime

    from shoald.domain.records.cluster import ClusterRun

    return ClusterRun(
        run_id="run_0",
        cluster_id="clust_0",
        namespace_id="ns_default",
        job_id="",
        status="completed",
        mode="full",
        num_clusters=0,
        num_points=_MEMBERS,
        metrics={},
        effective={},
        artifacts={},
        error_message=None,
        created_at=datetime.now(UTC),
        completed_at=None,
    )


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    server = PostgresServer(data=folder / "postgres", port=free_port(), password="made-up")  # noqa: S106
    running = start_part(server.part(), folder / "postgres.log")
    try:
        running.wait_ready()
        migrate(server.url("postgres"))
        yield server.url("postgres")
    finally:
        running.stop()


def _by_turns(*works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each, done in turn, so that whatever else runs on the machine meets all of them."""
    took = [[_seconds(work) for work in works] for _ in range(_ROUNDS)]
    return [statistics.median(times) for times in zip(*took, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _print(name: str, value: float, unit: str) -> None:
    sys.stdout.write(f"{name:<62}{value:10.2f} {unit}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
