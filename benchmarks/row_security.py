"""What row-level security costs: the same reads and writes by the system, whom no policy binds, and by a caller.

`python -m benchmarks row_security` takes 100,000 documents, items and vectors, in an installation of 2,000 projects in
20 namespaces. Times are medians; the two take turns, so that a busy machine is busy for both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg

from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.migrating import migrate
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.adapters.system_clock import SystemClock
from shoald.application.access import Caller, act_as
from shoald.application.listing import Selection
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import start_part

_COUNT = 100_000
_CALLER = Caller(namespace_id="ns_7")
_PROJECT, _SET, _COLLECTION = "p_7", "s_7", "col_7"

_FILL = """
INSERT INTO namespaces (namespace_id, namespace_name, mode, created_at, updated_at)
SELECT 'ns_' || n, 'n' || n, 'managed', now(), now() FROM generate_series(0, 19) AS n;
INSERT INTO projects (project_id, namespace_id, name, created_at, updated_at)
SELECT 'p_' || n, 'ns_' || n % 20, 'Docs', now(), now() FROM generate_series(1, 2000) AS n;
ALTER TABLE segment_sets DISABLE TRIGGER USER;
INSERT INTO segment_sets (segment_set_version_id, project_id, producer_type, producer_version, created_at, total_items,
                          total_characters)
SELECT 's_' || n, 'p_' || n, 'rag_lib', '0', now(), 0, 0 FROM generate_series(1, 2000) AS n;
ALTER TABLE documents DISABLE TRIGGER USER;
INSERT INTO documents (document_id, project_id, filename, mime, storage_uri, created_at, updated_at)
SELECT 'd_' || n, 'p_7', 'file ' || n, 'text/plain', 'shoal://objects/x', now() + n * interval '1 ms', now()
FROM generate_series(1, 100000) AS n;
ALTER TABLE documents ENABLE TRIGGER USER;
ALTER TABLE segment_sets ENABLE TRIGGER USER;
INSERT INTO artifacts (project_id, number, artifact_kind, artifact_id, created_at)
SELECT 'p_7', n, 'document', 'd_' || n, now() FROM generate_series(1, 100000) AS n;
DELETE FROM artifact_feeds WHERE project_id = 'p_7';
INSERT INTO artifact_feeds (project_id, length) VALUES ('p_7', 100000);
INSERT INTO segment_items (segment_set_version_id, position, item_id, content, metadata, level, path, type,
                           original_format)
SELECT 's_7', n, 'i_' || n, repeat('a passage ', 30), '{"n": 1}', 0, '{}', 'text', 'text'
FROM generate_series(0, 99999) AS n;
INSERT INTO collections (collection_id, namespace_id, collection_name, created_at, updated_at)
VALUES ('col_7', 'ns_7', 'things', now(), now());
"""


def main() -> None:
    """Print a line for each kind of statement."""
    with tempfile.TemporaryDirectory() as folder, _database(Path(folder)) as url:
        with psycopg.connect(url) as connection:
            connection.execute(_FILL)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        engine = make_engine(url)
        _compare(PostgresUnitsOfWork(engine))
        engine.dispose()


def _compare(opens: PostgresUnitsOfWork) -> None:
    print("| what | system, ms | caller, ms |\n|---|---|---|", flush=True)
    _row("a project", 300, lambda: _project(opens, reading=True))
    _row("a project, in a transaction", 300, lambda: _project(opens, reading=False))
    _row("a page of 20 documents of 100,000", 100, lambda: _documents(opens))
    _row("a page of 20 of the feed of 100,000", 100, lambda: _feed(opens))
    _row("10 items of a set of 100,000, by position", 200, lambda: _some_items(opens))
    _row("all 100,000 items of a set", 3, lambda: _all_items(opens))
    _row("100,000 vectors of 384 by COPY", 2, lambda: _vectors(opens))


def _row(what: str, times: int, act: Callable[[], object]) -> None:
    spent: dict[Caller | None, list[float]] = {None: [], _CALLER: []}
    for _ in range(times):
        for caller, seconds in spent.items():
            act_as(caller)
            act()  # who a session is changes here, and not in what is measured
            began = time.perf_counter()
            act()
            seconds.append(time.perf_counter() - began)
    system, caller_s = (1000 * statistics.median(seconds) for seconds in spent.values())
    print(f"| {what} | {system:.3g} | {caller_s:.3g} |", flush=True)


def _project(opens: PostgresUnitsOfWork, *, reading: bool) -> object:
    with opens(reading=reading) as uow:
        return uow.projects.get(_PROJECT, namespace_id="ns_7")


def _documents(opens: PostgresUnitsOfWork) -> object:
    with opens(reading=True) as uow:
        return uow.documents.list(_PROJECT, offset=0, limit=20)


def _feed(opens: PostgresUnitsOfWork) -> object:
    with opens(reading=True) as uow:
        return uow.artifacts.page(_PROJECT, offset=0, limit=20)


def _some_items(opens: PostgresUnitsOfWork) -> object:
    with opens(reading=True) as uow:
        return uow.segment_sets.items_at(_SET, range(5000, 15000, 1000))


def _all_items(opens: PostgresUnitsOfWork) -> None:
    for start in range(0, _COUNT, 2000):
        with opens(reading=True) as uow:
            uow.segment_sets.items(_SET, start=start, limit=2000)


def _vectors(opens: PostgresUnitsOfWork) -> None:
    ids = [f"v{at:06d}" for at in range(_COUNT)]
    values = np.zeros((_COUNT, 384), dtype=np.float32)
    batch = DocumentBatch(ids=ids, payloads=[{}] * _COUNT, vectors=[VectorColumn(name="v", values=values)])
    with opens() as uow:
        uow.collections.put_documents(_COLLECTION, [batch], at=SystemClock().now())
        assert uow.collections.count_documents([_COLLECTION], Selection(limit=0)) == _COUNT
        # what is rolled back is written all the same


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
