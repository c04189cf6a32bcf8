"""Every strategy on a real installation's parts: pages, order, targets, and what a hit tells of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shoald.application import searching
from shoald.application.object_sweep import ObjectSweep
from shoald.application.searching import Searches
from shoald.domain.failures import (
    ChunkSetNotFound,
    IndexBuildNotFound,
    InvalidFields,
    InvalidTarget,
    MissingTargetId,
    ProviderUnsupported,
    SegmentSetNotFound,
    UnsupportedTarget,
)
from shoald.domain.records.index import IndexBuild
from support.rag_path import RagPath

pytestmark = pytest.mark.integration

TEXTS = tuple(f"red apple pie number {n % 3}" for n in range(9))
EVERY: list[dict[str, Any]] = [
    {"type": "vector"},
    {"type": "bm25"},
    {"type": "regex", "pattern": "app?le"},
    {"type": "fuzzy"},
    {"type": "ensemble"},
    {"type": "rerank", "base": {"type": "bm25"}, "model_name": "mock", "top_n": 9},
]


def built(path: RagPath) -> IndexBuild:
    return path.build(path.index(), path.chunk(path.texts(*TEXTS)))


@pytest.mark.parametrize("strategy", EVERY, ids=[strategy["type"] for strategy in EVERY])
def test_later_pages_do_not_search_again_and_never_overlap(
    path: RagPath, strategy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    where: dict[str, Any] = {}
    if strategy["type"] == "vector":
        where = {"target": "index_build", "target_id": built(path).build_id}
    else:
        path.chunk(path.texts(*TEXTS))
    whole = path.by("apple pie", strategy, limit=200, **where)
    first = path.by("apple pie", strategy, limit=4, **where)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(Searches, "_found", never)
    rest = [path.by("apple pie", strategy, limit=4, cursor=cursor, **where) for cursor in ("NA==", "OA==")]
    assert [hit for page in (first, *rest) for hit in page.items] == list(whole.items)
    assert whole.total == len(whole.items) == 9
    order = [(-hit.score, hit.metadata["position"]) for hit in whole.items]
    if strategy["type"] != "rerank":  # whose ties stand as its base has them
        assert order == sorted(order)


def test_what_a_caller_wrote_into_metadata_is_never_taken_for_ours(path: RagPath) -> None:
    path.chunk(path.texts("apple pie"))
    with path.adapters.open_unit_of_work() as uow:
        uow.chunk_sets._connection.exec_driver_sql(  # type: ignore[attr-defined]
            "UPDATE chunk_items SET metadata = metadata ||"
            """ '{"score": "high", "position": -1, "item_id": "mine", "document_id": "mine", "matches": "mine"}'"""
        )
        uow.commit()
    (hit,) = path.by("apple", {"type": "regex", "pattern": "pie"}).items
    assert hit.score == hit.metadata["score"] == 1.0
    assert (hit.metadata["position"], hit.metadata["matches"]) == (0, [(6, 9)])
    assert "mine" not in hit.metadata.values()


def test_the_query_is_looked_for_literally_where_a_pattern_is_left_out(path: RagPath) -> None:
    path.chunk(path.texts("costs $5 (five)", "costs 5"))
    ensemble = {"type": "ensemble", "sources": [{"type": "regex"}]}
    assert [hit.page_content for hit in path.by("$5 (FIVE)", ensemble).items] == ["costs $5 (five)"]
    assert path.by("", ensemble).total == 0


def test_a_pattern_that_takes_too_long_is_named(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.adapters.text_search.patterns.BACKTRACKING_SECONDS", 0.05)
    path.chunk(path.texts("a" * 60 + "!"))
    slow = {"type": "regex", "pattern": r"(?=a)(?:a|aa)+(?<=a)$"}
    with pytest.raises(InvalidFields) as refused:
        path.by("x", {"type": "ensemble", "sources": [{"type": "bm25"}, slow]})
    (problem,) = refused.value.problems
    assert problem.loc == ("body", "strategy", "ensemble", "sources", 1, "regex", "pattern")
    assert "takes longer" in problem.message


@pytest.mark.parametrize(
    ("strategy", "target", "failure"),
    [
        ({"type": "vector"}, {}, InvalidTarget),
        ({"type": "vector"}, {"target": "index_build"}, MissingTargetId),
        ({"type": "dual_storage"}, {"target": "index_build"}, InvalidTarget),
        ({"type": "rerank", "base": {"type": "vector"}}, {"target": "segment_set"}, InvalidTarget),
        ({"type": "ensemble", "sources": [{"type": "vector"}]}, {"target": "index_build"}, MissingTargetId),
        ({"type": "fuzzy"}, {"target": "index_build", "target_id": "x"}, UnsupportedTarget),
        ({"type": "fuzzy"}, {"target": "library"}, UnsupportedTarget),
        ({"type": "fuzzy"}, {"target_id": "x"}, ChunkSetNotFound),
        ({"type": "regex", "pattern": "a"}, {"target": "segment_set", "target_id": "x"}, SegmentSetNotFound),
        ({"type": "vector"}, {"target": "index_build", "target_id": "x"}, IndexBuildNotFound),
    ],
)
def test_each_strategy_has_its_targets(
    path: RagPath, strategy: dict[str, Any], target: dict[str, Any], failure: type[Exception]
) -> None:
    with pytest.raises(failure):
        path.by("x", strategy, **target)


def test_dual_storage_is_for_qdrant_alone(path: RagPath) -> None:
    with pytest.raises(ProviderUnsupported):
        path.by("x", {"type": "dual_storage"}, target="index_build", target_id=built(path).build_id)


class _Tomorrow:
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=2)


def test_the_sweep_leaves_the_files_of_a_set_and_takes_those_that_nothing_names(path: RagPath) -> None:
    chunk_set = path.chunk(path.texts("alpha"))
    path.by("alpha", {"type": "bm25"})
    left = path.adapters.keyword_indexing.make(chunk_set)
    with path.adapters.open_unit_of_work() as uow:
        named = uow.keyword_indexes.get(chunk_set.chunk_set_version_id)
    assert named is not None
    objects = path.adapters.objects
    ObjectSweep(open_unit_of_work=path.adapters.open_unit_of_work, objects=objects, clock=_Tomorrow()).run_pass()
    assert [objects.exists(one.key) for one in (named.texts, named.words)] == [True, True]
    assert [objects.exists(one.key) for one in (left.texts, left.words)] == [False, False]


def test_places_of_matches_are_left_out_once_finding_them_took_long(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chunk(path.texts("red apple"))
    monkeypatch.setattr(searching, "_SPANS_SECONDS", 0.0)
    (hit,) = path.by("x", {"type": "regex", "pattern": "apple"}).items
    assert hit.score == 1
    assert "matches" not in hit.metadata
