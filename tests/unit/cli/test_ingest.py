from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shoald.cli.import_vectors import reason_of
from shoald.cli.ingest import _search_line
from shoald.domain.failures import Failure, InvalidFields, NotFound


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shoald", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_files_of_other_kinds_in_a_folder_are_named(tmp_path: Path) -> None:
    for name in ("a.txt", "b.png", "c.md"):
        (tmp_path / name).write_text("words")
    done = run("ingest", ".", "--project", "p", "--url", "http://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 1
    assert "files left out: 1 (b.png);" in done.stderr
    assert "http://127.0.0.1:1/api/v1/projects" in done.stderr


def test_a_folder_without_files_says_which_endings_are_known(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_text("x")
    done = run("ingest", ".", "--project", "p", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no files to take; known endings: .csv, .docx" in done.stderr


def test_importing_where_nothing_runs_says_how_to_start(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "v": [1, 2]}\n')
    done = run("import", "a.jsonl", "--collection", "new", cwd=tmp_path)
    assert done.returncode == 1
    assert "no Shoal runs on .shoal" in done.stderr


def test_what_ingest_prints_at_the_end_is_a_command_that_searches() -> None:
    build = {"project_id": "p", "build_id": "b"}
    words = shlex.split(_search_line("http://127.0.0.1:8000/", build, "team"))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/api/v1/projects/p/retrieve"]
    assert words[words.index("x-namespace: team") - 1] == "-H"
    assert json.loads(words[-1])["target_id"] == "b"
    assert "x-namespace" not in _search_line("http://127.0.0.1:8000", build, None)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (InvalidFields.field("body", message="line 3 is no JSON"), "v.jsonl: line 3 is no JSON"),
        (InvalidFields.field("body", "payload", message="too deep"), "v.jsonl: payload: too deep"),
        (InvalidFields.field("body", "collection_id", message="too short"), "--collection: too short"),
        (NotFound("There is no such namespace."), "There is no such namespace."),
    ],
)
def test_what_is_wrong_with_an_imported_file_is_said_of_the_file(failure: Failure, told: str) -> None:
    assert reason_of(failure, Path("v.jsonl")) == told
