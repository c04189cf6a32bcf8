"""Search against the formula written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.domain.retrieval.bm25 import K1, B, Bm25Index, words_of
from shoald.domain.retrieval.mmr import most_relevant

words = st.sampled_from(["a", "b", "c", "dd", "É", "é", "x_y", "y", "1"])
some_texts = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=12)
queries = st.lists(st.one_of(words, st.just("zz")), max_size=4).map(" ".join)


def by_hand(texts: list[str], query: str) -> dict[int, float]:
    documents = [words_of(text) for text in texts]
    mean = max(1.0, sum(map(len, documents)) / max(1, len(documents)))
    scores: dict[int, float] = {}
    for position, document in enumerate(documents):
        for word in words_of(query):
            having = sum(word in other for other in documents)
            times = document.count(word)
            if times:
                weight = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
                share = times * (K1 + 1) / (times + K1 * (1 - B + B * len(document) / mean))
                scores[position] = scores.get(position, 0.0) + weight * share
    return scores


@settings(max_examples=200, deadline=None)
@given(some_texts, queries, st.integers(1, 15))
def test_bm25_is_its_formula(texts: list[str], query: str, k: int) -> None:
    expected = by_hand(texts, query)
    found = Bm25Index.build(texts).search(query, k=k)
    assert len(found) == min(k, len(expected))
    assert dict(found) == pytest.approx({position: expected[position] for position, _ in found})
    best = sorted(expected.values(), reverse=True)[:k]
    assert [score for _, score in found] == pytest.approx(best)
    assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 12), st.integers(0, 8), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 10_000))
def test_mmr_is_its_definition(m: int, k: int, balance: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(m, 5)).astype(np.float32)
    query = rng.normal(size=5).astype(np.float32)
    chosen = most_relevant(query, vectors, k=k, balance=balance)
    assert len(chosen) == len(set(chosen)) == min(k, m)
    rows = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    unit = query.astype(float) / np.linalg.norm(query.astype(float))
    for at, row in enumerate(chosen[1:], start=1):
        before = chosen[:at]
        gains = {
            other: balance * rows[other] @ unit - (1 - balance) * max(rows[other] @ rows[one] for one in before)
            for other in range(m)
            if other not in before
        }
        assert gains[row] == pytest.approx(max(gains.values()))
