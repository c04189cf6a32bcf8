"""The demo: its main job on a part of the standard library here, whole and timed in the nightly form."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from shoald.cli import demo_corpus, demo_job
from support.stack import Stack, shoal

pytestmark = pytest.mark.acceptance
_MODULES = (
    "argparse",
    "calendar",
    "datetime",
    "decimal",
    "json",
    "logging",
    "mailbox",
    "pathlib",
    "tarfile",
    "zipfile",
)


def test_the_demo_finds_passages_and_groups_and_does_nothing_twice(
    shoal_up: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = demo_corpus.standard_library_texts()
    few = {name: texts[name] for name in _MODULES}

    demo_job.run(shoal_up.url, tmp_path, few, began=time.monotonic())
    first = capsys.readouterr().out
    demo_job.run(shoal_up.url, tmp_path, few, began=time.monotonic())
    second = capsys.readouterr().out

    answers = first.split("Q: ")
    assert "archive" in answers[1]
    assert re.search(r"\d+ groups of \d+ chunks", first)
    assert "silhouette_score" in first
    assert "nothing is done again" in second
    assert first.split("Q: ")[1] == second.split("Q: ")[1]
    check_pasted_lines(first)


def check_pasted_lines(printed: str) -> None:
    """Run the lines that the demo prints for pasting."""
    pasted = printed.split("logs are in", 1)[1].split("\n", 1)[1].split("Stop it with", 1)[0]
    lines = [line.removeprefix("  ") for line in pasted.splitlines()]
    done = subprocess.run(["sh", "-e"], input="\n".join(lines), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(demo_job.PROJECT) >= 2


@pytest.mark.nightly
def test_the_whole_demo_takes_a_minute_and_its_second_run_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    whole = shoal("demo", "--data", str(tmp_path / "data"), timeout=300)
    took = time.monotonic() - began
    try:
        assert whole.returncode == 0, whole.stdout + whole.stderr
        first_passage = re.search(r"First passage after ([0-9.]+) s", whole.stdout)
        assert first_passage is not None
        began = time.monotonic()
        again = shoal("demo", "--data", str(tmp_path / "data"), timeout=60)
        took_again = time.monotonic() - began
        print(json.dumps({"first": took, "first_passage": float(first_passage[1]), "second": took_again}))
        assert "nothing is done again" in again.stdout
        assert took_again < took / 3
    finally:
        shoal("down", "--data", str(tmp_path / "data"))
