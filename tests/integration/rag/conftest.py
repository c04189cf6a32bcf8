"""The RAG path without servers: use cases on a real PostgreSQL, jobs run where they are accepted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.rag_path import RagPath


@pytest.fixture
def path(postgres_database: str, redis_url: str, data_dir: Path) -> Iterator[RagPath]:
    # long jobs run here too, which have no bound in a worker
    settings = Settings(
        database_url=postgres_database, redis_url=redis_url, data_dir=data_dir, statement_timeout_seconds=3600
    )
    adapters = Adapters(settings)
    use_cases = build_application(adapters)
    caller = use_cases.access.caller()
    project = use_cases.projects.create(caller, name="Docs", description=None, settings=None)
    yield RagPath(adapters, use_cases, caller, project)
    adapters.close()
