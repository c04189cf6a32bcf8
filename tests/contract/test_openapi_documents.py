"""The OpenAPI documents: valid, with examples that are answers, and taken by the linter that their readers use."""

from __future__ import annotations

import fcntl
import filecmp
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from contract.contracts import ROOT
from contract.golden_files import all_cases
from contract.matching import Captured, Mismatch
from shoald.domain.failures import InvalidFields

DOCUMENTS = ("rag", "clusters", "all")
LINTER = ROOT / "tools" / "openapi_lint"


def document(name: str) -> dict[str, Any]:
    found = json.loads((ROOT / "gen" / "openapi" / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def examples() -> Iterator[tuple[str, str, int, Any]]:
    """Yield method, path, status and example of every answer that has one, errors too."""
    for path, calls in document("all")["paths"].items():
        for method, call in calls.items():
            for status, answer in call["responses"].items():
                body = answer.get("content", {}).get("application/json", {})
                shown = [body["example"]] if "example" in body else []
                for example in [*shown, *(one["value"] for one in body.get("examples", {}).values())]:
                    yield method.upper(), path, int(status), example


def golden_answers() -> Iterator[tuple[str, str, int, Any]]:
    for case in all_cases():
        for step in (step for step in case.steps if "request" in step):
            request, response = step["request"], step["response"]
            yield request["method"], request["path"].partition("?")[0], response["status"], response.get("body")


def is_answer(example: Any, expected: Any) -> bool:
    try:
        Captured().match(expected, example)
    except Mismatch:
        return False
    return True


# `all` holds what the other two do: seconds for each of them would find nothing more by day
@pytest.mark.parametrize("name", ["all", *(pytest.param(name, marks=pytest.mark.nightly) for name in DOCUMENTS[:2])])
def test_each_document_is_valid(name: str) -> None:
    validate(document(name))


def test_paths_that_differ_by_names_of_variables_only_are_one() -> None:
    for name in DOCUMENTS:
        forms = [re.sub(r"\{[^}]*\}", "{}", path) for path in document(name)["paths"]]
        assert len(forms) == len(set(forms))


def test_every_variable_of_a_path_is_a_parameter_of_its_calls() -> None:
    for path, calls in document("all")["paths"].items():
        for call in calls.values():
            named = {one["name"] for one in call.get("parameters", ()) if one.get("in") == "path"}
            assert named == set(re.findall(r"\{([^}]*)\}", path)), path


def test_examples_of_success_are_answers_of_the_golden_files() -> None:
    golden = list(golden_answers())
    shown = [one for one in examples() if one[2] == 200]
    assert shown
    for method, path, status, example in shown:
        same = [body for m, p, s, body in golden if (m, p, s) == (method, path, status)]
        assert any(is_answer(example, body) for body in same), f"{method} {path}: {example}"


# codes that no golden file can bring about: something must break, run out or take too long first
NEEDS_A_FAULT = {
    *("internal_error", "embedding_failure", "reranking_failure", "missing_faiss_artifact"),
    *("too_many_requests", "unavailable", "deadline_exceeded", "storage_full", "list_too_long"),
}
PLACE = re.compile(r"\{[a-z_][a-z0-9_]*\}")


def code_of(body: Any) -> str | None:
    """Return the code of an error of either family."""
    match body:
        case {"error": {"code": str(code)}} | {"detail": {"code": str(code)}}:
            return code
        case {"detail": list()}:
            return InvalidFields.code
    return None


def with_open_places(expected: Any) -> Any:
    """Let every value that a golden file captured before be any text."""
    if isinstance(expected, str) and PLACE.search(expected) and not expected.startswith("<"):
        return "<re:" + ".+".join(map(re.escape, PLACE.split(expected))) + ">"
    if isinstance(expected, dict):
        return {key: with_open_places(value) for key, value in expected.items()}
    return [with_open_places(value) for value in expected] if isinstance(expected, list) else expected


def test_examples_of_errors_are_answers_of_the_golden_files() -> None:
    golden: dict[tuple[bool, int, str | None], list[Any]] = {}
    for _, path, status, body in golden_answers():
        golden.setdefault((path.startswith("/v1"), status, code_of(body)), []).append(with_open_places(body))
    shown = {
        (path.startswith("/v1"), status, code_of(one)): one for _, path, status, one in examples() if status != 200
    }
    without = {kind[2] for kind in shown if kind not in golden}
    assert without <= NEEDS_A_FAULT
    for kind, example in shown.items():
        assert kind not in golden or any(is_answer(example, body) for body in golden[kind]), example


def linter() -> Path:
    """Install redocly below build/, once for each lock file."""
    place = ROOT / "build" / "openapi_lint"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command, installed = place / "node_modules/.bin/redocly", place / "package-lock.json"
        if not (command.exists() and filecmp.cmp(LINTER / "package-lock.json", installed, shallow=False)):
            for file in LINTER.glob("package*.json"):
                shutil.copy(file, place)
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, check=True)
        shutil.copy(LINTER / "redocly.yaml", place)
    return command


@pytest.mark.skipif(shutil.which("npm") is None, reason="redocly comes by npm")
def test_redocly_finds_nothing() -> None:
    documents = [str(ROOT / "gen" / "openapi" / f"{name}.json") for name in DOCUMENTS]
    command = linter()
    done = subprocess.run(
        [command, "lint", "--max-problems", "20", *documents],
        cwd=command.parents[2], capture_output=True, text=True, check=False,
        env={"PATH": str(Path(shutil.which("node") or "").parent), "REDOCLY_TELEMETRY": "off"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr.partition("validating")[2]
