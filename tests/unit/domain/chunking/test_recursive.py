"""The recursive strategy on texts small enough to read."""

from __future__ import annotations

import time

import pytest

from shoald.domain.chunking import chunker
from shoald.domain.failures import InvalidChunkerParams


def cut(text: str, **params: object) -> list[str]:
    return [text[start:end] for start, end in chunker("recursive", params)(text)]


def test_a_short_text_is_one_chunk() -> None:
    assert cut("  one text \n") == ["one text"]


@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n"])
def test_a_blank_text_has_no_chunk(text: str) -> None:
    assert cut(text) == []


def test_paragraphs_stay_whole_while_they_fit() -> None:
    assert cut("aaaa aaaa\n\nbb\n\ncc", chunk_size=10, chunk_overlap=0) == ["aaaa aaaa", "bb\n\ncc"]


def test_the_overlap_repeats_whole_words() -> None:
    assert cut("one two three four", chunk_size=10, chunk_overlap=4) == ["one two", "two three", "four"]


def test_a_word_longer_than_the_size_is_cut_anywhere() -> None:
    assert cut("abcdefgh", chunk_size=3, chunk_overlap=1) == ["abc", "cde", "efg", "gh"]


def test_separators_without_the_empty_one_do_not_break_the_size() -> None:
    assert cut("aaaaaaa.bbb", chunk_size=5, chunk_overlap=0, separators=["."]) == ["aaaaa", "aa", ".bbb"]


def test_a_single_character_is_the_smallest_size() -> None:
    assert cut("a b", chunk_size=1) == ["a", "b"]


def test_a_size_under_the_default_overlap_needs_no_overlap_of_its_own() -> None:
    text = "word " * 100
    assert all(len(chunk) <= 100 for chunk in cut(text, chunk_size=100))


@pytest.mark.parametrize("params", [{"chunk_size": 800.0}, {"chunk_size": "800"}, {"chunk_size": 800}])
def test_a_number_may_be_written_in_three_ways(params: dict[str, object]) -> None:
    text = "lorem ipsum " * 300
    assert cut(text, **params) == cut(text, chunk_size=800)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("chunk_size", {"chunk_size": 0}),
        ("chunk_size", {"chunk_size": -5}),
        ("chunk_size", {"chunk_size": 1.5}),
        ("chunk_size", {"chunk_size": 1e300}),
        ("chunk_size", {"chunk_size": True}),
        ("chunk_size", {"chunk_size": "many"}),
        ("chunk_size", {"chunk_size": float("inf")}),
        ("chunk_size", {"chunk_size": [1]}),
        ("chunk_overlap", {"chunk_size": 10, "chunk_overlap": 10}),
        ("chunk_overlap", {"chunk_overlap": -1}),
        ("separators", {"separators": "\n"}),
        ("separators", {"separators": [1]}),
        ("separators", {"separators": ["x"] * 101}),
        ("separators", {"separators": ["\n", "x" * 1001]}),
        ("chunksize", {"chunksize": 5}),
    ],
)
def test_a_bad_parameter_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("recursive", params)
    assert caught.value.detail["parameter"] == name
    assert f"chunker_params.{name}" in caught.value.message


def test_null_means_the_default() -> None:
    assert cut("x" * 5000, chunk_size=None, chunk_overlap=None, separators=None) == cut("x" * 5000)


@pytest.mark.parametrize("text", ["\n" * 400_000, " " * 400_000, "\n\n \n" * 100_000, "a" * 400_000, "a\n" * 200_000])
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    cut(text, chunk_size=50, chunk_overlap=10)
    assert time.process_time() - began < 2
