"""Search against its formulas and the libraries that are its references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from shoald.domain.retrieval.bm25 import Bm25Index, words_of
from shoald.domain.retrieval.fusion import fused
from shoald.domain.retrieval.hits import Hits
from shoald.domain.retrieval.mmr import most_relevant

words = st.sampled_from(["a", "b", "c", "dd", "É", "é", "x_y", "y", "1"])
some_texts = st.lists(st.lists(words, max_size=8).map(" ".join), max_size=12)
queries = st.lists(st.one_of(words, st.just("zz")), max_size=4).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(some_texts, queries, st.integers(1, 15))
def test_bm25_is_the_reference(texts: list[str], query: str, k: int) -> None:
    documents, asked = [words_of(text) for text in texts], words_of(query)
    positions, scores = Bm25Index.build(texts).search(query, k=k)
    sharing = [at for at, document in enumerate(documents) if set(document) & set(asked)]
    assert len(positions) == min(k, len(sharing))
    if not sharing:
        return
    reference = BM25Okapi(documents)
    expected: Any = reference.get_scores(asked) if reference.average_idf > 1e-9 else always_positive(reference, asked)
    assert scores == pytest.approx(expected[positions], abs=1e-9)
    best = sorted(sharing, key=lambda at: (-round(expected[at], 9), at))[:k]
    assert sorted(expected[best], reverse=True) == pytest.approx(scores)
    assert (np.diff(scores) <= 0).all()


def always_positive(reference: BM25Okapi, asked: list[str]) -> np.ndarray:
    """Return the scores of the reference with Lucene's weights, for where its own mean weight is not positive."""
    n = reference.corpus_size
    having = {word: sum(word in document for document in reference.doc_freqs) for word in reference.idf}
    reference.idf = {word: np.log(1 + (n - f + 0.5) / (f + 0.5)) for word, f in having.items()}
    scores: np.ndarray = reference.get_scores(asked)
    return scores


rankings = st.lists(st.permutations(range(9)).map(lambda order: order[:5]), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(rankings, st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4))
def test_fusion_is_its_formula(orders: list[list[int]], weights: list[float]) -> None:
    hits = fused([np.array(order, dtype=np.int64) for order in orders], weights[: len(orders)])
    expected: dict[int, float] = {}
    for order, weight in zip(orders, weights, strict=False):
        for rank, item in enumerate(order, start=1):
            expected[item] = expected.get(item, 0.0) + weight / (60 + rank)
    assert dict(zip(hits.positions.tolist(), hits.scores.tolist(), strict=True)) == pytest.approx(expected)
    order = sorted(expected, key=lambda item: (-round(expected[item], 12), item))
    assert hits.scores.tolist() == pytest.approx([expected[item] for item in order])


some_hits = st.dictionaries(st.integers(0, 2**31 - 1), st.floats(allow_nan=False, width=64), max_size=20)


@given(given_hits=some_hits, has_base=st.booleans())
def test_hits_come_back_from_their_bytes(*, given_hits: dict[int, float], has_base: bool) -> None:
    hits = Hits.ordered(np.array(list(given_hits), np.int64), np.array(list(given_hits.values()), float))
    if has_base:
        hits = Hits(hits.positions, hits.scores, hits.scores / 2)
    again = Hits.from_bytes(hits.to_bytes())
    assert again.positions.tolist() == hits.positions.tolist()
    assert again.scores.tolist() == hits.scores.tolist()
    assert (again.base_scores is None) == (hits.base_scores is None)
    order = list(zip((-hits.scores).tolist(), hits.positions.tolist(), strict=True))
    assert order == sorted(order)


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
