"""What a call says, what a preset adds, and what a stored run says again."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.application.retrieval_requests import RetrievalRequest, read_request
from shoald.domain.failures import InvalidFields
from shoald.domain.retrieval.strategies import FuzzySearch, KeywordSearch, VectorSearch

PRESET: dict[str, Any] = {
    "strategy": {"type": "fuzzy", "threshold": 60},
    "target": "segment_set",
    "limit": 3,
    "filter": {"page": 1},
}


def test_a_preset_fills_what_is_left_out() -> None:
    read = read_request({"query": "q"}, PRESET)
    expected = RetrievalRequest(
        query="q", strategy=FuzzySearch(threshold=60), target="segment_set", limit=3, filter={"page": 1}
    )
    assert read == expected
    assert read_request({"query": "q", "target": None, "strategy": None, "limit": None}, PRESET) == expected


def test_what_a_call_says_wins() -> None:
    given = {"query": "q", "strategy": {"type": "fuzzy", "threshold": 90}, "target": "chunk_set", "limit": 0}
    read = read_request({**given, "filter": {"page": 2}}, PRESET)
    assert (read.strategy, read.target, read.limit) == (FuzzySearch(threshold=90), "chunk_set", 0)
    assert read.filter == {"page": 2}


def test_parameters_of_a_preset_are_for_its_strategy_alone() -> None:
    vectors = {"strategy": {"type": "vector", "k": 3}}
    assert read_request({"query": "q", "strategy": {"type": "bm25"}}, vectors).strategy == KeywordSearch(k=10)
    assert read_request({"query": "q", "strategy": {"type": "vector"}}, vectors).strategy == VectorSearch(k=3)
    assert read_request({"query": "q", "strategy": {}}, vectors).strategy == VectorSearch(k=3)


def test_a_preset_that_cannot_be_used_is_refused_where_it_is_used() -> None:
    with pytest.raises(InvalidFields) as refused:
        read_request({"query": "q"}, {"strategy": {"type": "fuzzy", "threshold": 101}})
    (problem,) = refused.value.problems
    assert problem.loc == ("body", "strategy", "fuzzy", "threshold")
    with pytest.raises(InvalidFields, match=r"body\.target"):
        read_request({"query": "q", "strategy": {"type": "bm25"}}, {"target": 3})
    with pytest.raises(InvalidFields, match=r"body\.filter"):
        read_request({"query": "q", "strategy": {"type": "bm25"}}, {"filter": [1]})


def test_a_stored_request_reads_as_it_was() -> None:
    request = RetrievalRequest(
        query="q", strategy=FuzzySearch(threshold=7), target_id="x", filter={"a": 1}, persist=True, limit=7, offset=14
    )
    assert read_request(request.as_json()) == request
    assert "filter" not in RetrievalRequest(query="q", strategy=KeywordSearch()).as_json()
