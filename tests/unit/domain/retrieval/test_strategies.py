"""What is read, what is filled in, and where a wrong field is said to stand."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.domain.failures import InvalidEnsembleSources, InvalidFields
from shoald.domain.retrieval.strategies import (
    DualStorageSearch,
    EnsembleSearch,
    FuzzySearch,
    KeywordSearch,
    RegexSearch,
    RerankSearch,
    VectorSearch,
    needs_vectors,
)
from shoald.domain.retrieval.strategy_reading import read_strategy

DEFAULTS = [
    ({"type": "vector"}, VectorSearch(k=10, search_type="similarity", score_threshold=None)),
    ({"type": "bm25"}, KeywordSearch(k=10)),
    ({"type": "regex", "pattern": "a"}, RegexSearch(pattern="a")),
    ({"type": "fuzzy"}, FuzzySearch(threshold=80)),
    ({"type": "dual_storage"}, DualStorageSearch(vector_search=VectorSearch(), id_key="segment_id")),
    (
        {"type": "ensemble"},
        EnsembleSearch(
            sources=(KeywordSearch(k=8), RegexSearch(pattern=None), FuzzySearch(threshold=75)), weights=(1 / 3,) * 3
        ),
    ),
    (
        {"type": "rerank", "base": {"type": "bm25"}},
        RerankSearch(base=KeywordSearch(k=20), model_name="BAAI/bge-reranker-base", top_n=5, device="cpu"),
    ),
]


@pytest.mark.parametrize(("given", "expected"), DEFAULTS)
def test_what_is_left_out_has_its_documented_default(given: dict[str, Any], expected: object) -> None:
    read = read_strategy(given)
    assert read == expected
    assert read_strategy(read.as_json()) == expected
    assert read_strategy({**given, "k": None, "threshold": None, "weights": None, "sources": None}) == expected


WRONG: list[tuple[dict[str, Any] | None, list[str | int], str]] = [
    (None, [], "missing"),
    ({}, [], "union_tag_not_found"),
    ({"type": "magic"}, [], "union_tag_invalid"),
    ({"type": ["bm25"]}, [], "union_tag_invalid"),
    ({"type": {}}, [], "union_tag_invalid"),
    ({"type": "bm25", "k": 0}, ["bm25", "k"], "greater_than_equal"),
    ({"type": "bm25", "k": 1.5}, ["bm25", "k"], "int_type"),
    ({"type": "bm25", "k": True}, ["bm25", "k"], "int_type"),
    ({"type": "regex"}, ["regex", "pattern"], "missing"),
    ({"type": "regex", "pattern": 3}, ["regex", "pattern"], "string_type"),
    ({"type": "regex", "pattern": "x" * 1001}, ["regex", "pattern"], "string_too_long"),
    ({"type": "fuzzy", "threshold": 101}, ["fuzzy", "threshold"], "less_than_equal"),
    ({"type": "vector", "search_type": "best"}, ["vector", "search_type"], "enum"),
    ({"type": "vector", "score_threshold": "high"}, ["vector", "score_threshold"], "float_type"),
    ({"type": "rerank"}, ["rerank", "base"], "missing"),
    ({"type": "rerank", "base": {"type": "bm25", "k": 0}}, ["rerank", "base", "bm25", "k"], "greater_than_equal"),
    ({"type": "rerank", "base": {"type": "bm25"}, "top_n": 0}, ["rerank", "top_n"], "greater_than_equal"),
    ({"type": "dual_storage", "vector_search": 3}, ["dual_storage", "vector_search"], "dict_type"),
    ({"type": "dual_storage", "vector_search": {"k": 0}}, ["dual_storage", "vector_search", "k"], "greater_than_equal"),
    ({"type": "dual_storage", "id_key": "page"}, ["dual_storage", "id_key"], "enum"),
    (
        {"type": "ensemble", "sources": [{"type": "fuzzy", "threshold": -1}]},
        ["ensemble", "sources", 0, "fuzzy", "threshold"],
        "greater_than_equal",
    ),
]


@pytest.mark.parametrize(("given", "place", "kind"), WRONG)
def test_a_wrong_field_is_named_where_it_stands(
    given: dict[str, Any] | None, place: list[str | int], kind: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_strategy(given)
    (problem,) = refused.value.problems
    assert (list(problem.loc), problem.kind) == (["body", "strategy", *place], kind)


@pytest.mark.parametrize(
    "more",
    [
        {"sources": [{"type": "magic"}]},
        {"sources": [{"type": ["bm25"]}]},
        {"sources": ["bm25"]},
        {"sources": "bm25"},
        {"sources": [{"type": "bm25"}] * 11},
        {"sources": [{"type": "dual_storage"}]},
        {"sources": [{"type": "bm25"}], "weights": [1, 2]},
        {"sources": [{"type": "bm25"}], "weights": [-1]},
        {"sources": [{"type": "bm25"}], "weights": [float("nan")]},
        {"weights": [1]},
    ],
)
def test_sources_that_cannot_be_fused_have_a_code_of_their_own(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidEnsembleSources):
        read_strategy({"type": "ensemble", **more})


def test_strategies_nest_only_so_deep() -> None:
    given: dict[str, Any] = {"type": "bm25"}
    for _ in range(3):
        given = {"type": "ensemble", "sources": [given]}
    assert isinstance(read_strategy(given), EnsembleSearch)
    with pytest.raises(InvalidFields, match="nest at most 3 deep"):
        read_strategy({"type": "rerank", "base": given})


def test_vectors_are_needed_wherever_they_are_searched() -> None:
    vector, words = {"type": "vector"}, {"type": "bm25"}
    within = {"type": "rerank", "base": {"type": "ensemble", "sources": [words, vector]}}
    assert needs_vectors(read_strategy(within))
    assert needs_vectors(read_strategy({"type": "dual_storage"}))
    assert not needs_vectors(read_strategy({"type": "rerank", "base": words}))
