"""Presets are checked when settings are saved, as the calls would be that they fill."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.application.preset_checks import PresetChecks
from shoald.domain.chunking import Embedding
from shoald.domain.failures import InvalidChunkerParams, InvalidFields, MissingDependency
from shoald.domain.retrieval.strategies import RegexSearch, Strategy, placed_legs


def find_embedding(provider: str | None, _model: str | None) -> Embedding:
    if provider == "unknown":
        raise InvalidChunkerParams("unknown provider", detail={"parameter": "embedding_provider"})
    raise MissingDependency("no key")


def check_patterns(strategy: Strategy, *where: str | int) -> None:
    for place, leg in placed_legs(strategy, *where):
        if isinstance(leg, RegexSearch) and leg.pattern == "(":
            raise InvalidFields.field(*place, "pattern", message="no pattern", value=leg.pattern)


CHECKS = PresetChecks(find_embedding=find_embedding, check_patterns=check_patterns)


def check(kind: str, preset: Any) -> None:
    settings = {"default_retrieval_preset": None, "default_chunking_preset": None, "extra": {"presets": {"p": preset}}}
    CHECKS.check({**settings, f"default_{kind}_preset": "p"})


@pytest.mark.parametrize(
    ("kind", "preset", "where"),
    [
        ("chunking", {"strategy": "magic"}, "strategy"),
        ("chunking", {"chunker_params": {"chunk_size": 0}}, "chunker_params.chunk_size"),
        ("chunking", {"chunker_params": {"chunksize": 10}}, "chunker_params.chunksize"),
        ("chunking", {"strategy": "Regex", "chunker_params": {"pattern": "("}}, "chunker_params.pattern"),
        (
            "chunking",
            {"strategy": "semantic", "chunker_params": {"embedding_provider": "unknown"}},
            "chunker_params.embedding_provider",
        ),
        ("retrieval", {"strategy": {"k": 3}}, "strategy"),
        ("retrieval", {"strategy": {"type": "magic"}}, "strategy"),
        ("retrieval", {"strategy": {"type": "bm25", "k": 0}}, "strategy.bm25.k"),
        ("retrieval", {"strategy": {"type": "regex", "pattern": "("}}, "strategy.regex.pattern"),
        ("retrieval", {"strategy": {"type": "rerank", "top_n": "few"}}, "strategy.rerank.top_n"),
        (
            "retrieval",
            {"strategy": {"type": "rerank", "base": {"type": "fuzzy", "threshold": 101}}},
            "strategy.rerank.base.fuzzy.threshold",
        ),
        (
            "retrieval",
            {"strategy": {"type": "ensemble", "sources": [{"type": "bm25"}, {"type": "x"}]}},
            "strategy.ensemble.sources.1",
        ),
        ("retrieval", {"strategy": {"type": "ensemble", "weights": [1]}}, "strategy.ensemble.weights"),
        ("retrieval", {"target": "everything"}, "target"),
        ("retrieval", {"filter": {"field": "page", "operator": "near", "value": 1}}, "filter.operator"),
        ("retrieval", {"limit": 2.5}, "limit"),
    ],
)
def test_what_no_call_could_use_is_named_where_it_stands(kind: str, preset: Any, where: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        check(kind, preset)
    (problem,) = refused.value.problems
    assert ".".join(map(str, problem.loc)) == f"body.settings.extra.presets.p.{where}"


@pytest.mark.parametrize(
    ("kind", "preset"),
    [
        ("chunking", {}),
        ("chunking", {"strategy": None, "chunker_params": None}),
        ("chunking", {"strategy": "regex", "chunker_params": {"chunk_size": 100}}),
        ("chunking", {"strategy": "semantic", "chunker_params": {"embedding_provider": "openai"}}),
        ("retrieval", {"strategy": {"type": "regex"}}),
        ("retrieval", {"strategy": {"type": "rerank", "top_n": 3, "base": None}, "limit": 5}),
        ("retrieval", {"strategy": {"type": "vector", "k": 3}, "target": "index_build", "filter": {"page": 1}}),
    ],
)
def test_what_a_call_completes_or_sets_up_later_passes(kind: str, preset: Any) -> None:
    check(kind, preset)
