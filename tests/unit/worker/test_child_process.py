from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shoald.worker.child_process import ChildProcess

TELLING = "import os, sys; open(sys.argv[1], 'w').write(os.environ['MALLOC_ARENA_MAX'])"


def heaps_of_a_child(folder: Path) -> str:
    """Return how many heaps a child was told to have."""
    told = folder / "told"
    child = ChildProcess.spawn([sys.executable, "-c", TELLING, str(told)], name="one", queue="heavy", slot=0)
    child.process.wait(30)
    child.line.close()
    return told.read_text()


def test_threads_of_a_child_share_a_heap_that_can_be_given_back(tmp_path: Path) -> None:
    assert heaps_of_a_child(tmp_path) == "1"


def test_who_sets_the_heaps_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert heaps_of_a_child(tmp_path) == "3"
