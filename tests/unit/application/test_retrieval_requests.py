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


def test_a_map_is_read_and_stored_again_as_it_was() -> None:
    asked = {"run_id": "run_1", "paths": [["a", "b"], ["c"]], "labels": ["x"], "max_per_group": 2, "grouped": True}
    read = read_request({"query": "q", "strategy": {"type": "bm25"}, "map": asked})
    assert read.map is not None
    assert (read.map.paths, read.map.group_ids, read.map.facets) == ((("a", "b"), ("c",)), (), False)
    assert read_request(read.as_json()) == read
    behind = read_request({**read.as_json(), "map": {**asked, "facets": True}, "persist": True}).behind(20)
    assert behind == read_request({**read.as_json(), "cursor": "MjA="})


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ([], r"body\.map: "),
        ({}, r"body\.map: .*either run_id or cluster_id"),
        ({"run_id": "r", "cluster_id": "c"}, r"body\.map: .*either run_id or cluster_id"),
        ({"run_id": 3}, r"body\.map\.run_id"),
        ({"run_id": "r", "max_per_group": 0}, r"body\.map\.max_per_group"),
        ({"run_id": "r", "max_per_group": True}, r"body\.map\.max_per_group"),
        ({"run_id": "r", "grouped": "yes"}, r"body\.map\.grouped"),
        ({"run_id": "r", "group_ids": "a"}, r"body\.map\.group_ids"),
        ({"run_id": "r", "labels": ["a", 1]}, r"body\.map\.labels\.1"),
        ({"run_id": "r", "paths": ["a"]}, r"body\.map\.paths\.0"),
        ({"run_id": "r", "paths": [["a", None]]}, r"body\.map\.paths\.0\.1"),
    ],
)
def test_a_map_that_cannot_be_read_is_refused_by_its_field(asked: Any, place: str) -> None:
    with pytest.raises(InvalidFields, match=place):
        read_request({"query": "q", "strategy": {"type": "bm25"}, "map": asked})
