"""Several requests to an endpoint at a time: what comes back is stored, whatever becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.application.embedding import EmbedTexts
from shoald.application.embedding_at_once import embedded_at_once
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import EmbeddingFailed, JobCanceled
from support.fakes.embeddings import EmbeddingsOnly
from support.fakes.openai_server import OpenAIServer, Reply, openai_server

_TEXTS = [f"text {number}" for number in range(8 * 256)]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        yield running


@contextmanager
def _embedder(server: OpenAIServer) -> Iterator[OpenAIEmbedder]:
    endpoint = OpenAIEndpoint(base_url=server.base_url, api_key="k", first_wait=0.01, requests_at_once=4)
    with closing(OpenAIEmbedder(endpoint, "m")) as made:
        assert made.info.at_once == 4  # asks once, for the dimension
        yield made


def test_requests_wait_for_the_endpoint_side_by_side(server: OpenAIServer) -> None:
    with _embedder(server) as embedder:
        server.script.extend([Reply(delay_seconds=0.5)] * 8)
        seen: list[int] = []
        memory = EmbeddingsOnly()
        embedded = EmbedTexts(open_unit_of_work=cast("OpenUnitOfWork", memory)).embed(
            embedder, _TEXTS, count=len(_TEXTS), progress=seen.append
        )
        assert server.most_at_once == 4
    np.testing.assert_allclose(embedded.vectors, MockEmbedder().embed_passages(_TEXTS), atol=1e-6)
    assert len(server.requests) == 1 + 8
    assert len(memory.committed) == len(_TEXTS)
    assert seen == sorted(seen)
    assert seen[-1] == len(_TEXTS)


def test_a_refusal_ends_the_work_and_what_came_before_is_stored(server: OpenAIServer) -> None:
    with _embedder(server) as embedder:
        server.script.extend([Reply(), Reply(), Reply(), Reply(400, b"{}", delay_seconds=1.0)])
        memory = EmbeddingsOnly()
        use_case = EmbedTexts(open_unit_of_work=cast("OpenUnitOfWork", memory))
        with pytest.raises(EmbeddingFailed):
            use_case.embed(embedder, _TEXTS, count=len(_TEXTS))
        assert len(memory.committed) >= 3 * 256
        asked = len(server.requests)
        embedded = use_case.embed(embedder, _TEXTS, count=len(_TEXTS))
        assert embedded.reused == len(memory.committed) - (len(_TEXTS) - embedded.reused)
        assert len(server.requests) - asked <= 5
    np.testing.assert_allclose(embedded.vectors, MockEmbedder().embed_passages(_TEXTS), atol=1e-6)


def test_work_that_is_canceled_ends_at_once_though_the_endpoint_takes_its_time(server: OpenAIServer) -> None:
    def stop(_done: int) -> None:
        if len(server.requests) > 1:
            raise JobCanceled

    with _embedder(server) as embedder:
        server.script.extend([Reply(delay_seconds=20.0)] * 4)
        started = time.monotonic()
        with pytest.raises(JobCanceled):
            EmbedTexts(open_unit_of_work=cast("OpenUnitOfWork", EmbeddingsOnly())).embed(
                embedder, _TEXTS, count=len(_TEXTS), progress=stop
            )
        assert time.monotonic() - started < 15


def test_what_is_under_way_when_another_fails_is_handed_out_too() -> None:
    class Failing(MockEmbedder):
        info = replace(MockEmbedder.info, at_once=8)

        def embed_passages(
            self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
        ) -> npt.NDArray[np.float32]:
            if texts[0] == "1":
                raise EmbeddingFailed
            time.sleep(0.2)
            return super().embed_passages(texts, progress=progress)

    out: list[str] = []
    batches = embedded_at_once(Failing(), [str(number) for number in range(8)], lambda batch: [batch], lambda: None)
    with pytest.raises(EmbeddingFailed):
        out.extend(batch for batch, _ in batches)
    assert sorted(out) == ["0", "2", "3", "4", "5", "6", "7"]
