"""Keyword search on texts small enough to read."""

from __future__ import annotations

import io
import pickle
import random
import time

import numpy as np
import pytest

from shoald.domain.retrieval.bm25 import Bm25Index

TEXTS = ["the cat sat on the mat", "the dog", "cats and dogs", "", "Кошка и собака", "the cat and the cat"]


def positions(query: str, texts: list[str] = TEXTS, k: int = 10) -> list[int]:
    return [position for position, _ in Bm25Index.build(texts).search(query, k=k)]


def test_more_of_a_word_in_less_text_is_better() -> None:
    assert positions("cat") == [5, 0]


def test_case_does_not_matter_in_any_script() -> None:
    assert positions("СОБАКА Dog") == [1, 4]


def test_a_name_is_found_by_its_parts() -> None:
    assert positions("read", ["Path.read_text", "write"]) == [0]


@pytest.mark.parametrize("query", ["", " …", "absent"])
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert positions(query) == []


def test_a_word_of_every_text_still_counts() -> None:
    assert positions("x", ["x", "x y"]) == [0, 1]


def test_equal_scores_come_in_order_of_position() -> None:
    assert positions("a", ["a b"] * 50, k=7) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_nothing_to_find_in_nothing(texts: list[str]) -> None:
    index = Bm25Index.from_bytes(Bm25Index.build(texts).to_bytes())
    assert index.search("a", k=3) == []


def test_a_word_repeated_in_the_query_counts_as_often() -> None:
    index = Bm25Index.build(TEXTS)
    assert index.search("cat cat", k=1)[0][1] == pytest.approx(2 * index.search("cat", k=1)[0][1])


def test_it_is_the_same_when_it_is_read_again() -> None:
    index = Bm25Index.build(TEXTS)
    again = Bm25Index.from_bytes(index.to_bytes())
    assert again.search("the cat dogs", k=10) == index.search("the cat dogs", k=10)
    assert again.nbytes == index.nbytes > 0


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bm25Index.build(TEXTS)
    monkeypatch.setattr("shoald.domain.retrieval.bm25._BLOCK_WORDS", 4)
    assert Bm25Index.build(TEXTS).to_bytes() == whole.to_bytes()


def wrong_file(**changes: np.ndarray) -> bytes:
    with np.load(io.BytesIO(Bm25Index.build(TEXTS).to_bytes())) as file:
        parts = {name: file[name] for name in file.files} | changes
    out = io.BytesIO()
    np.savez(out, **parts)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 but no more",
        pickle.dumps({"a": 1}),
        Bm25Index.build(TEXTS).to_bytes()[:-30],
        wrong_file(format=np.array([99])),
        wrong_file(texts=np.array([10_000], dtype=np.int32)),
        wrong_file(bounds=np.array([0], dtype=np.int64)),
        wrong_file(words=np.array([0xFF], dtype=np.uint8)),
    ],
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reason
        Bm25Index.from_bytes(data)


def test_a_query_over_many_texts_takes_milliseconds() -> None:
    rng = random.Random(5)
    words = [f"word{n}" for n in range(5000)]
    index = Bm25Index.build(" ".join(rng.choices(words, k=12)) for _ in range(30_000))
    began = time.process_time()
    for at in range(20):
        index.search(f"word{at} word{at + 1} word{at + 2}", k=10)
    assert (time.process_time() - began) / 20 < 0.02
