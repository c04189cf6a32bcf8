"""The examples of the README, as files and as they stand in it, against a running Shoal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.stack import Stack

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).resolve().parents[3]


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_first_steps_find_the_row_about_skiing(shoal_up: Stack) -> None:
    answer = run("sh", "examples/first_steps.sh", SHOAL=shoal_up.url)
    assert "Oslo" in answer
    assert "Lisbon" not in answer


def test_python_retrieves_by_keyword(shoal_up: Stack) -> None:
    run("sh", "examples/first_steps.sh", SHOAL=shoal_up.url)
    answer = run(sys.executable, "examples/retrieve.py", shoal_up.address, "fjord")
    assert "First steps" in answer
    assert "Oslo" in answer


def test_the_dataclass_client_lists_projects(shoal_up: Stack) -> None:
    run("sh", "examples/first_steps.sh", SHOAL=shoal_up.url)
    assert "First steps" in run(
        sys.executable, "examples/list_projects.py", shoal_up.address, PYTHONPATH="gen/betterproto2"
    )


def test_python_groups_vectors_of_its_own(shoal_up: Stack) -> None:
    answer = run(sys.executable, "examples/cluster_vectors.py", shoal_up.address).splitlines()
    assert answer[0] == "imported 1000"
    assert sorted(int(line.split()[1]) for line in answer[1:]) == [200] * 5


@pytest.mark.skipif(shutil.which("npm") is None, reason="the TypeScript example needs node and npm")
def test_typescript_retrieves_by_keyword(shoal_up: Stack, tmp_path: Path) -> None:
    run("sh", "examples/first_steps.sh", SHOAL=shoal_up.url)
    examples = tmp_path / "examples" / "typescript"
    shutil.copytree(ROOT / "examples/typescript", examples, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(
        ROOT / "gen/typescript", tmp_path / "gen" / "typescript", ignore=shutil.ignore_patterns("node_modules")
    )
    run("npm", "ci", "--silent", cwd=examples)
    answer = run("node", "retrieve.mjs", shoal_up.url, "fjord", cwd=examples)
    assert "Oslo" in answer
