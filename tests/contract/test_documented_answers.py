"""Every answer of the golden files is of the form that the OpenAPI documents promise, keys and nulls too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from jsonschema import Draft202012Validator

from contract.contracts import ROOT
from contract.golden_files import GoldenCase, all_cases, known_different
from contract.matching import Mismatch
from contract.player import HttpAnswer, Player, http_sender
from support.stack import Stack

JSON = "application/json"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "gen" / "openapi" / "all.json").read_text())
    return found


@cache
def forms() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The paths as patterns, those with fewer variables first."""
    paths = sorted(document()["paths"].items(), key=lambda one: one[0].count("{"))
    return [(re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))), calls) for path, calls in paths]


def answers_of(method: str, path: str) -> Mapping[str, Any] | None:
    """Return what a call may answer by status, or None for a path that is not documented."""
    for form, calls in forms():
        if form.fullmatch(path) and method.lower() in calls:
            found: Mapping[str, Any] = calls[method.lower()]["responses"]
            return found
    return None


@cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": document()["components"]})


def problems_of(method: str, path: str, answer: HttpAnswer) -> Iterator[str]:
    answers = answers_of(method, path)
    if answers is None or str(answer.status) not in answers:
        return
    content = answers[str(answer.status)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind and content and kind not in content and "application/octet-stream" not in content:
        yield f"{kind} is not one of {sorted(content)}"
    if kind == JSON and JSON in content:
        found = validator(json.dumps(content[JSON]["schema"])).iter_errors(json.loads(answer.body))
        yield from (f"{error.json_path}: {error.message[:200]}" for error in found)


class Documented:
    """Sends requests, and keeps what in the answers is not as documented."""

    def __init__(self, url: str) -> None:
        self._send = http_sender(url)
        self.problems: list[str] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        answer = self._send(method, path, headers, body)
        shown = f"{method} {urlsplit(path).path} {answer.status}"
        self.problems += [f"{shown}: {problem}" for problem in problems_of(method, urlsplit(path).path, answer)]
        return answer


def has_json(case: GoldenCase) -> bool:
    is_played = case.is_for_all and case.name not in known_different()
    return is_played and any("request" in step for step in case.steps)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"project_id": "p"}', "'name' is a required property"),
        ('{"project_id": 1}', "1 is not of type 'string'"),
        ('{"created_at": null}', "None is not of type 'string'"),
    ],
)
def test_what_is_not_as_documented_is_told(body: str, told: str) -> None:
    answer = HttpAnswer(200, {"content-type": JSON}, body.encode())
    assert any(problem.endswith(told) for problem in problems_of("GET", "/api/v1/projects/p", answer))


@pytest.mark.acceptance
@pytest.mark.nightly
@pytest.mark.parametrize("case", [case for case in all_cases() if has_json(case)], ids=lambda case: case.name)
def test_answers_are_of_the_documented_form(case: GoldenCase, shoal_up: Stack) -> None:
    send = Documented(shoal_up.url)
    with grpc.insecure_channel(shoal_up.address) as channel:
        try:
            Player(send, channel).play(case)
        except Mismatch as mismatch:
            pytest.skip(f"test_golden tells of this one: {mismatch}")
    assert not send.problems
