"""Reranking through the whole retrieval: models of a folder, endpoints, and every base against sorting by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.in_process import InProcess
from shoald.adapters.rerankers.mock import MockReranker
from shoald.application.reranking import MOST_UNBOUNDED_CANDIDATES
from shoald.application.retrieval_requests import read_request
from shoald.application.waiting import Patience
from shoald.domain.failures import DeadlineExceeded, MissingDependency
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application
from support.fakes.rerank_server import Reply, RerankServer, rerank_server
from support.rag_path import RagPath
from support.tiny_cross_encoder import write_tiny_model

pytestmark = pytest.mark.integration
TEXTS = ("bake bread at home", "stars in space", "bread and stars", "a bike", "bake a cake, then bread")


@pytest.fixture
def endpoint() -> Iterator[RerankServer]:
    with rerank_server() as server:
        yield server


@pytest.fixture
def path(postgres_database: str, redis_url: str, data_dir: Path, endpoint: RerankServer) -> Iterator[RagPath]:
    write_tiny_model(data_dir / "models" / "tiny")
    settings = Settings(
        database_url=postgres_database,
        redis_url=redis_url,
        data_dir=data_dir,
        reranker_folder=data_dir / "models",
        reranker_url=endpoint.base_url,
    )
    adapters = Adapters(settings)
    use_cases = build_application(adapters)
    caller = use_cases.access.caller()
    project = use_cases.projects.create(caller, name="Docs", description=None, settings=None)
    yield RagPath(adapters, use_cases, caller, project)
    adapters.close()


@pytest.fixture
def chunked(path: RagPath) -> RagPath:
    path.chunk(path.texts(*TEXTS))
    return path


def rerank(base: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "rerank", "base": base, "model_name": "mock", **fields}


BASES: list[dict[str, Any]] = [
    {"type": "bm25"},
    {"type": "regex", "pattern": "."},
    {"type": "fuzzy", "threshold": 0},
    {"type": "ensemble", "sources": [{"type": "bm25"}, {"type": "fuzzy", "threshold": 30}]},
]


@pytest.mark.parametrize("base", BASES, ids=lambda base: base["type"])
def test_hits_are_the_base_s_sorted_by_the_model_s_scores(chunked: RagPath, base: dict[str, Any]) -> None:
    found = chunked.by("bake bread", base, limit=200).items
    scores = MockReranker().scores("bake bread", [item.page_content for item in found])
    order = sorted(range(len(found)), key=lambda at: (-scores[at], at))
    reranked = chunked.by("bake bread", rerank(base, top_n=3)).items
    assert [item.page_content for item in reranked] == [found[at].page_content for at in order][:3]
    assert [item.score for item in reranked] == [scores[at] for at in order][:3]
    assert [item.metadata["base_score"] for item in reranked] == [found[at].score for at in order][:3]


def test_a_base_of_vectors_is_reranked(chunked: RagPath) -> None:
    chunk_set = chunked.chunk(chunked.texts(*TEXTS))
    build = chunked.build(chunked.index(), chunk_set)
    where = {"target": "index_build", "target_id": build.build_id}
    reranked = chunked.by("bread bake", rerank({"type": "vector", "k": 5}, top_n=2), **where)
    assert [item.page_content for item in reranked.items] == ["bake bread at home", "bake a cake, then bread"]
    assert reranked.total == 2


def test_a_filter_holds_for_the_base(path: RagPath) -> None:
    path.chunk(path.texts(*TEXTS))
    whole = path.by("bread", rerank({"type": "bm25"})).items
    for one in whole:
        found = path.by("bread", rerank({"type": "bm25"}), filter={"item_id": one.metadata["item_id"]})
        assert [item.page_content for item in found.items] == [one.page_content]
    assert len(whole) == 3


def test_a_base_without_a_k_is_read_so_far(path: RagPath, endpoint: RerankServer) -> None:
    path.chunk(path.texts(*[f"bread {number}" for number in range(MOST_UNBOUNDED_CANDIDATES + 20)]))
    found = path.by("bread", rerank({"type": "regex"}, model_name="remote", top_n=500), limit=200)
    assert found.total == MOST_UNBOUNDED_CANDIDATES
    assert sum(len(request["documents"]) for request in endpoint.requests) == MOST_UNBOUNDED_CANDIDATES


def test_a_model_of_the_folder_goes_before_the_endpoint(chunked: RagPath, endpoint: RerankServer) -> None:
    found = chunked.by("bake bread", rerank({"type": "bm25"}, model_name="tiny", top_n=1))
    assert found.items[0].page_content == "bake bread at home"
    assert 0.8 < found.items[0].score < 0.9  # the logistic function of 2, the words they share
    assert endpoint.requests == []


def test_a_device_that_is_not_there_is_refused_before_the_base_is_searched(chunked: RagPath) -> None:
    with pytest.raises(MissingDependency) as caught:
        chunked.by("bake bread", rerank({"type": "bm25"}, model_name="tiny", device="cuda"))
    assert caught.value.detail == {"field": "strategy.device", "device": "cuda"}


def test_the_endpoint_s_scores_are_the_hits_scores(chunked: RagPath, endpoint: RerankServer) -> None:
    found = chunked.by("bake bread", rerank({"type": "bm25"}, model_name="BAAI/bge-reranker-base"))
    assert endpoint.requests[0]["model"] == "BAAI/bge-reranker-base"
    texts = [item.page_content for item in found.items]
    assert [item.score for item in found.items] == MockReranker().scores("bake bread", texts)


def test_what_was_answered_once_is_not_asked_again(chunked: RagPath, endpoint: RerankServer) -> None:
    for _ in range(2):
        chunked.by("bake bread", rerank({"type": "bm25"}, model_name="remote"))
    assert len(endpoint.requests) == 1


def test_a_slow_model_reads_no_further_than_the_caller_waits(chunked: RagPath) -> None:
    asked = read_request({"query": "bake bread", "strategy": rerank({"type": "bm25"}, model_name="tiny")})
    still_there = iter([True, True, True, True, False])
    patience = Patience(is_wanted=lambda: next(still_there))
    with pytest.raises(DeadlineExceeded, match="Reranking 3 passages, of which the model read 2,") as caught:
        chunked.use_cases.retrieving.retrieve(chunked.caller, chunked.project.project_id, asked, patience)
    assert "its k" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(401, b"{}"), 424, "missing_dependency"),
        (Reply(404, b"{}"), 424, "missing_dependency"),
        (Reply(400, b'{"message": "no"}'), 500, "reranking_failure"),
        (Reply(body=b"{}"), 500, "reranking_failure"),
    ],
)
def test_a_failing_endpoint_is_a_documented_failure(
    chunked: RagPath, endpoint: RerankServer, reply: Reply, status: int, code: str
) -> None:
    endpoint.script.append(reply)
    body = {"query": "bake bread", "strategy": rerank({"type": "bm25"}, model_name="remote")}
    url = f"/api/v1/projects/{chunked.project.project_id}/retrieve"
    answer = InProcess(chunked.use_cases).send(
        "POST", url, {"content-type": "application/json"}, json.dumps(body).encode()
    )
    assert (answer.status, json.loads(answer.body)["detail"]["code"]) == (status, code)
