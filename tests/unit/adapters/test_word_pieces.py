"""Golden token ids of the uncased BERT vocabulary, and the rules that they rest on."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.adapters.embedders.word_pieces import WordPieces, words_of

_VOCABULARY = resources.files("shoald.adapters.embedders").joinpath("data/minilm_vocab.txt").read_text("utf-8")
_PIECES = _VOCABULARY.split("\n")[:-1]
_WORDS = WordPieces(_PIECES)
_UNKNOWN = 100


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("hello world", [101, 7592, 2088, 102]),
        ("Hello, World!", [101, 7592, 1010, 2088, 999, 102]),
        (
            "The quick brown fox jumps over the lazy dog.",
            [101, 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012, 102],
        ),
        ("unaffable", [101, 14477, 20961, 3468, 102]),
        ("embeddings", [101, 7861, 8270, 4667, 2015, 102]),
        ("", [101, 102]),
        (" \t\r\n ", [101, 102]),
        ("h\0e\x7fllo\ufffd", [101, 7592, 102]),
        ("HÉLLÒ", [101, 7592, 102]),
        ("hello\u00a0\u2028world", [101, 7592, 2088, 102]),
        ("hel\u00adlo", [101, 7592, 102]),
        ("a" * 101, [101, _UNKNOWN, 102]),
        ("🙂", [101, _UNKNOWN, 102]),
    ],
)
def test_golden_ids(text: str, ids: list[int]) -> None:
    assert _WORDS.encode(text, most=256) == ids


def test_a_long_text_is_cut_but_keeps_its_end_mark() -> None:
    ids = _WORDS.encode("hello " * 1000, most=256)
    assert len(ids) == 256
    assert (ids[0], ids[-1]) == (101, 102)
    assert set(ids[1:-1]) == {7592}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't", ["don", "'", "t"]),
        ("snake_case(x)", ["snake", "_", "case", "(", "x", ")"]),
        ("日本語", ["日", "本", "語"]),
        ("ひらがな", ["ひらかな"]),
        ("«Où?»", ["«", "ou", "?", "»"]),
        ("3.14€", ["3", ".", "14€"]),
        ("İstanbul", ["istanbul"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_text_is_cut_the_same_way_as_any_text(text: str) -> None:
    assert list(words_of(text)) == list(words_of("é " + text))[1:]


@given(st.text())
def test_every_text_has_ids_and_all_but_unknown_words_can_be_read_back(text: str) -> None:
    ids = _WORDS.encode(text, most=10_000)
    assert (ids[0], ids[-1]) == (101, 102)
    pieces = [_PIECES[number] for number in ids[1:-1]]
    if "[UNK]" not in pieces:
        assert "".join(piece.removeprefix("##") for piece in pieces) == "".join(words_of(text))
