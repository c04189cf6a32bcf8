"""Keyword search on texts small enough to read."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from shoald.domain.retrieval.bm25 import Bm25Index

TEXTS = ["the cat sat on the mat", "the dog", "cats and dogs", "", "Кошка и собака", "the cat and the cat"]


def positions(query: str, texts: list[str] = TEXTS, k: int = 10) -> list[int]:
    found: list[int] = Bm25Index.build(texts).search(query, k=k)[0].tolist()
    return found


def test_more_of_a_word_in_less_text_is_better() -> None:
    assert positions("cat") == [5, 0]


def test_case_does_not_matter_in_any_script() -> None:
    assert positions("СОБАКА Dog") == [1, 4]


def test_a_name_is_found_by_its_parts() -> None:
    assert positions("read", ["Path.read_text", "write"]) == [0]


@pytest.mark.parametrize("query", ["", " …", "absent"])
def test_what_is_not_there_is_not_found(query: str) -> None:
    assert positions(query) == []


def test_a_text_with_a_word_is_found_whatever_the_word_weighs() -> None:
    assert sorted(positions("x", ["x", "x y"])) == [0, 1]
    assert positions("apple", ["apple pie", "banana bread"]) == [0]


@pytest.mark.parametrize(
    ("query", "texts", "expected"),
    [
        ("apple", ["apple banana bread", "apple pie apple"], [1, 0]),
        ("bake bread", ["bread is sold here", "how to bake bread"], [1, 0]),
        ("the cat", ["the dog sat", "the cat sat", "the cat ran"], [1, 2, 0]),
        ("apple pie", ["banana pie", "apple pie"], [1, 0]),
        ("x", ["x"], [0]),
    ],
)
def test_the_better_of_few_texts_is_first_though_most_have_the_words(
    query: str, texts: list[str], expected: list[int]
) -> None:
    found, scores = Bm25Index.build(texts).search(query, k=10)
    assert found.tolist() == expected
    assert (scores > 0).all()


def test_only_what_is_allowed_is_found_and_scores_stay_as_they_are() -> None:
    index = Bm25Index.build(TEXTS)
    every = dict(zip(*(part.tolist() for part in index.search("cat dog", k=10)), strict=True))
    found, scores = index.search("cat dog", k=10, allowed=np.array([1, 3, 5]))
    assert dict(zip(found.tolist(), scores.tolist(), strict=True)) == {at: every[at] for at in (1, 5)}


def test_equal_scores_come_in_order_of_position() -> None:
    assert positions("a", ["a b"] * 50, k=7) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_nothing_to_find_in_nothing(texts: list[str]) -> None:
    assert positions("a", texts) == []


def test_a_word_repeated_in_the_query_counts_as_often() -> None:
    index = Bm25Index.build(TEXTS)
    assert index.search("cat cat", k=1)[1][0] == pytest.approx(2 * index.search("cat", k=1)[1][0])


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Bm25Index.build(TEXTS).arrays()
    monkeypatch.setattr("shoald.domain.retrieval.bm25._BLOCK_WORDS", 4)
    parts = Bm25Index.build(TEXTS).arrays()
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": np.zeros(1, np.int32)},
        {"bounds": np.zeros(1, np.int64)},
        {"letters": np.zeros(1, np.uint8)},
        {"counts": np.ones(13, np.int64)},
        {"more": np.zeros(1, np.int64)},
    ],
)
def test_arrays_of_something_else_are_refused(changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="keyword index"):
        Bm25Index({**Bm25Index.build(TEXTS).arrays(), **changes})


def test_a_query_over_many_texts_takes_milliseconds() -> None:
    rng = random.Random(5)
    words = [f"word{n}" for n in range(5000)]
    index = Bm25Index.build(" ".join(rng.choices(words, k=12)) for _ in range(30_000))
    began = time.process_time()
    for at in range(20):
        index.search(f"word{at} word{at + 1} word{at + 2}", k=10)
    assert (time.process_time() - began) / 20 < 0.02
