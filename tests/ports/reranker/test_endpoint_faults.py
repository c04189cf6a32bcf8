"""The `/rerank` endpoints that limit, fail, stall and answer nonsense."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from shoald.adapters.rerankers.configured import ConfiguredRerankers
from shoald.adapters.rerankers.endpoint import EndpointReranker, RerankEndpoint
from shoald.adapters.rerankers.mock import MockReranker
from shoald.domain.failures import Failure, MissingDependency, RerankingFailed, Unavailable
from support.fakes.rerank_server import Reply, RerankServer, rerank_server


@pytest.fixture
def server() -> Iterator[RerankServer]:
    with rerank_server() as running:
        yield running


@pytest.fixture
def reranker(server: RerankServer) -> Iterator[EndpointReranker]:
    with closing(_reranker(server, timeout_seconds=20)) as made:
        yield made


def _reranker(server: RerankServer, *, timeout_seconds: float, kind: str = "openai") -> EndpointReranker:
    endpoint = RerankEndpoint(
        base_url=server.base_url,
        kind=kind,
        api_key="a-key",
        timeout_seconds=timeout_seconds,
        first_wait=0.01,
        longest_wait=0.05,
    )
    return EndpointReranker(endpoint, "some-model")


def test_passages_keep_their_order_over_several_requests(server: RerankServer, reranker: EndpointReranker) -> None:
    passages = [f"text {number}" for number in range(250)]
    assert reranker.scores("text 7", passages) == MockReranker().scores("text 7", passages)
    assert [len(request["documents"]) for request in server.requests] == [100, 100, 50]
    assert server.keys[0] == "Bearer a-key"
    assert server.paths[0] == "/v1/rerank"


def test_long_passages_go_in_more_requests(server: RerankServer, reranker: EndpointReranker) -> None:
    reranker.scores("a", ["a " * 90_000] * 5)
    assert [len(request["documents"]) for request in server.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("openai", {"model": "some-model", "query": "q", "documents": ["a"], "top_n": 1, "return_documents": False}),
        ("cohere", {"model": "some-model", "query": "q", "documents": ["a"], "top_n": 1}),
        ("tei", {"query": "q", "texts": ["a"], "truncate": True, "return_text": False}),
    ],
)
def test_a_request_is_what_its_kind_of_endpoint_knows(
    server: RerankServer, kind: str, asked: dict[str, object]
) -> None:
    with closing(_reranker(server, timeout_seconds=20, kind=kind)) as made:
        made.scores("q", ["a"])
    assert server.requests == [asked]


def test_an_empty_text_is_sent_as_a_blank(server: RerankServer, reranker: EndpointReranker) -> None:
    reranker.scores("", [""])
    assert (server.requests[0]["query"], server.requests[0]["documents"]) == (" ", [" "])


@pytest.mark.parametrize("reply", [Reply(429), Reply(500), Reply(503), Reply(408)])
def test_what_may_pass_is_tried_again(server: RerankServer, reranker: EndpointReranker, reply: Reply) -> None:
    server.script.extend([reply, reply])
    assert reranker.scores("a", ["a"]) == [1.0]
    assert len(server.requests) == 3


def test_the_wait_that_the_endpoint_asks_for_is_kept_up_to_our_limit(
    server: RerankServer, reranker: EndpointReranker
) -> None:
    server.script.append(Reply(429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    reranker.scores("a", ["a"])
    assert 0.05 <= time.monotonic() - started < 60


@pytest.mark.parametrize("reply", [Reply(429), Reply(500)])
def test_what_does_not_pass_is_unavailable_after_four_tries(
    server: RerankServer, reranker: EndpointReranker, reply: Reply
) -> None:
    server.script.extend([reply] * 10)
    with pytest.raises(Unavailable):
        reranker.scores("a", ["a"])
    assert len(server.requests) == 4


def test_a_late_answer_is_asked_for_again_and_then_given_up(server: RerankServer) -> None:
    server.script.extend([Reply(delay_seconds=0.6)] * 4)
    with closing(_reranker(server, timeout_seconds=0.3)) as hasty, pytest.raises(Unavailable):
        hasty.scores("a", ["a"])
    assert len(server.requests) == 4


def test_patience_ends_before_the_tries_do(server: RerankServer) -> None:
    server.script.extend([Reply(503)] * 4)
    endpoint = RerankEndpoint(base_url=server.base_url, first_wait=0.2, patience_seconds=0.3)
    with closing(EndpointReranker(endpoint, "m")) as hurried, pytest.raises(Unavailable):
        hurried.scores("a", ["a"])
    assert len(server.requests) == 2


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    nobody = RerankEndpoint(base_url="http://127.0.0.1:1/v1", first_wait=0.01)
    with closing(EndpointReranker(nobody, "m")) as alone, pytest.raises(Unavailable):
        alone.scores("a", ["a"])


def test_a_refused_key_names_the_setting_and_not_the_key(server: RerankServer, reranker: EndpointReranker) -> None:
    server.script.append(Reply(401, b'{"message": "Incorrect API key provided: a-key"}'))
    with pytest.raises(MissingDependency, match="SHOAL_RERANKER_API_KEY") as caught:
        reranker.scores("a", ["a"])
    assert "a-key" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_model_that_the_endpoint_does_not_know_is_named(server: RerankServer, reranker: EndpointReranker) -> None:
    server.script.append(Reply(404, b'{"message": "model not found"}'))
    with pytest.raises(MissingDependency, match="some-model") as caught:
        reranker.scores("a", ["a"])
    assert caught.value.detail["setting"] == "SHOAL_RERANKER_URL"


def test_a_refused_request_says_why_and_is_not_repeated(server: RerankServer, reranker: EndpointReranker) -> None:
    server.script.append(Reply(400, b'{"message": "too many tokens: max 8192"}'))
    with pytest.raises(RerankingFailed, match="too many tokens"):
        reranker.scores("a", ["a"])
    assert len(server.requests) == 1


def _answer(*rows: object) -> bytes:
    return json.dumps({"results": rows}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b"{",
        b"{}",
        b"[]",
        b'{"results": null}',
        _answer(),
        _answer("a", "b"),
        _answer({"index": 0}, {"index": 1}),
        _answer({"index": 0, "relevance_score": 1}),
        _answer({"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}),
        _answer({"index": 0, "relevance_score": 1}, {"index": 2, "relevance_score": 1}),
        _answer({"index": 0, "relevance_score": 1}, {"index": 1, "relevance_score": "high"}),
        _answer({"index": 0, "relevance_score": 1}, {"index": 1, "relevance_score": float("nan")}),
        _answer({"index": 0, "relevance_score": 1}, {"index": 1, "relevance_score": float("inf")}),
        _answer(*[{"index": number, "relevance_score": 1} for number in (0, 1, 1)]),
    ],
)
def test_an_answer_without_usable_scores_is_a_failure_with_a_name(
    server: RerankServer, reranker: EndpointReranker, body: bytes
) -> None:
    server.script.append(Reply(body=body))
    with pytest.raises(RerankingFailed):
        reranker.scores("a", ["a", "b"])


def test_no_failure_is_unforeseen(server: RerankServer, reranker: EndpointReranker) -> None:
    for status in (301, 302, 400, 404, 405, 409, 413, 418, 422):
        server.script.append(Reply(status, b"no json"))
        with pytest.raises(Failure):
            reranker.scores("a", ["a"])


def test_many_names_do_not_keep_many_connections(server: RerankServer) -> None:
    with closing(ConfiguredRerankers(folder=None, endpoint=RerankEndpoint(base_url=server.base_url))) as rerankers:
        for number in range(40):
            assert rerankers.get(f"model-{number}", "cpu").scores("a", ["a"]) == [1.0]
        assert len(rerankers._remote) == 16
