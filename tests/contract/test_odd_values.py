"""Whatever stands in the place of a value, in a body or a query string, is taken or refused in the documented form.

Each request of the golden files is sent again with one value exchanged, drawn by the name of its file. Free JSON is
read by code of ours alone, in which a list where a word is expected is soon an error that nobody foresaw.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import grpc
import pytest

from contract.golden_files import GoldenCase, all_cases, known_different
from contract.matching import Mismatch
from contract.player import HttpAnswer, Player, SendHttp, http_sender
from support.stack import Stack

pytestmark = pytest.mark.acceptance

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 2**53, 2**31, "", "x", "..", "é", "😀", "a" * 5000, "1", "true", "%00"),
    *("2026-02-30T99:00:00Z", "a.b..c", [], [1], ["x"], [None], [[]], [{}], {}, {"a": 1}, {"": 1}, {"a": {"b": [1]}}),
    *(["x"] * 2000, {"field": "a", "operator": ["eq"], "value": 1}, {"$x": 1}),
)
WORDS = ("", "x", "-1", "0", "1e9", "9" * 30, "\0", "true", "{", '{"a":[[1]]}', '{"a":' * 2000, "a" * 300, "é", "NaN")
PARAMETERS = (
    *("limit", "offset", "page", "page_size", "cursor", "search", "sort", "filters", "expand", "select", "namespace"),
    *("include_vectors", "return_vectors", "max_points", "run_id", "compact", "format", "hours", "cluster_label"),
)
EACH_NIGHT, EACH_TIME = 12, 6
CASES = [case for case in all_cases() if case.is_for_all and case.name not in known_different()]
# free JSON of every kind, and no run
DAILY = {"clusters/update_namespace.by_presence", "clusters/create_cluster_trigger.refused"}


@dataclass
class Recorder:
    """Sends requests, and keeps those without files whose answers have bodies."""

    send: SendHttp
    sent: list[tuple[str, str, Mapping[str, str], bytes | None]] = field(default_factory=list)

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> HttpAnswer:
        if method != "HEAD" and (not body or headers.get("content-type") == "application/json"):
            self.sent.append((method, path, headers, body))
        return self.send(method, path, headers, body)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))


def exchanged(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a body with another value at a place."""
    if not path:
        return value
    changed = copy.deepcopy(body)
    around = changed
    for name in path[:-1]:
        around = around[name]
    around[path[-1]] = value
    return changed


def odd(path: str, body: bytes | None, luck: random.Random) -> tuple[str, bytes | None]:
    """Return a request with a value in a wrong place: of its body, or of its query string."""
    try:
        given = json.loads(body or b"")
    except ValueError:
        given = None
    if given is None or luck.random() < 0.2:
        said = f"{luck.choice(PARAMETERS)}={quote(luck.choice(WORDS))}"
        return f"{path}{'&' if '?' in path else '?'}{said}", body
    return path, json.dumps(exchanged(given, luck.choice([*places(given)]), luck.choice(VALUES))).encode()


def problem_of(answer: HttpAnswer) -> str | None:
    """Return what is wrong with an answer: an error of ours, or one in another form than the documented ones."""
    if answer.status >= 500 and answer.status != 501:
        return f"{answer.status} {answer.body[:500]!r}"
    if answer.status < 400:
        return None
    try:
        told = json.loads(answer.body)
    except ValueError:
        return f"{answer.status} is no JSON: {answer.body[:500]!r}"
    return None if "detail" in told or told.get("error", {}).get("type") else f"{answer.status} {told}"


def problems(case: GoldenCase, stack: Stack, times: int) -> Iterator[str]:
    recorder, luck = Recorder(http_sender(stack.url)), random.Random(case.name)
    with grpc.insecure_channel(stack.address) as channel:
        try:
            Player(recorder, channel).play(case)
        except Mismatch as mismatch:
            pytest.skip(f"test_golden tells of this one: {mismatch}")
    known = {(method, path, body): headers for method, path, headers, body in recorder.sent}
    for (method, path, body), headers in known.items():
        for _ in range(times):
            other, content = odd(path, body, luck)
            problem = problem_of(recorder.send(method, other, headers, content))
            if problem is not None:
                yield f"{method} {other[:300]} {(content or b'')[:500]!r}: {problem}"


@pytest.mark.parametrize("case", [case for case in CASES if case.name in DAILY], ids=lambda case: case.name)
def test_no_value_of_free_json_is_an_error_of_ours(case: GoldenCase, shoal_up: Stack) -> None:
    assert [*problems(case, shoal_up, EACH_TIME)] == []


@pytest.mark.nightly
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_value_anywhere_is_an_error_of_ours(case: GoldenCase, shoal_up: Stack) -> None:
    assert [*problems(case, shoal_up, EACH_NIGHT)] == []
