"""Every vector index beside bare FAISS: build time, memory, latency, recall; alone and under a filter that keeps 2 %.

Rows of 384 in 500 groups with noise, unit length; questions are rows that were held back. Each case runs in a process
of its own, with the rows in memory before anything is measured. Memory is what the process gained while it built and
searched; of Qdrant's owner process and PostgreSQL, what they store is shown.

`python -m benchmarks vector_indexes` takes 10,000 rows, `python -m benchmarks vector_indexes --full` 100,000 and
1,000,000 too; `--rows` and `--cases` choose. What would take longer than `--minutes` (25) in all, by its time for a
smaller size, is left out. A million rows take 6 GB of memory and 12 GB of the folder for temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from benchmarks._clustering import Report
from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.pgvector.vector_index import PgvectorIndex
from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
from shoald.application.ports.vector_index import VectorIndex
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.sampled_recall import SampledQueries, exact_neighbours
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import start_part

_SMALL, _FULL = (10_000,), (10_000, 100_000, 1_000_000)
_DIMENSION, _GROUPS, _NOISE = 384, 500, 0.05
_QUERIES, _K, _SHARE = 500, 10, 0.02
_QUERIES_OF_MANY = 200  # of a million rows: comparing all takes a tenth of a second
_FAISS = ("bare faiss, flat", "bare faiss, ivf", "bare faiss, hnsw")
_CASES = (*_FAISS, "faiss", "faiss, hnsw", "qdrant", "pgvector", "pgvector, hnsw")
_COLUMNS = (
    *("index", "rows", "kind", "build s", "MiB", "MiB stored"),
    *("p50 ms", "p99 ms", "recall@10", "2 %: p50", "2 %: recall"),
)
_ROWS_TOGETHER = 50_000
_GRAPHS_UP_TO = 100_000  # building one of a million rows takes the better part of an hour on two cores

Rows = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]
Search = Callable[[Rows, "Positions | None"], Positions]


@dataclass(frozen=True)
class Measured:
    """One line of the table; milliseconds, seconds, mebibytes, shares."""

    case: str
    n: int
    kind: str
    build: float
    memory: float
    stored: float
    p50: float
    p99: float
    recall: float
    filtered_p50: float
    filtered_recall: float


def main() -> None:
    """Measure, print, and write `benchmarks/results/vector_indexes.md`; of `--rows` or `--full`, beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rows", type=int, nargs="*")
    parser.add_argument("--cases", nargs="*", default=_CASES)
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--one", nargs=2, metavar=("CASE", "FOLDER"))
    arguments = parser.parse_known_args()[0]
    if arguments.one:
        print(json.dumps(asdict(_measure(*arguments.one))))
        return
    part = "full" if arguments.full else "_".join(map(str, arguments.rows or ()))
    report = Report("vector_indexes", "Vector indexes", part or None)
    report.say(f"{__doc__.partition(chr(10))[0]}")
    report.head(*_COLUMNS)
    clock = _Clock(60 * arguments.minutes)
    for n in arguments.rows or (_FULL if arguments.full else _SMALL):
        for cells in _table(n, arguments.cases, clock):
            report.row(*cells)


