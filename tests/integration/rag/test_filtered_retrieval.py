"""A filter is a guarantee for every strategy, and for each search within another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoald.application.allowed_positions import AllowedPositions
from shoald.domain.filters import matches, parse_filter
from support.rag_path import RagPath

pytestmark = pytest.mark.integration

TEXTS = [
    f"{fruit} {dish} number {n}"
    for n in range(4)
    for fruit in ("red apple", "yellow banana")
    for dish in ("pie", "tea")
]
PATTERN = {"type": "regex", "pattern": "apple|tea"}
WORDS: list[dict[str, Any]] = [
    {"type": "bm25", "k": 100},
    PATTERN,
    {"type": "fuzzy", "threshold": 60},
    {"type": "ensemble", "sources": [{"type": "bm25", "k": 100}, PATTERN]},
    {"type": "rerank", "base": {"type": "bm25", "k": 100}, "model_name": "mock", "top_n": 100},
]
VECTORS: list[dict[str, Any]] = [
    {"type": "vector", "k": 100},
    {"type": "vector", "k": 100, "search_type": "mmr"},
    {"type": "ensemble", "sources": [{"type": "vector", "k": 100}, {"type": "fuzzy"}]},
]

conditions = st.one_of(
    st.builds(lambda at: {"position": at}, st.integers(0, 16)),
    st.builds(lambda at: {"field": "position", "operator": "lt", "value": at}, st.integers(0, 20)),
    st.builds(lambda at: {"position": at}, st.lists(st.integers(0, 16), max_size=5)),
    st.just({"chunk_index": 0}),
    st.just({"field": "filename", "operator": "starts_with", "value": "NOTES"}),
    st.just({"field": "absent", "operator": "exists"}),
    st.just({"field": "end", "operator": "gt", "value": 20}),
)
filters = st.one_of(
    conditions,
    st.builds(lambda parts: {"AND": parts}, st.lists(conditions, min_size=1, max_size=2)),
    st.builds(lambda parts: {"OR": parts}, st.lists(conditions, min_size=1, max_size=2)),
    st.builds(lambda part: {"NOT": [part]}, conditions),
)


def _found(path: RagPath, strategy: dict[str, Any], **more: Any) -> dict[int, tuple[float, dict[str, Any]]]:
    page = path.by("apple pie", strategy, limit=200, **more)
    assert page.total == len(page.items)
    return {int(hit.metadata["position"]): (hit.score, dict(hit.metadata)) for hit in page.items}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters)
def test_what_a_filter_excludes_is_never_found(path: RagPath, wanted: dict[str, Any]) -> None:
    build_id = _built(path)
    condition = parse_filter(wanted)
    assert condition is not None
    for strategy in (*WORDS, *VECTORS):
        where: dict[str, Any] = {"target": "index_build", "target_id": build_id} if strategy in VECTORS else {}
        every = _found(path, strategy, **where)
        kept = _found(path, strategy, filter=wanted, **where)
        allowed = {at for at, (_, metadata) in every.items() if matches(condition, metadata)}
        assert set(kept) == allowed, strategy
        if strategy["type"] in {"bm25", "regex", "fuzzy"}:
            assert all(kept[at][0] == every[at][0] for at in kept)


_BUILDS: dict[str, str] = {}


def _built(path: RagPath) -> str:
    project_id = path.project.project_id
    if project_id not in _BUILDS:
        _BUILDS[project_id] = path.build(path.index(), path.chunk(path.texts(*TEXTS))).build_id
    return _BUILDS[project_id]


def test_a_filter_of_one_set_is_asked_of_the_database_once(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chunk(path.texts(*TEXTS))
    find, found = AllowedPositions._found, []

    def noted(self: AllowedPositions, *asked: Any) -> Any:
        found.append(find(self, *asked).tolist())
        return find(self, *asked)

    monkeypatch.setattr(AllowedPositions, "_found", noted)
    for strategy in WORDS[:3]:
        path.by("apple pie", strategy, filter={"position": [1, 2]})
    assert found == [[1, 2]]


def test_a_chunk_knows_its_segment_by_position(path: RagPath) -> None:
    segment_set = path.texts("one two three", "four", "five six")
    chunk_set = path.chunk(segment_set, chunk_size=5, chunk_overlap=0)
    with path.adapters.open_unit_of_work() as uow:
        sources = uow.chunk_sets.source_positions(chunk_set.chunk_set_version_id)
        uow.chunk_sets._connection.exec_driver_sql(  # type: ignore[attr-defined]
            "UPDATE chunk_items SET metadata = '{}' WHERE position = 1"
        )
        without = uow.chunk_sets.source_positions(chunk_set.chunk_set_version_id)
    assert sources.tolist() == [0, 0, 0, 0, 1, 2, 2]
    assert without.tolist() == [0, -1, 0, 0, 1, 2, 2]


def test_many_positions_come_back_in_order(path: RagPath) -> None:
    chunk_set = path.chunk(path.texts(*(f"text {n}" for n in range(300))))
    condition = parse_filter({"field": "chunk_set_version_id", "operator": "eq", "value": "x"})
    assert condition is not None
    with path.adapters.open_unit_of_work() as uow:
        set_id = chunk_set.chunk_set_version_id
        every = uow.chunk_sets.positions_where(set_id, condition, laid_over={"chunk_set_version_id": "x"})
        none = uow.chunk_sets.positions_where(set_id, condition, laid_over={"chunk_set_version_id": "y"})
    assert np.array_equal(every, np.arange(300))
    assert none.tolist() == []
