from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shoald", *words], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_files_of_other_kinds_in_a_folder_are_counted(tmp_path: Path) -> None:
    for name in ("a.txt", "b.png", "c.md"):
        (tmp_path / name).write_text("words")
    done = run("ingest", ".", "--project", "p", "--url", "http://127.0.0.1:1", cwd=tmp_path)
    assert done.returncode == 1
    assert "files left out: 1;" in done.stderr
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