class _Clock:
    """Knows how long each case took, and so what it would take with more rows: time grows with these, or faster."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._took: dict[str, tuple[int, float]] = {}

    def has_time(self, case: str, n: int) -> bool:
        """Say whether a case of n rows will be done in time; what was not done before is let in while there is any."""
        rows, seconds = self._took.get(case, (n, 0.0))
        return time.monotonic() + seconds * max(1.0, n / rows) < self._end

    def took(self, case: str, n: int, seconds: float) -> None:
        """Note how long a case took."""
        self._took[case] = n, seconds


def _table(n: int, cases: tuple[str, ...], clock: _Clock) -> Iterator[tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        _prepare(n, folder)
        for case in cases:
            if "hnsw" in case and n > _GRAPHS_UP_TO:
                continue
            if not clock.has_time(case, n):
                yield (case, f"{n:,}", "left out: no time", *[""] * (len(_COLUMNS) - 3))
                continue
            began = time.monotonic()
            environment = {**os.environ, **_server_for(case, folder, servers)}
            command = [sys.executable, "-m", "benchmarks.vector_indexes", "--one", case, name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
            clock.took(case, n, time.monotonic() - began)
            yield _cells(Measured(**json.loads(done.stdout.splitlines()[-1])))


def _cells(found: Measured) -> tuple[str, ...]:
    return (
        found.case,
        f"{found.n:,}",
        found.kind,
        *(f"{number:,.1f}" for number in (found.build, found.memory, found.stored)),
        *(f"{number:.2f}" for number in (found.p50, found.p99)),
        f"{found.recall:.3f}",
        f"{found.filtered_p50:.2f}",
        f"{found.filtered_recall:.3f}",
    )


def _prepare(n: int, folder: Path) -> None:
    chance = np.random.default_rng(7)
    centres = chance.standard_normal((_GROUPS, _DIMENSION), np.float32)
    rows = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float32, shape=(n, _DIMENSION))
    for at in range(0, n, _ROWS_TOGETHER):
        rows[at : at + _ROWS_TOGETHER] = _grouped(chance, centres, min(_ROWS_TOGETHER, n - at))
    asked = _QUERIES if n <= _GRAPHS_UP_TO else _QUERIES_OF_MANY
    held_back = _grouped(chance, centres, asked)
    allowed = np.sort(chance.choice(n, max(_K, int(_SHARE * n)), replace=False))
    sampled = SampledQueries(queries=held_back, asked=_K, own=np.full(asked, -1))
    np.save(folder / "queries.npy", held_back)
    np.save(folder / "allowed.npy", allowed)
    np.save(folder / "truth.npy", exact_neighbours(rows, sampled))
    np.save(folder / "truth_among.npy", allowed[exact_neighbours(rows[allowed], sampled)])


def _grouped(chance: np.random.Generator, centres: Rows, n: int) -> Rows:
    """Return (n, d) unit rows around the centres, some of them around none."""
    rows = np.float32(0.7) * chance.standard_normal((n, _DIMENSION), np.float32)
    in_group = chance.random(n) >= _NOISE
    rows[in_group] += centres[chance.integers(0, _GROUPS, int(in_group.sum()))]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _measure(case: str, name: str) -> Measured:
    folder = Path(name)
    rows, queries, allowed, truth, among = (
        np.load(folder / f"{part}.npy") for part in ("rows", "queries", "allowed", "truth", "truth_among")
    )
    before = _resident()
    began = time.perf_counter()
    with _built(case, rows, folder) as (search, kind, stored):
        seconds = time.perf_counter() - began
        search(queries[0], None)
        times, found = _timed(search, queries, None)
        filtered_times, filtered = _timed(search, queries[: len(queries) // 5], allowed)
    return Measured(
        case=case,
        n=len(rows),
        kind=kind,
        build=seconds,
        memory=_peak() - before,
        stored=stored / (1 << 20),
        p50=float(np.median(times)),
        p99=float(np.quantile(times, 0.99)),
        recall=_recall(found, truth),
        filtered_p50=float(np.median(filtered_times)),
        filtered_recall=_recall(filtered, among),
    )


def _timed(search: Search, queries: Rows, allowed: Positions | None) -> tuple[list[float], list[Positions]]:
    times, found = [], []
    for query in queries:
        began = time.perf_counter()
        found.append(search(query, allowed))
        times.append(1000 * (time.perf_counter() - began))
    return times, found


def _recall(found: list[Positions], truth: Positions) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / _K for a, b in zip(found, truth, strict=False)]))


@contextmanager
def _built(case: str, rows: Rows, folder: Path) -> Iterator[tuple[Search, str, float]]:
    if case in _FAISS:
        yield _bare(case, rows, folder)
        return
    with _index(case, folder) as index:
        config = {"kind": "hnsw"} if "hnsw" in case else {}
        ids = [str(number) for number in range(len(rows))]
        manifest = index.build(str(uuid4()), ids, rows, attempt=1, config=config, progress=lambda _part: None)

        def search(query: Rows, allowed: Positions | None) -> Positions:
            hits, _ = index.search(manifest, query, k=_K, allowed=allowed)
            return np.array([hit.position for hit in hits], np.int64)

        yield search, _kind(manifest), _stored(manifest, folder)


def _kind(manifest: JsonObject) -> str:
    effort = f", {manifest['effort']} looked at" if manifest.get("effort") else ""
    return f"{manifest['kind']}{effort}"


def _stored(manifest: JsonObject, folder: Path) -> float:
    if "object" in manifest:
        return float(manifest["object"]["bytes"])
    if "table" in manifest:
        import psycopg

        name = '"{}"."{}"'.format(*manifest["table"].split("."))
        with psycopg.connect(os.environ["BENCH_POSTGRES"]) as connection:
            row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (name,)).fetchone()
        return float(row[0]) if row else 0.0
    return float(sum(path.stat().st_blocks * 512 for path in (folder / "owner").rglob("*") if path.is_file()))


def _bare(case: str, rows: Rows, folder: Path) -> tuple[Search, str, float]:
    """Build as FAISS's own examples do; lists are looked into as often as needed for 0.98."""
    faiss: Any = import_module("faiss")
    n, d = rows.shape
    if "ivf" in case:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, round(n**0.5), faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid = (
            10,
            100,
        )  # as ours: its own defaults take minutes for a million
        index.train(rows)
        index.nprobe = max(1, round(n**0.5) // 8)
    elif "hnsw" in case:
        index = faiss.IndexHNSWFlat(d, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = 100, 64
    else:
        index = faiss.IndexFlatIP(d)
    index.add(rows)
    faiss.write_index(index, str(folder / "bare"))
    faiss.omp_set_num_threads(1)

    def search(query: Rows, allowed: Positions | None) -> Positions:
        if allowed is None:
            return np.asarray(index.search(query[None], _K)[1][0])
        selector = faiss.IDSelectorBatch(allowed)
        kinds = {"flat": faiss.SearchParameters, "ivf": faiss.SearchParametersIVF, "hnsw": faiss.SearchParametersHNSW}
        parameters = kinds[case.rpartition(" ")[2]](sel=selector)
        if "ivf" in case:
            parameters.nprobe = index.nprobe
        if "hnsw" in case:
            parameters.efSearch = index.hnsw.efSearch
        return np.asarray(index.search(query[None], _K, params=parameters)[1][0])

    return search, case.rpartition(" ")[2], (folder / "bare").stat().st_size


@contextmanager
def _index(case: str, folder: Path) -> Iterator[VectorIndex]:
    if case.startswith("faiss"):
        yield FaissVectorIndex(LocalObjectStore(folder / "objects"))
    elif case == "qdrant":
        with closing(QdrantVectorIndex(os.environ["BENCH_QDRANT"])) as collections:
            yield collections
    else:
        with closing(PgvectorIndex(os.environ["BENCH_POSTGRES"])) as tables:
            yield tables


def _server_for(case: str, folder: Path, servers: ExitStack) -> dict[str, str]:
    if case == "qdrant":
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        support: Any = import_module("support.qdrant_owner")
        return {"BENCH_QDRANT": servers.enter_context(support.owner_process(folder / "owner")).url}
    if case.startswith("pgvector"):
        data = Path(tempfile.mkdtemp(dir=folder))
        settings = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
        server = PostgresServer(data=data / "data", port=free_port(), password="bench", settings=settings)  # noqa: S106
        started = start_part(server.part(), data / "log")
        servers.callback(started.stop)
        started.wait_ready()
        return {"BENCH_POSTGRES": server.url("postgres")}
    return {}


def _resident() -> float:
    """Return the memory that the process has now, and let the peak begin here."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _peak() -> float:
    return _memory("VmHWM")


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
