"""What every reranker promises."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shoald.adapters.rerankers.configured import ConfiguredRerankers
from shoald.adapters.rerankers.endpoint import WIRES, RerankEndpoint
from shoald.application.ports.reranker import Reranker
from support.fakes.rerank_server import rerank_server
from support.tiny_cross_encoder import write_tiny_model

_PASSAGES = ["Bake bread at home", "Stars in space", "", "漢字 ünïcödé 🙂", "bread " * 900, "How to bake bread"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_tiny_model(root / "some" / "tiny")
    return root


@pytest.fixture(params=["mock", "local", *WIRES])
def reranker(request: pytest.FixtureRequest, folder: Path) -> Iterator[Reranker]:
    if request.param in {"mock", "local"}:
        name = "mock-1" if request.param == "mock" else "some/tiny"
        yield ConfiguredRerankers(folder=folder, endpoint=None).get(name, "cpu")
        return
    with rerank_server() as server:
        endpoint = RerankEndpoint(base_url=server.base_url, kind=request.param)
        with closing(ConfiguredRerankers(folder=None, endpoint=endpoint)) as rerankers:
            yield rerankers.get("some/tiny", "cpu")


def test_each_passage_has_a_finite_score_in_its_place(reranker: Reranker) -> None:
    scores = reranker.scores("bake bread", _PASSAGES)
    assert len(scores) == len(_PASSAGES)
    assert all(map(math.isfinite, scores))


def test_a_passage_that_answers_is_above_one_that_does_not(reranker: Reranker) -> None:
    bread, stars = reranker.scores("bake bread", ["Bake bread at home", "Stars in space"])
    assert bread > stars
    assert reranker.scores("bake bread", ["Stars in space", "Bake bread at home"]) == [stars, bread]


def test_a_pair_has_one_score_whatever_stands_beside_it(reranker: Reranker) -> None:
    together = reranker.scores("bake bread", _PASSAGES * 2)
    assert together[: len(_PASSAGES)] == together[len(_PASSAGES) :]
    assert reranker.scores("bake bread", [_PASSAGES[1]]) == [together[1]]


def test_nothing_to_score_gives_nothing(reranker: Reranker) -> None:
    assert reranker.scores("bake bread", []) == []


def test_an_empty_query_is_scored_too(reranker: Reranker) -> None:
    assert len(reranker.scores("", ["bread", ""])) == 2


def test_who_checks_can_end_the_work(reranker: Reranker) -> None:
    read: list[int] = []

    def check(done: int) -> None:
        read.append(done)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        reranker.scores("bake bread", _PASSAGES, check)
    assert read == [0]
