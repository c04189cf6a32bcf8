"""As many jobs at once as the process has connections to PostgreSQL: none of them may wait for a second one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shoald.application import chunking
from shoald.application.chunking import estimated_seconds
from shoald.application.jobs import INLINE_SECONDS
from shoald.domain.json_types import JsonObject
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.builders import make_document, make_project, make_segment_set
from support.rag_path import RagPath

pytestmark = pytest.mark.integration

CONNECTIONS = 4


@pytest.fixture
def few(postgres_database: str, redis_url: str, data_dir: Path) -> Iterator[RagPath]:
    """The path in a process that has few connections."""
    settings = Settings(
        database_url=postgres_database, redis_url=redis_url, data_dir=data_dir, database_pool_size=CONNECTIONS
    )
    adapters = Adapters(settings)
    use_cases = build_application(adapters)
    caller = use_cases.access.caller()
    project = use_cases.projects.create(caller, name="Docs", description=None, settings=None)
    yield RagPath(adapters, use_cases, caller, project)
    adapters.close()


def test_short_jobs_that_hold_every_connection_all_end(few: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    segment_set = few.texts("one", "two")
    all_hold_one = threading.Barrier(CONNECTIONS)

    def meet(characters: int, params: JsonObject) -> None:
        del characters, params
        all_hold_one.wait(30)

    monkeypatch.setattr(chunking, "check_growth", meet)
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        made = list(threads.map(few.chunk, [segment_set] * CONNECTIONS))
    assert [chunk_set.total_items for chunk_set in made] == [2] * CONNECTIONS


def test_what_needs_a_second_connection_is_left_to_a_worker() -> None:
    project = make_project()
    _, version = make_document(project)
    sizes = (2_000, 2_001)
    one, two = (make_segment_set(version, project.project_id, total_items=n, total_characters=n) for n in sizes)
    assert estimated_seconds(one, "recursive", {}) < INLINE_SECONDS < estimated_seconds(two, "recursive", {})
