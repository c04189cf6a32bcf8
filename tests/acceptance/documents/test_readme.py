"""Every command of the README that needs no Docker and no keys is run by a test: here, or where the table says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.stack import Stack, shoal

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).resolve().parents[3]

# the commands of the README's shell blocks, and the test that runs each
RUN_BY = {
    "make demo": "documents/test_demo.py",
    "make down": "test_installation.py",
    "shoal ingest": "here",
    "shoal import": "here",
    "shoal evaluate": "here",
    "shoal map": "test_map.py",
    "shoal keys": "integration/test_keys_command.py",
    "JSON='content-type: application/json'": "here",
    "curl -s": "here",
    "shoal migrate": "integration/test_deployment_files.py",
    "shoal serve": "integration/test_deployment_files.py",
    "shoal work": "integration/test_deployment_files.py",
    "shoal schedule": "integration/test_deployment_files.py",
}


def shell_blocks() -> list[str]:
    text = re.sub(r"<!-- example:.*?<!-- /example -->", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    return re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)


def shell_commands() -> set[str]:
    lines = [line for block in shell_blocks() for line in block.splitlines()]
    return {" ".join(line.split()[:2]) for line in lines if line.strip()}


def test_the_table_above_holds_every_command_of_the_readme() -> None:
    assert shell_commands() == set(RUN_BY)


@pytest.mark.parametrize("target", ["demo", "down", "setup", "check", "test", "test-nightly", "bench"])
def test_make_knows_the_words_of_the_readme(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_is_ingested_and_searched(shoal_up: Stack, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("The lighthouse keeper writes the log at dawn.")
    (tmp_path / "notes" / "b.md").write_text("# Bread\nFlour, water, salt.")
    done = shoal("ingest", str(tmp_path / "notes"), "--project", "notes", "--data", str(shoal_up.data))
    assert done.returncode == 0, done.stdout + done.stderr
    found = subprocess.run(
        [sys.executable, "examples/retrieve.py", shoal_up.address, "lighthouse"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "notes: " in found.stdout
    assert "lighthouse keeper" in found.stdout


def test_strategies_are_compared_on_questions(shoal_up: Stack, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for name, text in {"sea": "The lighthouse keeper writes the log at dawn.", "home": "Flour, water, salt."}.items():
        (tmp_path / "notes" / f"{name}.txt").write_text(text)
    data = str(shoal_up.data)
    options = ("--embedding-provider", "mock", "--provider", "faiss", "--data", data)
    assert shoal("ingest", str(tmp_path / "notes"), "--project", "compared", *options).returncode == 0
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        '{"query": "who keeps the lighthouse", "expected": ["lighthouse keeper"]}\n'
        '{"query": "what is bread made of", "expected": ["flour, water"]}\n'
        '{"query": "who keeps bees", "expected": ["a bee keeper"]}\n'
    )
    done = shoal("evaluate", str(questions), "--project", "compared", "--data", data)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("bm25", "vector", "recall@5", "ndcg@10", "mrr@10", "questions: 3", "Found by none: who keeps bees"):
        assert word in done.stdout
    refused = shoal("evaluate", str(questions), "--project", "nobody's", "--data", data)
    assert refused.returncode == 1
    assert "there is no project" in refused.stderr


def test_a_file_of_vectors_becomes_a_collection(shoal_up: Stack, tmp_path: Path) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, np.random.default_rng(3).normal(size=(50, 8)).astype(np.float32))
    done = shoal("import", str(file), "--collection", "mine", "--data", str(shoal_up.data))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50" in done.stdout
    (block,) = [block for block in shell_blocks() if block.startswith("JSON=")]
    script = block.replace("http://127.0.0.1:8000", shoal_up.url).replace("curl -s ", "curl -sS --fail-with-body ")
    made, started, groups, latest = script.splitlines()[1:]
    header = script.splitlines()[0]
    for line, expected in ((made, '"cluster_name":"topics"'), (started, '"task_id"'), (groups, "["), (latest, "")):
        called = subprocess.run(["sh", "-euc", f"{header}\n{line}"], capture_output=True, text=True, check=False)
        assert called.returncode == 0, called.stdout + called.stderr
        assert expected in called.stdout


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_an_operator_asks_how_it_is(shoal_up: Stack, command: str) -> None:
    done = shoal(command, "--data", str(shoal_up.data))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "envoy" in done.stdout.lower()
    if command == "status":
        assert shoal_up.status()["metrics"] in done.stdout
