"""What patterns find, by which engine, and which are refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shoald.adapters.text_search import likeness, patterns
from shoald.adapters.text_search.files import ArrowTextFile, ArrowTextSearch
from shoald.adapters.text_search.patterns import Pattern
from shoald.application.ports.text_search import QueryTooLong, UnusablePattern

TEXTS = ["Hello World", "ID-12 foo", "Die Straße im Süden", "привет мы", "a" * 40 + "!", ""]
search = ArrowTextSearch()


@pytest.fixture
def texts(tmp_path: Path) -> ArrowTextFile:
    return written(tmp_path / "texts", TEXTS)


def written(path: Path, texts: Sequence[str], *, batch: int = 2) -> ArrowTextFile:
    with path.open("wb") as file, search.open_writer(file.write) as writer:
        for start in range(0, len(texts), batch):
            writer.add(texts[start : start + batch])
    return search.open_texts(str(path))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("world", [0]),
        ("(?-i)world", []),
        (r"ID-\d+", [1]),
        (r"^\w+ \w+$", [0, 3]),
        (r"\bsüden\b", [2]),
        (r"\bмы\b", [3]),
        (r"\bм\b", []),
        (r"stra[\wß]e", [2]),
        (r"[^\W\d]{6}", [2, 3, 4]),
        (r"(?<=hello )world", [0]),
        (r"(l)\1", [0]),
        ("", [0, 1, 2, 3, 4, 5]),
        ("(a|b)*!", [4]),
    ],
)
def test_it_is_a_real_regular_expression(texts: ArrowTextFile, pattern: str, expected: list[int]) -> None:
    assert texts.matching(search.pattern(pattern)).tolist() == expected


@pytest.mark.parametrize("pattern", ["(", "[a", "a**", "(?<a", "a{2,1}", "(?V1)a"])
def test_what_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UnusablePattern, match="is not a regular expression"):
        search.pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["a{99999999}", "(?:a{1000}){1000}", "((?1))", "(?x)a(?=b)", r"\b" + "a{1000}" * 11]
)
def test_what_would_take_all_memory_is_refused(pattern: str) -> None:
    with pytest.raises(UnusablePattern, match=r"repeats too much|calls a group|the flag x"):
        search.pattern(pattern)


def test_a_literal_is_found_as_it_stands(texts: ArrowTextFile) -> None:
    assert texts.matching(search.pattern("ID-12 ", literal=True)).tolist() == [1]
    assert texts.matching(search.pattern(r"\w+", literal=True)).tolist() == []


def test_a_long_literal_is_looked_for_without_being_read_as_a_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passage = "Straße im Süden (км) \u0130 " * 50
    texts = written(
        tmp_path / "texts", ["short", f"İ Before: {passage.upper()}", "x" * 2000, passage.replace("км", "m")]
    )
    monkeypatch.setattr(patterns, "re2", None)
    monkeypatch.setattr(patterns, "read_backtracking", None)
    pattern = search.pattern(passage.replace("ß", "SS"), literal=True)
    assert texts.matching(pattern).tolist() == [1]
    assert texts.matching(pattern, allowed=np.array([0, 2, 3])).tolist() == []
    assert texts.matching(search.pattern("y" * 1_000_000, literal=True)).tolist() == []


def test_the_places_of_a_long_literal_are_counted_in_characters() -> None:
    pattern = search.pattern("aB" * 600, literal=True)
    assert list(pattern.spans("İ." + "ab" * 1300, most=9)) == [(2, 1202), (1202, 2402)]
    assert list(pattern.spans("İ." + "ab" * 1300, most=1)) == [(2, 1202)]
    assert list(pattern.spans("ab", most=9)) == []


def test_places_are_counted_in_characters() -> None:
    assert list(search.pattern("[aeiou]ß").spans("Die Straße", most=9)) == [(7, 9)]
    assert list(search.pattern(r"\bмы\b").spans("привет мы", most=9)) == [(7, 9)]
    assert len(search.pattern("a").spans("a" * 50, most=9)) == 9


def test_what_explodes_elsewhere_is_linear_here(tmp_path: Path) -> None:
    texts = written(tmp_path / "texts", ["a" * 5000] * 20)
    began = time.process_time()
    assert texts.matching(search.pattern("(a+)+$x")).tolist() == []
    assert time.process_time() - began < 0.5


def test_what_must_backtrack_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "BACKTRACKING_SECONDS", 0.1)
    texts = written(tmp_path / "texts", ["a" * 40 + "!"] * 3)
    began = time.monotonic()
    with pytest.raises(UnusablePattern, match="linear time"):
        texts.matching(search.pattern(r"(?=a)(?:a|aa)+(?<=a)$"))
    assert time.monotonic() - began < 5


def test_places_that_take_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "SPANS_SECONDS", 0.02)
    assert Pattern(r"(?=a)(?:a|aa)+(?<=a)$").spans("a" * 60 + "!", most=9) == []


def test_only_allowed_texts_are_looked_at(texts: ArrowTextFile) -> None:
    for pattern in ("o", r"\bfoo\b", "(?=o)"):
        assert texts.matching(search.pattern(pattern), allowed=np.array([1, 3, 4])).tolist() == [1]
        assert texts.matching(search.pattern(pattern), allowed=np.array([], dtype=np.int64)).tolist() == []


def test_an_empty_set_has_no_matches(tmp_path: Path) -> None:
    texts = written(tmp_path / "texts", [])
    assert texts.matching(search.pattern("a")).tolist() == []
    assert texts.alike("a", threshold=0)[0].tolist() == []


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0 but no more", b"x" * 200])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    for read in (search.open_texts, search.open_arrays):
        with pytest.raises(ValueError, match="this is no file"):
            read(str(path))


def test_arrays_come_back_with_their_kinds(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {"a": np.arange(5), "b": np.array([1, 2], np.uint16), "none": np.zeros(0, np.uint8)}
    with (tmp_path / "arrays").open("wb") as file:
        search.write_arrays(arrays, file.write)
    again = search.open_arrays(str(tmp_path / "arrays"))
    assert list(again) == list(arrays)
    assert all(again[name].dtype == arrays[name].dtype for name in arrays)
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
    with pytest.raises(ValueError, match="version"):
        search.open_texts(str(tmp_path / "arrays"))


def test_a_query_that_takes_too_long_to_compare_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "SECONDS", 0.0)
    texts = written(tmp_path / "texts", ["some text"] * 3)
    with pytest.raises(QueryTooLong, match="shorten it"):
        texts.alike("a long query", threshold=80)


def test_waiting_for_others_is_not_the_querys_or_the_patterns_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=3600)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    texts = written(tmp_path / "texts", ["some text", "other"] * 500)
    assert len(texts.alike("some", threshold=80)[0]) == 500
    assert len(texts.matching(search.pattern("s.me"))) == 500
