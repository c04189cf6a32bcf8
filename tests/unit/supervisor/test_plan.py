"""What starts after what."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoald.supervisor.installation import Installation
from shoald.supervisor.part import Part
from shoald.supervisor.plan import Size, parts_of


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Part]:
    installation = Installation(tmp_path / "data")
    installation.prepare()
    made = parts_of(installation, 8000, Size(servers=2, short_slots=1, heavy_slots=1))
    return {part.name: part for part in made}


def test_nobody_gets_in_before_everything_that_answers_is_ready(parts: dict[str, Part]) -> None:
    assert {"serve-1", "serve-2", "valkey", "qdrant-owner", "migrate"} <= set(parts["envoy"].after)


def test_no_job_is_taken_before_the_schema_and_the_queue_are_there(parts: dict[str, Part]) -> None:
    for name in ("work", "schedule"):
        assert {"valkey", "migrate"} <= set(parts[name].after)


def test_servers_load_while_postgres_makes_its_folder(parts: dict[str, Part]) -> None:
    names = list(parts)
    for name in ("serve-1", "serve-2"):
        assert parts[name].after == ()
        assert names.index(name) < names.index("postgres")


def test_whom_a_part_waits_for_comes_before_it(parts: dict[str, Part]) -> None:
    names = list(parts)
    for place, name in enumerate(names):
        assert {*parts[name].after} <= set(names[:place])


def test_metrics_of_processes_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.prepare()
    installation.forget_metrics()
    (installation.metrics / "counter_1.db").write_bytes(b"1")
    installation.forget_metrics()
    assert list(installation.metrics.iterdir()) == []
