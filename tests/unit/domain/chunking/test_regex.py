"""The regex strategy: what splitting gives, look-around, groups, sizes, and patterns that would run for ever."""

from __future__ import annotations

import re
import threading
import time

import pytest
import regex

from shoald.domain.chunking import chunker
from shoald.domain.chunking.regex import Allowance, RegexSettings, regex_spans
from shoald.domain.failures import InvalidChunkerParams


def cut(text: str, pattern: str, **params: object) -> list[str]:
    return [text[start:end] for start, end in chunker("regex", {"pattern": pattern, **params})(text)]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a---b---c", "---"),
        ("Section 1 one Section 2 two", r"(?=Section \d+)"),
        ("key: value; other: thing", r"(;)\s*"),
        ("x1y22z", r"(\d)(\d)?"),
        ("a\n\nb\n\n\nc", r"\n{2,}"),
        ("a.b", r"(?<=\.)"),
        ("", "x"),
        ("nothing matches", "zzz"),
    ],
)
def test_the_pieces_are_those_of_pythons_split(text: str, pattern: str) -> None:
    assert cut(text, pattern) == [piece for piece in re.split(pattern, text) if piece]


def test_a_piece_over_the_size_is_cut_with_overlap_and_short_ones_stay() -> None:
    assert cut("ab|one two three four|cd", r"\|", chunk_size=10, chunk_overlap=4) == [
        "ab", "one two", "two three", "four", "cd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("pattern", {}),
        ("pattern", {"pattern": ""}),
        ("pattern", {"pattern": None}),
        ("pattern", {"pattern": "("}),
        ("pattern", {"pattern": "[a"}),
        ("pattern", {"pattern": r"\1"}),
        ("pattern", {"pattern": ["a"]}),
        ("pattern", {"pattern": "a" * 1001}),
        ("pattern", {"pattern": "(" * 500 + ")" * 500}),
        ("pattern", {"pattern": "a{99999999}"}),
        ("pattern", {"pattern": "(?R)"}),
        ("chunk_size", {"pattern": "a", "chunk_size": -1}),
        ("flags", {"pattern": "a", "flags": 2}),
    ],
)
def test_a_bad_parameter_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("regex", params)
    assert caught.value.detail["parameter"] == name


def test_a_pattern_that_runs_for_ever_is_stopped_and_named_while_other_threads_run() -> None:
    settings = RegexSettings(pattern=regex.compile(r"(x|xx)+y"), size=4000, overlap=0, seconds=0.5)
    ticks = 0
    over = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not over.wait(0.01):
            ticks += 1

    beside = threading.Thread(target=tick, daemon=True)
    beside.start()
    began = time.monotonic()
    try:
        with pytest.raises(InvalidChunkerParams) as caught:
            list(regex_spans("x" * 60, settings))
    finally:
        over.set()
    beside.join()
    assert caught.value.detail["parameter"] == "pattern"
    assert time.monotonic() - began < 10
    assert ticks >= 5


def test_a_pattern_that_is_slow_on_each_of_many_texts_is_stopped() -> None:
    settings = RegexSettings(pattern=regex.compile(r"(x|xx)+y"), size=4000, overlap=0, seconds=0.05)
    allowance = Allowance(settings.seconds)
    pieces = (list(regex_spans("x" * 22, settings, allowance)) for _ in range(10_000))
    with pytest.raises(InvalidChunkerParams) as caught:
        list(pieces)
    assert caught.value.detail["parameter"] == "pattern"


def test_time_that_texts_grant_is_there_for_later_ones() -> None:
    settings = RegexSettings(pattern=regex.compile("a"), size=4000, overlap=0)
    allowance = Allowance(0.0)
    for _ in range(5):
        assert list(regex_spans("a" * 20_000, settings, allowance)) == []
    assert allowance.left > 0
