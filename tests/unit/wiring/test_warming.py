"""Libraries that take seconds are loaded between jobs, and at once when a job cannot do without them."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from shoald.application.job_attempts import Unwatched
from shoald.domain.failures import MissingDependency
from shoald.wiring.leisure import Leisure
from shoald.wiring.loading import Loading


def _begun(leisure: Leisure, taken: list[str]) -> Loading:
    """Return a loading during whose first step a job begins."""
    watch = leisure.watched_by(Unwatched())

    def first() -> None:
        taken.append("first")
        watch.started("job", 1)

    loading = Loading([first, lambda: taken.append("second")], leisure)
    loading.start()
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


def test_a_warm_server_has_loaded_what_the_first_build_needs(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shoald.settings import Settings\n"
        "from shoald.wiring import Adapters, warm_server\n"
        f"warm_server(Adapters(Settings(data_dir=Path({str(tmp_path)!r})))).join()\n"
        "print('faiss' in sys.modules)\n"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "True"
