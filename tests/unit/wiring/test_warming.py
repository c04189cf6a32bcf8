"""Libraries that take seconds are loaded between jobs, and at once when a job cannot do without them."""

from __future__ import annotations

import logging
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from shoald.application.job_attempts import Unwatched
from shoald.domain.failures import MissingDependency
from shoald.domain.vocabulary import IndexProvider
from shoald.settings import Settings
from shoald.wiring import Adapters, warm_server, warming
from shoald.wiring.leisure import Leisure
from shoald.wiring.loading import Loading


def _begun(leisure: Leisure, taken: list[str]) -> Loading:
    """Return a loading during whose first step a job begins."""
    watch = leisure.watched_by(Unwatched())
    has_begun = threading.Event()

    def first() -> None:
        taken.append("first")
        watch.started("job", 1)
        has_begun.set()

    loading = Loading([first, lambda: taken.append("second")], leisure)
    loading.start()
    assert has_begun.wait(60)
    loading.join(0.05)
    return loading


def test_the_next_step_waits_for_the_job_at_work() -> None:
    taken: list[str] = []
    leisure = Leisure(quiet_seconds=0.0)
    loading = _begun(leisure, taken)
    assert (loading.is_alive(), taken) == (True, ["first"])
    leisure.watched_by(Unwatched()).ended()
    loading.join()
    assert taken == ["first", "second"]


def test_a_job_that_needs_all_of_it_does_not_wait_for_its_own_end() -> None:
    taken: list[str] = []
    leisure = Leisure(quiet_seconds=0.0)
    _begun(leisure, taken).finish()
    assert taken == ["first", "second"]


def test_a_job_in_the_quiet_before_a_step_begins_the_quiet_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    leisure = Leisure(quiet_seconds=1.0)
    watch = leisure.watched_by(Unwatched())
    quiets: list[float] = []

    def pass_quiet(_event: object, seconds: float) -> bool:
        quiets.append(seconds)
        if len(quiets) == 1:
            watch.started("job", 1)
            watch.ended()
        return False

    monkeypatch.setattr(leisure, "_has_ended", type("Quiet", (), {"wait": pass_quiet, "is_set": lambda _: False})())
    leisure.wait()
    assert quiets == [1.0, 1.0]


def test_what_cannot_be_loaded_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    def missing() -> None:
        raise MissingDependency("an extra")

    def broken() -> None:
        raise OSError("a library")

    with caplog.at_level(logging.ERROR):
        Loading([missing, broken, lambda: taken.append("last")], Leisure(quiet_seconds=0.0)).run()
    assert taken == ["last"]
    assert [record.getMessage() for record in caplog.records] == ["warming up failed"]


@pytest.mark.parametrize("qdrant_url", [None, "http://127.0.0.1:6333"])
def test_a_server_loads_what_its_first_build_or_search_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qdrant_url: str | None
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(warming, "importlib", SimpleNamespace(import_module=loaded.append))
    adapters = Adapters(Settings(data_dir=tmp_path, qdrant_url=qdrant_url))
    vars(adapters)["vector_indexes"] = SimpleNamespace(get=loaded.append)
    warm_server(adapters).join()
    first, *modules = loaded
    assert first == IndexProvider.FAISS
    assert all(find_spec(name) for name in modules)
    assert ("shoald.adapters.qdrant.vector_index" in modules) == (qdrant_url is not None)
