"""The feed of a project's artifacts at every offset, and derived sets, each beside the plain way of doing the same.

The plain feed sorts the union of the seven tables and skips to the offset; the plain derived set reads all items and
writes them again. `python -m benchmarks lineage` takes 100,000 artifacts and 20,000 items;
`python -m benchmarks lineage --full` takes 1,000,000 and 100,000.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from pydantic import SecretStr

from benchmarks._clustering import Report
from shoald.adapters.postgres.migrating import migrate
from shoald.application.access import Caller
from shoald.application.clone_patching import ClonePatch
from shoald.application.documents import FileInfo
from shoald.application.segmenting import Segmentation
from shoald.application.use_cases import UseCases
from shoald.application.waiting import Patience
from shoald.domain.identifiers import new_uuid
from shoald.domain.records.job import Job
from shoald.domain.records.segment_set import SegmentSet
from shoald.settings import Settings
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import start_part
from shoald.wiring import Adapters, build_application

_SMALL, _FULL = (100_000, 20_000), (1_000_000, 100_000)
_LIMITS = (20, 200)
_ROUNDS = 7
_ADDED, _THREADS = 200, 4
_TEXT = "A passage of about two hundred and eighty characters, as chunks of a usual size have them. " * 3

_FILL = """
INSERT INTO documents (document_id, project_id, filename, mime, storage_uri, created_at, updated_at)
SELECT gen_random_uuid()::text, %(project)s, 'file ' || n, 'text/plain', 'shoal://objects/x', at, at
FROM (SELECT n, now() - make_interval(secs => %(count)s - n) AS at FROM generate_series(1, %(count)s) AS n) AS made
"""
_NUMBER = """
INSERT INTO artifacts (project_id, number, artifact_kind, artifact_id, created_at)
SELECT project_id, row_number() OVER (ORDER BY created_at), 'document', document_id, created_at
FROM documents WHERE project_id = %(project)s
"""
_PLAIN = """
SELECT * FROM (
    SELECT 'document' AS kind, document_id AS id, created_at, is_deleted FROM documents WHERE project_id = %(project)s
    UNION ALL SELECT 'document_version', v.version_id, v.created_at, v.is_deleted FROM document_versions v
              JOIN documents d USING (document_id) WHERE d.project_id = %(project)s
    UNION ALL SELECT 'segment_set', segment_set_version_id, created_at, is_deleted FROM segment_sets
              WHERE project_id = %(project)s
    UNION ALL SELECT 'chunk_set', chunk_set_version_id, created_at, is_deleted FROM chunk_sets
              WHERE project_id = %(project)s
    UNION ALL SELECT 'index', index_id, created_at, is_deleted FROM indexes WHERE project_id = %(project)s
    UNION ALL SELECT 'index_build', build_id, created_at, is_deleted FROM index_builds WHERE project_id = %(project)s
    UNION ALL SELECT 'retrieval_run', run_id, created_at, is_deleted FROM retrieval_runs WHERE project_id = %(project)s
) AS feed ORDER BY created_at DESC, id DESC OFFSET %(offset)s LIMIT %(limit)s
"""


class _Here(Patience):
    """Runs the job in the calling thread, however long it may take."""

    def finish(self, jobs: object, job: Job) -> Job:
        jobs.runner.run(job.job_id, dispatch=True)  # type: ignore[attr-defined]
        return super().finish(jobs, job)  # type: ignore[arg-type]


def main() -> None:
    """Measure, print, and write `benchmarks/results/lineage.md`, or with `--full` `lineage_full.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    is_full = parser.parse_known_args()[0].full
    artifacts, items = _FULL if is_full else _SMALL
    report = Report("lineage", "The feed of artifacts, and derived sets", "full" if is_full else None)
    with tempfile.TemporaryDirectory() as folder, _database(Path(folder)) as url:
        settings = Settings(database_url=url, data_dir=Path(folder) / "data", signing_secret=SecretStr("s" * 32))
        adapters = Adapters(settings)
        cases = build_application(adapters)
        _feed(cases, url, artifacts, report)
        _adding(cases, url, report)
        _derived(adapters, cases, items, report)
        adapters.close()


def _feed(cases: UseCases, url: str, count: int, report: Report) -> None:
    caller = cases.access.caller()
    project = cases.projects.create(caller, name="Feed", description=None, settings=None).project_id
    given = {"project": project, "count": count}
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE documents DISABLE TRIGGER USER")
        connection.execute(_FILL, given)
        connection.execute("ALTER TABLE documents ENABLE TRIGGER USER")
        connection.execute(_NUMBER, given)
        connection.execute("INSERT INTO artifact_feeds VALUES (%(project)s, %(count)s)", given)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        report.say(f"## A feed of {count:,} artifacts: pages, milliseconds")
        report.head("artifacts", "at offset", "Shoal", "the union, sorted and skipped")
        for offset in (0, count // 100, count * 9 // 10):
            for limit in _LIMITS:
                paged = _median(lambda o=offset, n=limit: cases.lineage.page(caller, project, limit=n, offset=o))  # type: ignore[misc]
                wanted = {"project": project, "offset": offset, "limit": limit}
                plain = _median(lambda w=wanted: connection.execute(_PLAIN, w).fetchall(), rounds=3)  # type: ignore[misc]
                report.row(limit, f"{offset:,}", 1000 * paged, f"{1000 * plain:,.0f}")


def _adding(cases: UseCases, url: str, report: Report) -> None:
    """Measure what numbering costs those who add, alone and at once."""
    caller = cases.access.caller()

    def add(count: int) -> None:
        project = projects[0]
        for _ in range(count):
            with cases.documents.upload(caller, project) as upload:
                upload.write(b"the same bytes")
                upload.finish(FileInfo(filename="a.txt"))

    shares = [_ADDED // _THREADS] * _THREADS
    report.say(f"\n## {_ADDED} small uploads into one project, a document and a version each: uploads/s")
    report.head("the feed", "one after another", f"{_THREADS} at once")
    for words, switch in (("numbered", "ENABLE"), ("not numbered", "DISABLE")):
        with psycopg.connect(url) as connection:
            for table in ("documents", "document_versions"):
                connection.execute(f"ALTER TABLE {table} {switch} TRIGGER USER")
        projects = [cases.projects.create(caller, name=words, description=None, settings=None).project_id]
        alone = _ADDED / _seconds(lambda: add(_ADDED))
        with ThreadPoolExecutor(_THREADS) as pool:
            report.row(words, alone, _ADDED / _seconds(lambda: list(pool.map(add, shares))))
    with psycopg.connect(url) as connection:
        for table in ("documents", "document_versions"):
            connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _derived(adapters: Adapters, cases: UseCases, count: int, report: Report) -> None:
    caller = cases.access.caller()
    source = _segments(cases, caller, count)
    item = next(iter(cases.segmenting.items(source)))[0]
    change = ClonePatch(item_id=item.item_id, patch={"content": "changed"}, params={})

    def derive() -> None:
        cases.clone_patching.segment_set(caller, source.segment_set_version_id, change, _Here())

    def rewrite() -> None:
        with adapters.open_unit_of_work() as uow:
            target = new_uuid()
            uow.segment_sets.add(_empty(source, target))
            for batch in cases.segmenting.items(source):
                uow.segment_sets.write_items(target, batch)
            uow.commit()

    report.say(f"\n## A set of {count:,} items of {len(_TEXT)} characters, with one of them changed: seconds")
    report.head("how", "seconds")
    report.row("copied within PostgreSQL", _median(derive, rounds=3))
    report.row("read and written again", _median(rewrite, rounds=3))


def _segments(cases: UseCases, caller: Caller, count: int) -> SegmentSet:
    project = cases.projects.create(caller, name="Sets", description=None, settings=None).project_id
    with cases.documents.upload(caller, project) as upload:
        upload.write(json.dumps([_TEXT] * count).encode())
        version = upload.finish(FileInfo(filename="a.json"))[1]
    how = Segmentation(loader_type="json", loader_params={})
    return cases.segmenting.create(caller, version.version_id, how, _Here())


def _empty(source: SegmentSet, set_id: str) -> SegmentSet:
    return replace(source, segment_set_version_id=set_id, is_active=False)


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


def _median(work: Callable[[], object], *, rounds: int = _ROUNDS) -> float:
    work()
    return statistics.median(_seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
