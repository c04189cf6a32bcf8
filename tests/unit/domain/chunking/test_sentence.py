"""The sentence strategy: rules of languages, whole sentences packed, long ones cut between words."""
# ruff: noqa: RUF001 - letters and marks of other scripts

from __future__ import annotations

import time

import pytest

from shoald.domain.chunking import chunker
from shoald.domain.chunking.languages import LANGUAGES, language_named
from shoald.domain.chunking.sentences import sentence_spans
from shoald.domain.failures import InvalidChunkerParams


def sentences(text: str, language: str = "english") -> list[str]:
    found = language_named(language)
    assert found is not None
    return [text[start:end] for start, end in sentence_spans(text, found)]


def cut(text: str, **params: object) -> list[str]:
    return [text[start:end] for start, end in chunker("sentence", params)(text)]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("english", ["Dr. Smith met Mr. J. R. Hall, e.g. in the U.S. Army.", "It cost $3.50!", "Why?"]),
        ("english", ["He said (see Fig. 3) that it works.", "Version 1.2.3 is out...", "Try it."]),
        ("english", ["The firm, Acme Inc. of Ohio, grew by 3 percent etc. and fell.", "It was 1999.", "A new one."]),
        ("german", ["Am 3. Oktober kam Hr. Dr. Meier, z. B. aus Bonn.", "Er ging um 12 Uhr.", "Schluss!"]),
        ("french", ["M. Dupont habite av. Foch.", "Il part demain !", "Vraiment ?"]),
        ("russian", ["Проф. А. С. Иванов родился в г. Москве, ул. Мира.", "Он жил там."]),
        ("spanish", ["El Sr. García vive en la av. Mayor.", "¿Cuándo viene?", "¡Hoy!"]),
        ("chinese", ["今天天气很好。", "我们去公园吧！", "好吗？"]),
        ("japanese", ["彼は「行く。」", "と言った。", "終わり"]),
        ("hindi", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        ("greek", ["Τι είναι αυτό;", "Δεν ξέρω."]),
        ("arabic", ["هل أنت بخير؟", "نعم."]),
    ],
)  # fmt: skip
def test_sentences_end_where_readers_see_them_end(language: str, expected: list[str]) -> None:
    separator = "" if language in {"chinese", "japanese"} else " "
    assert sentences(separator.join(expected), language) == expected


def test_a_quoted_end_before_a_capital_ends_the_sentence() -> None:
    assert sentences('He said "Go." Then he left.') == ['He said "Go."', "Then he left."]


def test_a_blank_line_ends_a_sentence_and_a_single_line_break_does_not() -> None:
    assert sentences("A title\n\nThe text\ngoes on. and on") == ["A title", "The text\ngoes on. and on"]


def test_numbers_of_a_list_are_no_sentences() -> None:
    assert sentences("1. First thing.\n2. Second thing.") == ["1. First thing.", "2. Second thing."]


def test_whole_sentences_are_packed_and_the_last_that_fit_are_repeated() -> None:
    text = "Aaaa aa. Bbb bb. Cc cc. Dd dd. Eeee ee."
    assert cut(text, chunk_size=25, chunk_overlap=8) == ["Aaaa aa. Bbb bb. Cc cc.", "Cc cc. Dd dd. Eeee ee."]


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    assert cut("Go. One two three four five six. End.", chunk_size=10, chunk_overlap=0) == [
        "Go.", "One two", "three", "four five", "six.", "End.",
    ]  # fmt: skip


@pytest.mark.parametrize("language", [*LANGUAGES, "EN", "de", "zh"])
def test_every_language_is_known_by_its_name(language: str) -> None:
    assert cut("One. Two.", language=language) == ["One. Two."]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("language", {"language": "klingon"}),
        ("language", {"language": 7}),
        ("chunk_size", {"chunk_size": 0}),
        ("chunk_overlap", {"chunk_size": 5, "chunk_overlap": 5}),
        ("separators", {"separators": ["x"]}),
    ],
)
def test_a_bad_parameter_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("sentence", params)
    assert caught.value.detail["parameter"] == name


@pytest.mark.parametrize(
    "text", ["." * 200_000, ". " * 100_000, "a. " * 70_000, "\n" * 200_000, "a" * 200_000, "a.\n\n" * 50_000]
)
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    cut(text, chunk_size=50, chunk_overlap=10)
    assert time.process_time() - began < 2
