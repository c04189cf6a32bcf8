"""Reads what `shoal evaluate` is given: lines of questions, and words or JSON that say strategies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_VECTORS = frozenset({"vector", "dual_storage"})


class BadInput(Exception):  # noqa: N818 - it says what is the case
    """A file or an option cannot be used; the message says which, and where."""


def read_questions(file: Path) -> list[dict[str, Any]]:
    """Return the questions of a file, one JSON object a line; raises `BadInput` naming the line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} is no text in UTF-8: {error}") from error
    questions = [
        _question(line, f"{file}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()
    ]
    if not questions:
        raise BadInput(f"{file} holds no questions")
    return questions


def _question(line: str, where: str) -> dict[str, Any]:
    """Return one question as the server takes it.

    >>> _question('{"query": "q", "expected": ["a text", {"item_id": "x", "grade": 2}]}', "line 1")
    {'query': 'q', 'expected': [{'text': 'a text'}, {'item_id': 'x', 'grade': 2}]}
    """
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: no JSON: {error.msg} at character {error.pos + 1}") from error
    if not isinstance(found, dict) or not isinstance(found.get("query"), str):
        raise BadInput(f'{where}: a question is {{"query": …, "expected": […]}}')
    expected = found.get("expected")
    if isinstance(expected, str | dict):
        expected = [expected]
    if not isinstance(expected, list) or not expected:
        raise BadInput(f"{where}: `expected` holds a text, or a list of texts and objects with `item_id` or `text`")
    passages = [{"text": one} if isinstance(one, str) else one for one in expected]
    return {**found, "expected": passages}


def read_strategy(given: str) -> dict[str, Any]:
    """Return a strategy of an option: a type, JSON, or a name and JSON; raises `BadInput`.

    >>> read_strategy("bm25")
    {'strategy': {'type': 'bm25'}}
    >>> read_strategy('close={"type": "fuzzy", "threshold": 90}')
    {'strategy': {'type': 'fuzzy', 'threshold': 90}, 'name': 'close'}
    """
    name, brace, rest = given.partition("{")
    if not brace:
        return {"strategy": {"type": given.strip()}}
    try:
        strategy = json.loads(brace + rest)
    except json.JSONDecodeError as error:
        raise BadInput(f"--strategy {given}: no JSON: {error.msg} at character {error.pos + len(name) + 1}") from error
    named = name.strip().removesuffix("=").strip()
    return {"strategy": strategy, "name": named} if named else {"strategy": strategy}


def usual_strategies(*, has_build: bool) -> list[dict[str, Any]]:
    """Return what is compared when nothing is said: words, and where there is an index, vectors and both."""
    words = {"strategy": {"type": "bm25"}}
    if not has_build:
        return [words]
    both = {"type": "ensemble", "sources": [{"type": "bm25", "k": 20}, {"type": "vector", "k": 20}]}
    return [words, {"strategy": {"type": "vector"}}, {"strategy": both, "name": "bm25 and vector"}]


def needs_vectors(strategy: Any) -> bool:
    """Say whether a strategy, or one within it, searches vectors, so that its target is a build.

    >>> needs_vectors({"type": "rerank", "base": {"type": "vector"}}), needs_vectors({"type": "bm25"})
    (True, False)
    """
    return any(leg.get("type") in _VECTORS for leg in _legs(strategy))


def _legs(strategy: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(strategy, Mapping):
        return
    yield strategy
    sources = strategy.get("sources")
    inner: Sequence[Any] = [strategy.get("base"), *(sources if isinstance(sources, list) else [])]
    for one in inner:
        yield from _legs(one)
