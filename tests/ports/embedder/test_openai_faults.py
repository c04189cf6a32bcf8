"""The OpenAI-compatible embedder before endpoints that limit, fail, stall and answer nonsense."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.domain.failures import EmbeddingFailed, Failure, JobCanceled, MissingDependency, Unavailable
from support.fakes.openai_server import OpenAIServer, Reply, good_answer, openai_server


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        yield running


@pytest.fixture
def embedder(server: OpenAIServer) -> Iterator[OpenAIEmbedder]:
    with closing(_embedder(server, timeout_seconds=20)) as made:
        yield made


@pytest.fixture
def hasty(server: OpenAIServer) -> Iterator[OpenAIEmbedder]:
    with closing(_embedder(server, timeout_seconds=0.3)) as made:
        yield made


def _embedder(server: OpenAIServer, *, timeout_seconds: float) -> OpenAIEmbedder:
    endpoint = OpenAIEndpoint(
        base_url=server.base_url,
        api_key="a-key",
        timeout_seconds=timeout_seconds,
        first_wait=0.01,
        longest_wait=0.05,
        longest_patient_wait=0.3,
    )
    return OpenAIEmbedder(endpoint, "some-model")


def test_texts_keep_their_order_and_the_request_is_what_endpoints_know(
    server: OpenAIServer, embedder: OpenAIEmbedder
) -> None:
    texts = [f"text {number}" for number in range(600)]
    np.testing.assert_allclose(embedder.embed_passages(texts), MockEmbedder().embed_passages(texts), atol=1e-6)
    assert [len(request["input"]) for request in server.requests] == [256, 256, 88]
    assert server.requests[0]["model"] == "some-model"
    assert server.keys[0] == "Bearer a-key"


def test_long_texts_go_in_more_requests(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    embedder.embed_passages(["a " * 45_000] * 5)
    assert [len(request["input"]) for request in server.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    ("model", "is_prefixed"),
    [
        ("intfloat/multilingual-e5-large", True),
        ("e5-small-v2", True),
        ("intfloat/multilingual-e5-large-instruct", False),
        ("intfloat/e5-mistral-7b-instruct", False),
        ("nomic-embed-text", False),
        ("some-e55", False),
    ],
)
def test_e5_models_are_told_what_a_text_is(server: OpenAIServer, model: str, *, is_prefixed: bool) -> None:
    with closing(OpenAIEmbedder(OpenAIEndpoint(base_url=server.base_url, api_key="k"), model)) as embedder:
        embedder.embed_passages(["cats"])
        embedder.embed_query("cats")
        assert embedder.info.version.endswith("-prefixed") == is_prefixed
    assert [request["input"] for request in server.requests] == (
        [["passage: cats"], ["query: cats"]] if is_prefixed else [["cats"], ["cats"]]
    )


def test_an_empty_text_is_sent_as_a_blank(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    embedder.embed_query("")
    assert server.requests[0]["input"] == [" "]


@pytest.mark.parametrize("reply", [Reply(429), Reply(500), Reply(503)])
def test_what_may_pass_is_tried_again(server: OpenAIServer, embedder: OpenAIEmbedder, reply: Reply) -> None:
    server.script.extend([reply, reply])
    assert embedder.embed_query("text").shape == (256,)
    assert len(server.requests) == 3


def test_the_wait_that_the_endpoint_asks_for_is_kept_up_to_our_limit(
    server: OpenAIServer, embedder: OpenAIEmbedder
) -> None:
    server.script.append(Reply(429, headers={"Retry-After": "3600"}))
    started = time.monotonic()
    embedder.embed_query("text")
    assert 0.05 <= time.monotonic() - started < 60


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0.2"},
        {"Retry-After-Ms": "200"},
        {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},  # up to our limit
    ],
)
def test_passages_wait_longer_and_as_asked(
    server: OpenAIServer, embedder: OpenAIEmbedder, headers: dict[str, str]
) -> None:
    server.script.append(Reply(429, headers=headers))
    started = time.monotonic()
    assert len(embedder.embed_passages(["text"])) == 1
    assert time.monotonic() - started >= 0.2
    assert len(server.requests) == 2


def test_passages_are_tried_oftener_and_a_wait_may_be_ended(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    server.script.extend([Reply(503, headers={"Retry-After": "0"})] * 6)
    assert len(embedder.embed_passages(["text"])) == 1
    assert len(server.requests) == 7
    server.script.append(Reply(429, headers={"Retry-After": "60"}))

    def stop(_done: int) -> None:
        raise JobCanceled

    with pytest.raises(JobCanceled):
        embedder.embed_passages(["text"], progress=stop)
    assert len(server.requests) == 8


def test_a_limit_that_is_announced_is_not_run_into(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms"}
    server.script.append(Reply(headers=spent))
    embedder.embed_passages(["text"])
    started = time.monotonic()
    embedder.embed_passages(["text"])
    assert 0.15 <= time.monotonic() - started < 20
    few = {"x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "200ms"}
    server.script.append(Reply(headers=few))
    embedder.embed_passages(["text"])
    started = time.monotonic()
    embedder.embed_passages(["short"])  # fits into what is left
    short = time.monotonic() - started
    server.script.append(Reply(headers=few))
    embedder.embed_passages(["text"])
    started = time.monotonic()
    embedder.embed_passages(["long " * 100])
    assert time.monotonic() - started >= 0.15 > short - 1


def test_what_the_endpoint_asks_for_is_told_when_we_give_up(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    server.script.extend([Reply(429, headers={"Retry-After": "7"})] * 4)
    with pytest.raises(Unavailable) as caught:
        embedder.embed_query("text")
    assert caught.value.retry_after_seconds == 7


@pytest.mark.parametrize("reply", [Reply(429), Reply(500)])
def test_what_does_not_pass_is_unavailable_after_four_tries(
    server: OpenAIServer, embedder: OpenAIEmbedder, reply: Reply
) -> None:
    server.script.extend([reply] * 10)
    with pytest.raises(Unavailable):
        embedder.embed_query("text")
    assert len(server.requests) == 4


def test_a_late_answer_is_asked_for_again_and_then_given_up(server: OpenAIServer, hasty: OpenAIEmbedder) -> None:
    server.script.extend([Reply(delay_seconds=0.6)] * 4)
    with pytest.raises(Unavailable):
        hasty.embed_query("text")
    assert len(server.requests) == 4


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    nobody = OpenAIEndpoint(base_url="http://127.0.0.1:1/v1", api_key="k", first_wait=0.01)
    with closing(OpenAIEmbedder(nobody, "m")) as alone, pytest.raises(Unavailable):
        alone.embed_query("text")


def test_a_missing_key_names_the_setting_and_asks_nobody(server: OpenAIServer) -> None:
    with pytest.raises(MissingDependency, match="SHOAL_OPENAI_API_KEY"):
        OpenAIEmbedder(OpenAIEndpoint(base_url=server.base_url), "m").embed_query("text")
    assert server.requests == []


def test_a_refused_key_names_the_setting_and_not_the_key(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    server.script.append(Reply(401, b'{"error": {"message": "Incorrect API key provided: a-key"}}'))
    with pytest.raises(MissingDependency, match="SHOAL_OPENAI_API_KEY") as caught:
        embedder.embed_query("text")
    assert "a-key" not in str(caught.value)
    assert len(server.requests) == 1


def test_a_refused_request_says_why_and_is_not_repeated(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    server.script.append(Reply(400, b'{"error": {"message": "maximum context length is 8192 tokens"}}'))
    with pytest.raises(EmbeddingFailed, match="maximum context length"):
        embedder.embed_query("text")
    assert len(server.requests) == 1


def _answer(*rows: object) -> bytes:
    data = [{"object": "embedding", "index": number, "embedding": row} for number, row in enumerate(rows)]
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": {}}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b"{",
        b"{}",
        b"[]",
        b'{"data": null}',
        b'{"data": [{"index": 0}, {"index": 1}]}',
        b'{"data": ["a", "b"]}',
        _answer(),
        _answer([1.0, 0.0]),
        _answer([1.0, 0.0], [1.0]),
        _answer([1.0, 0.0], [0.0, 0.0]),
        _answer([1.0, 0.0], ["a", "b"]),
        _answer([], []),
        _answer([1.0, 0.0], [1.0, 0.0], [1.0, 0.0]),
        _answer([1.0, 0.0], [1.0, float("nan")]),
        good_answer(["a", "b"])[:-20],
    ],
)
def test_an_answer_without_usable_vectors_is_a_failure_with_a_name(
    server: OpenAIServer, embedder: OpenAIEmbedder, body: bytes
) -> None:
    server.script.append(Reply(body=body))
    with pytest.raises(EmbeddingFailed):
        embedder.embed_passages(["a", "b"])


def test_a_model_that_changes_its_dimension_is_refused(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    embedder.embed_query("a")
    server.script.append(Reply(body=_answer([1.0, 0.0])))
    with pytest.raises(EmbeddingFailed, match="2 dimensions, before it was 256"):
        embedder.embed_query("b")


def test_models_of_the_same_name_at_two_addresses_have_two_versions(server: OpenAIServer) -> None:
    endpoints = (OpenAIEndpoint(base_url=server.base_url + end, api_key="k") for end in ("", "/"))
    with closing(OpenAIEmbedder(next(endpoints), "m")) as one, closing(OpenAIEmbedder(next(endpoints), "m")) as two:
        here = one.info
        assert here == two.info
    assert (here.name, here.dimension) == ("openai.m", 256)
    assert here.version != "1"


def test_no_failure_is_unforeseen(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    for status in (301, 302, 400, 404, 409, 413, 418, 422):
        server.script.append(Reply(status, b"no json"))
        with pytest.raises(Failure):
            embedder.embed_query("text")
