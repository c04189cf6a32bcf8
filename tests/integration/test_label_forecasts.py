"""What names will cost, said before a model is asked, beside what its server then counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoald.application.collection_documents import Import
from shoald.application.label_forecasts import LabelForecast
from shoald.domain.failures import ArtifactNotFound, InvalidFields, MissingDependency
from shoald.domain.labelling.token_counts import count_tokens
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.vocabulary import JobState
from shoald.transport.mapping.clusters.executions import listed_message
from support.cluster_world import ClusterWorld, cluster_world, groups_of
from support.fakes.language_models import Asked, ModelServer, Said, enveloped, good_answer, model_server

pytestmark = pytest.mark.integration

SIZES = (30, 20, 10, 6)
MODEL = "gpt-4o-mini-2024-07-18"
SAID = json.dumps({"summary": "These documents are about one thing and about nothing else at all. " * 2})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as made:
        made.answer = counted
        yield made


def counted(asked: Asked) -> Said:
    """Answer at some length, and count tokens a tenth more than we do, as another vocabulary would."""
    answer = json.dumps({**json.loads(SAID), **json.loads(good_answer(asked))})
    body = enveloped(asked, answer)
    words = json.dumps(asked.body, ensure_ascii=False)
    body["usage"] = {
        "prompt_tokens": int(1.1 * count_tokens(words, MODEL)),
        "completion_tokens": int(1.1 * count_tokens(answer, MODEL)),
    }
    return Said(body=json.dumps(body).encode())


@pytest.fixture
def world(postgres_database: str, data_dir: Path, server: ModelServer) -> Iterator[ClusterWorld]:
    with opened(postgres_database, data_dir, server) as made:
        yield made


def opened(database: str, data_dir: Path, server: ModelServer, **settings: Any) -> AbstractContextManager[ClusterWorld]:
    url = f"{server.url}/v1"
    prices = json.dumps({"gpt-4o-mini": {"input": 0.15, "output": 0.6}})
    return cluster_world(database, data_dir, label_openai_base_url=url, label_prices=prices, **settings)


def store(world: ClusterWorld, round_: int = 0) -> None:
    """Store groups of documents whose texts are new in each round."""
    subjects = ("reading files", "parsing dates", "opening sockets", "drawing charts")
    words = [subject for subject, size in zip(subjects, SIZES, strict=True) for _ in range(size)]
    batch = DocumentBatch(
        ids=[f"d{at:03d}" for at in range(len(words))],
        payloads=[
            {"title": f"{one} in round {round_}: " + f"{one} so on. " * (at % 9)} for at, one in enumerate(words)
        ],
        vectors=[VectorColumn(name="v", values=np.ascontiguousarray(groups_of(*SIZES), dtype=np.float32))],
    )
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])


def made(world: ClusterWorld, **labeling: Any) -> str:
    asked = {
        "collection_ids": ["things"],
        "vector_config": {
            "clustering_method": "kmeans",
            "algorithm_params": {"n_clusters": len(SIZES)},
            "stability": "none",
            "vis_n_components": 2,
        },
        "llm_labeling": {"enabled": True, "provider": "openai", "model_name": MODEL, **labeling},
    }
    return world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id


def run(world: ClusterWorld, cluster: str) -> ClusterRun:
    job = world.run(world.start(cluster))
    assert job.state in {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}, job.error_message
    return world.use_cases.artifacts.run(world.caller, cluster)


def forecast(world: ClusterWorld, cluster: str, **asked: Any) -> LabelForecast:
    return world.use_cases.label_forecasts.forecast(world.caller, cluster, **asked)


@pytest.mark.parametrize("rounds", [3, pytest.param(10, marks=pytest.mark.nightly)])
def test_runs_cost_what_was_said_and_the_same_again_nothing(
    world: ClusterWorld, server: ModelServer, rounds: int
) -> None:
    store(world)
    cluster = made(world)
    off, said = [], []
    for round_ in range(rounds):
        store(world, round_)
        found = run(world, cluster)
        report = found.effective["labels"]
        said.append((report["estimated"]["money"], report["spent"]["money"]))
        off.append(abs(said[-1][0] / said[-1][1] - 1))
        assert report["spent"]["calls"] == len(SIZES)
    assert max(off[1:]) < 0.1, said
    calls = len(server.asked)
    before = forecast(world, cluster)
    assert (before.cached, before.spend.calls, before.is_exact) == (len(SIZES), 0, True)
    again = run(world, cluster)
    assert len(server.asked) == calls
    assert again.effective["labels"]["spent"] == {
        "calls": 0, "input_tokens": 0, "output_tokens": 0, "money": 0.0, "currency": "USD"
    }  # fmt: skip
    cost = listed_message(again).labels_cost
    assert (cost.model, cost.spent.calls, cost.cached) == (MODEL, 0, len(SIZES))


def test_what_is_said_of_a_run_is_what_naming_it_costs(world: ClusterWorld, server: ModelServer) -> None:
    store(world)
    cluster = made(world, enabled=False)
    found = run(world, cluster)
    asked = {"enabled": True, "provider": "openai", "model_name": MODEL}
    said = forecast(world, cluster, run_id=found.run_id, labeling=asked)
    assert (said.groups, said.provider, said.model, said.is_exact) == (len(SIZES), "openai", MODEL, True)
    assert server.asked == [], "nobody was asked"
    world.run(world.use_cases.run_labels.start(world.caller, cluster, found.run_id, labeling=asked))
    cost = listed_message(world.use_cases.artifacts.run(world.caller, cluster)).labels_cost
    assert said.spend.calls == cost.spent.calls == len(SIZES)
    assert cost.estimated.input_tokens == pytest.approx(
        said.spend.input_tokens, rel=0.08
    )  # but for the fences, which are drawn anew
    assert abs(said.spend.input_tokens / cost.spent.input_tokens - 1) < 0.25, "the first run is not corrected"


def test_a_run_to_come_is_estimated_by_documents_of_its_collections(world: ClusterWorld) -> None:
    store(world)
    cluster = made(world)
    said = forecast(world, cluster)
    assert (said.run_id, said.groups, said.is_exact) == (None, len(SIZES), False)
    many = forecast(world, cluster, groups=1_000)
    assert (many.groups, many.spend.calls) == (1_000, 1_000)
    report = run(world, cluster).effective["labels"]
    assert abs(said.spend.input_tokens / report["estimated"]["input_tokens"] - 1) < 0.25, "sizes are not known yet"


def test_groups_beyond_the_budget_keep_their_names_the_smallest_first(
    postgres_database: str, data_dir: Path, server: ModelServer
) -> None:
    with opened(postgres_database, data_dir, server, label_calls_at_once=1) as world:
        store(world)
        cluster = made(world, parameters={"budget": {"calls": 2}})
        said = forecast(world, cluster)
        assert said.refusal == "the budget of the run, 2 calls, does not allow all of it"
        found = run(world, cluster)
    named = {row["num_members"] for row in found.groups if row["label"].startswith("About ")}
    assert named == {30, 20}
    assert found.effective["labels"]["spent"]["calls"] == 2
    assert found.effective["labels"]["refused"] == 2
    (error,) = found.effective["llm_labeling_errors"]
    assert "the budget of the run, 2 calls, allows no further call" in error
    assert all(row["label"] for row in found.groups)


def test_a_namespace_has_a_budget_of_its_own(postgres_database: str, data_dir: Path, server: ModelServer) -> None:
    with opened(postgres_database, data_dir, server, label_namespace_tokens=6_000) as world:
        store(world)
        cluster = made(world, cache_ttl_seconds=0)
        spent = [run(world, cluster).effective["labels"] for _ in range(3)]
    total = sum(one["spent"]["input_tokens"] + one["spent"]["output_tokens"] for one in spent)
    assert total <= 6_000
    assert spent[0]["refused"] == 0
    assert spent[-1]["spent"]["calls"] == 0
    assert spent[-1]["refused"] == len(SIZES)


@pytest.mark.parametrize(
    ("budget", "path"),
    [(5, ()), ({"call": 1}, ("call",)), ({"calls": -1}, ("calls",)), ({"tokens": 1.5}, ("tokens",))],
)
def test_a_budget_that_cannot_be_read_is_refused(world: ClusterWorld, budget: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFields) as failed:
        made(world, parameters={"budget": budget})
    assert failed.value.problems[0].loc == ("body", "llm_labeling", "parameters", "budget", *path)


def test_what_cannot_be_estimated_says_why(world: ClusterWorld) -> None:
    store(world)
    asked = {"collection_ids": ["things"], "vector_config": {"clustering_method": "hdbscan"}}
    cluster = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    with pytest.raises(InvalidFields, match="how many groups"):
        forecast(world, cluster, labeling={"enabled": True})
    with pytest.raises(InvalidFields, match="groups"):
        forecast(world, cluster, run_id="run_0000000000000000", groups=3)
    job = world.start(cluster)
    with pytest.raises(ArtifactNotFound):
        forecast(world, cluster, run_id=job.payload["run_id"])
    assert forecast(world, cluster, groups=3, labeling={"enabled": True, "provider": "anthropic"}).spend.calls == 3


@pytest.mark.parametrize("labeling", [None, {"enabled": False}, {"provider": "openai"}])
def test_where_no_model_would_be_asked_is_refused_as_naming_again_is(world: ClusterWorld, labeling: Any) -> None:
    store(world)
    cluster = made(world, enabled=False)
    found = run(world, cluster)
    refused = []
    for ask in (
        lambda: forecast(world, cluster, run_id=found.run_id, labeling=labeling),
        lambda: world.use_cases.run_labels.start(world.caller, cluster, found.run_id, labeling=labeling),
    ):
        with pytest.raises(InvalidFields) as failed:
            ask()
        refused.append(failed.value.problems[0])
    assert refused[0] == refused[1]
    assert refused[0].loc == ("body", "llm_labeling")


def test_without_a_model_by_name_one_must_be_configured(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir) as world:
        store(world)
        cluster = made(world)
        assert forecast(world, cluster).model == MODEL, "who is named needs no key to be estimated"
        with pytest.raises(MissingDependency, match="SHOAL_ANTHROPIC_API_KEY"):
            forecast(world, cluster, labeling={"enabled": True})
