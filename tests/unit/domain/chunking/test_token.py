"""The token strategy, and the vocabularies that it carries."""

from __future__ import annotations

import base64
import hashlib

import pytest

from shoald.domain.chunking import chunker
from shoald.domain.chunking.encodings import encoding, token_bytes
from shoald.domain.failures import InvalidChunkerParams

PUBLISHED = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
TEXT = "The quick brown fox jumps over the lazy dog; 12345 naïve façades. " * 20


def cut(text: str, **params: object) -> list[str]:
    return [text[start:end] for start, end in chunker("token", params)(text)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_carried_vocabulary_is_the_published_one(name: str) -> None:
    lines = (base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(token_bytes(name)))
    assert hashlib.sha256(b"".join(lines)).hexdigest() == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_windows_are_those_of_the_tokens(name: str) -> None:
    tokens = encoding(name).encode_ordinary(TEXT)
    windows = [encoding(name).decode(tokens[at : at + 30]) for at in range(0, len(tokens) - 5, 25)]
    assert cut(TEXT, chunk_size=30, chunk_overlap=5, encoding_name=name) == windows


def test_known_tokens() -> None:
    assert encoding("cl100k_base").encode_ordinary("hello world") == [15339, 1917]
    assert encoding("o200k_base").encode_ordinary("hello world") == [24912, 2375]


def test_without_overlap_nothing_is_lost() -> None:
    text = "👩‍👩‍👧‍👦 किताब 漢字 " * 30
    assert "".join(cut(text, chunk_size=1, chunk_overlap=0)) == text
    assert "".join(cut(text, chunk_size=7, chunk_overlap=0)) == text


def test_no_character_is_cut_in_two() -> None:
    assert cut("😀😀", chunk_size=1, chunk_overlap=0) == ["😀", "😀"]


def test_what_looks_like_a_special_token_is_text() -> None:
    text = "before <|endoftext|> after"
    assert "".join(cut(text, chunk_size=2, chunk_overlap=0)) == text


def test_an_empty_text_has_no_window() -> None:
    assert cut("") == []


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"model_name": "o200k_base"}, "o200k_base"),
        ({"model_name": "gpt-4o"}, "o200k_base"),
        ({"model_name": "text-embedding-3-small"}, "cl100k_base"),
        ({"model_name": "no such model", "encoding_name": "o200k_base"}, "o200k_base"),
        ({"model_name": None, "encoding_name": ""}, "cl100k_base"),
    ],
)
def test_a_model_or_an_encoding_may_be_named(params: dict[str, object], name: str) -> None:
    assert cut(TEXT, chunk_size=50, **params) == cut(TEXT, chunk_size=50, encoding_name=name)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("model_name", {"model_name": "no such model"}),
        ("model_name", {"model_name": "davinci"}),
        ("model_name", {"model_name": 4}),
        ("encoding_name", {"encoding_name": "gpt-4o"}),
        ("chunk_overlap", {"chunk_size": 5, "chunk_overlap": 5}),
        ("separators", {"separators": []}),
    ],
)
def test_a_bad_parameter_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("token", params)
    assert caught.value.detail["parameter"] == name


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_great_many_blanks_are_cut_too(name: str) -> None:
    text = "a" + " " * 1_000_000 + "b"
    chunks = cut(text, chunk_size=100, chunk_overlap=0, encoding_name=name)
    assert "".join(chunks) == text
