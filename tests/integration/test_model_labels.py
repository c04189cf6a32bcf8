"""Names by language models over a real PostgreSQL, asked of a real HTTP server that answers well and badly."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contract.golden_files import GoldenCase, all_cases
from contract.player import Player, http_sender
from shoald.application.jobs import Jobs
from shoald.domain.failures import InvalidFields
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from shoald.transport.servicers.registration import add_servicers
from support.cluster_world import ClusterWorld, cluster_world
from support.edge_stack import running_edge
from support.fakes.language_models import Asked, ModelServer, Said, good_answer, model_server
from support.labelled_runs import SIZES, SUBJECTS, labels, run, store
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration
CASES = {case.name: case for case in all_cases() if case.only == "model"}


@pytest.fixture(scope="module")
def only_server() -> Iterator[ModelServer]:
    with model_server() as made:
        yield made


@pytest.fixture(scope="module")
def world(
    database_maker: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory, only_server: ModelServer
) -> Iterator[ClusterWorld]:
    """One world for all tests: each asks a model of its own name, so that none finds the answers of another."""
    url = database_maker.make()
    settings: dict[str, Any] = {
        "label_openai_base_url": f"{only_server.url}/v1",
        "google_base_url": only_server.url,
        "google_api_key": "g-key",
        "embedding_threads": 1,
    }
    with cluster_world(url, tmp_path_factory.mktemp("labels"), **settings) as made:
        store(made)
        yield made
    database_maker.drop(url)


@pytest.fixture
def server(only_server: ModelServer) -> ModelServer:
    """The server, as if nobody had asked it yet."""
    only_server.script.clear()
    only_server.asked.clear()
    only_server.answer = lambda asked: Said(text=good_answer(asked))
    return only_server


def test_a_model_names_each_group_from_its_own_documents(world: ClusterWorld, server: ModelServer) -> None:
    found, job = run(world)
    assert job.state is JobState.COMPLETED
    assert labels(found) == {"About files", "About dates", "About opening", "About charts", "About lists"}
    assert found.effective["llm_labeling_errors"] == []
    assert {row["confidence"] for row in found.groups} == {0.9}
    assert len(server.asked) == len(SIZES)
    for asked in server.asked:
        assert len(set(asked.documents)) == 1, "one group's documents alone are in its question"


def test_what_is_not_wanted_of_a_name_is_not_there_though_a_model_says_it(
    world: ClusterWorld, server: ModelServer
) -> None:
    found, _ = run(world, include_summary=False, include_keywords=False)
    assert json.loads(server.transcript[-1]["answer"])["choices"][0]["message"]["content"].count("They speak of") == 1
    assert [(row["summary"], row["keywords"]) for row in found.groups] == [(None, [])] * len(SIZES)
    found, _ = run(world)
    assert all(row["summary"].startswith("They speak of") and row["keywords"] for row in found.groups)


def test_the_same_groups_cost_nothing_the_second_time(world: ClusterWorld, server: ModelServer) -> None:
    first, _ = run(world, parameters={"model": "same"})
    calls = len(server.asked)
    second, job = run(world, parameters={"model": "same"})
    assert len(server.asked) == calls
    assert job.state is JobState.COMPLETED
    assert labels(second) == labels(first)
    assert second.effective["labels"]["spent"]["calls"] == 0
    assert second.effective["labels"]["cached"] == len(SIZES)


def test_a_bad_answer_loses_neither_the_run_nor_the_other_names(world: ClusterWorld, server: ModelServer) -> None:

    def answer(asked: Asked) -> Said:
        return Said(text="I would rather not") if "dates" in asked.documents[0] else Said(text=good_answer(asked))

    server.answer = answer
    found, job = run(world)
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    assert found.status == "completed"
    (error,) = found.effective["llm_labeling_errors"]
    kept = next(row for row in found.groups if row["num_members"] == 25)
    assert error.startswith(f"{kept['cluster_id']}: not named by the model, since the answer was no JSON")
    assert kept["label"], "it has the name of its terms"
    assert sum(row["label"].startswith("About ") for row in found.groups) == 4


def test_without_a_key_groups_have_the_names_of_their_terms(world: ClusterWorld) -> None:
    found, job = run(world, provider="anthropic", parameters={})
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    (error,) = found.effective["llm_labeling_errors"]
    assert "no key for the provider anthropic is set: SHOAL_ANTHROPIC_API_KEY" in error
    assert all(row["cluster_id"] in error for row in found.groups)
    assert all(row["label"] for row in found.groups)


def test_a_refused_key_is_asked_with_once(world: ClusterWorld, server: ModelServer) -> None:
    server.answer = lambda _: Said(status=401, body=b'{"error": {"message": "Incorrect API key provided: sk-secret"}}')
    found, job = run(world)
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    assert len(server.asked) <= 8, "those under way at that moment, and no more"
    assert "sk-secret" not in json.dumps(found.effective)
    assert "refused the key (401)" in found.effective["llm_labeling_errors"][0]


def again(world: ClusterWorld, run: ClusterRun, *groups: str, **more: Any) -> tuple[ClusterRun, Job]:
    """Name groups of a run again, as its definition says unless `more` changes it."""
    defined = run.effective["request"]["definition"]["llm_labeling"]
    asked = {**defined, **more} if more else None
    start = world.use_cases.run_labels.start
    job = world.run(start(world.caller, run.cluster_id, run.run_id, groups=groups, labeling=asked))
    assert job.state in {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}, job.error_message
    return world.use_cases.artifacts.run(world.caller, run.cluster_id), job


def test_groups_are_named_again_without_being_grouped_again(world: ClusterWorld, server: ModelServer) -> None:
    server.answer = lambda _: Said(text="no")
    bad, _ = run(world)
    assert len(bad.effective["labels"]["unnamed"]) == len(SIZES)
    server.answer = lambda asked: Said(text=good_answer(asked))
    largest = next(row for row in bad.groups if row["num_members"] == 30)["cluster_id"]
    some, job = again(world, bad, largest)
    assert job.state is JobState.COMPLETED
    assert [row["label"] for row in some.groups if row["label"].startswith("About ")] == ["About files"]
    assert len(some.effective["labels"]["unnamed"]) == len(SIZES) - 1
    every, job = again(world, some)
    assert job.state is JobState.COMPLETED
    assert all(row["label"].startswith("About ") for row in every.groups)
    assert every.effective["llm_labeling_errors"] == []
    without = [{**row, "label": "", "summary": "", "keywords": "", "confidence": 0} for row in bad.centroids]
    same = [{**row, "label": "", "summary": "", "keywords": "", "confidence": 0} for row in every.centroids]
    assert same == without, "nothing but names has changed"


def said_beside(batches: Sequence[Mapping[str, Any]]) -> set[tuple[float | None, str | None]]:
    """Return what a model said of groups beside their names, as the rows of a file of groups have it."""
    rows = [row for one in batches for row in zip(one["confidence"], one["metadata"], one["keywords"], strict=True)]
    return {(confidence, fields) for confidence, fields, keywords in rows if keywords is not None}


def test_new_names_are_in_the_artifacts_and_the_output(world: ClusterWorld, server: ModelServer) -> None:
    found, _ = run(world)
    stored = found.artifacts["centroids"]
    with world.adapters.objects.local_copy(stored["key"], stored["sha256"]) as path:
        assert said_beside(list(world.adapters.run_tables.read(path))) == {(0.9, None)}
    said = {"keywords": ["new"], "confidence": 0.75, "mood": "calm"}
    server.answer = lambda asked: Said(text=json.dumps({"label": f"New {asked.documents[0]}", **said}))
    shape = {"label": "string", "keywords": ["string"], "confidence": "number", "mood": "calm | wild"}
    named, _ = again(world, found, cache_ttl_seconds=0, response_shape=shape)
    assert labels(named) == {f"New {one}" for one in SUBJECTS}
    rows = [row for batch in world.use_cases.artifacts.documents(named) for row in batch["cluster_label"]]
    assert set(rows) == labels(named)
    for name in ("centroids", "cluster_documents"):
        stored = named.artifacts[name]
        with world.adapters.objects.local_copy(stored["key"], stored["sha256"]) as path:
            batches = list(world.adapters.run_tables.read(path))
        words = {tuple(one) for batch in batches for one in batch["keywords"] if one is not None}
        assert words == {("new",)}
        assert said_beside(batches) == {(0.75, '{"mood": "calm"}')}
    with world.adapters.open_unit_of_work() as uow:
        (output,) = uow.output_collections.of_clusters([found.cluster_id])[found.cluster_id]
        ids = [f"centroid:{row['cluster_id']}" for row in named.centroids]
        payloads = uow.collections.payloads(output.collection_id, ids)
    assert {payload["cluster_label"] for payload in payloads.values()} == labels(named)
    assert all(payload["keywords"] == ["new"] for payload in payloads.values())


def test_no_model_is_sure_of_a_name_that_somebody_gave(world: ClusterWorld, server: ModelServer) -> None:  # noqa: ARG001 - it answers
    found, _ = run(world)
    given, *others = [row["cluster_id"] for row in found.groups]
    world.use_cases.run_marks.relabel(world.caller, found.cluster_id, found.run_id, {given: "Theirs"})
    renamed = world.use_cases.artifacts.run(world.caller, found.cluster_id)
    shown = {row["cluster_id"]: (row["label"], row.get("confidence")) for row in renamed.groups}
    assert shown.pop(given) == ("Theirs", None)
    assert {confidence for _, confidence in shown.values()} == {0.9}
    link = world.use_cases.artifacts.export(renamed)
    opened = world.use_cases.artifacts.open_file(link.url.rpartition("/")[2])
    table = pq.read_table(io.BytesIO(b"".join(opened.parts)), columns=["cluster_id", "is_centroid", "confidence"])
    rows = {row["cluster_id"]: row["confidence"] for row in table.to_pylist() if row["is_centroid"]}
    assert rows == {given: None, **dict.fromkeys(others, 0.9)}


def test_a_group_that_is_asked_for_again_in_vain_keeps_the_name_it_has(
    world: ClusterWorld, server: ModelServer
) -> None:
    found, _ = run(world)
    server.answer = lambda _: Said(status=500, body=b"{}")
    kept, job = again(world, found, cache_ttl_seconds=0)
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    assert labels(kept) == labels(found)
    assert all("confidence" in row for row in kept.groups)


def test_what_a_model_was_shown_and_said_can_be_looked_at(world: ClusterWorld, server: ModelServer) -> None:
    server.script.append(Said(text="well, let me think"))
    found, _ = run(world, groups=5)
    marks = world.use_cases.run_labels
    audits = [marks.audit(world.caller, found.cluster_id, found.run_id, row["cluster_id"])[1] for row in found.groups]
    assert {one.label for one in audits} == labels(found)
    tried = sorted(len(one.questions[0]["attempts"]) for one in audits)
    assert tried == [1, 1, 1, 1, 2]
    (twice,) = [one for one in audits if len(one.questions[0]["attempts"]) == 2]
    outcomes = [one["outcome"] for one in twice.questions[0]["attempts"]]
    assert outcomes == ["bad_answer", "answered"]
    assert twice.questions[0]["attempts"][0]["answer"] == "well, let me think"
    for audit, row in zip(audits, found.groups, strict=True):
        shown = json.dumps(audit.questions[0]["parts"])
        assert row["label"].removeprefix("About ") in shown
        assert audit.tokens["input_tokens"] > 0


def test_signs_that_a_database_cannot_hold_lose_nothing(world: ClusterWorld, server: ModelServer) -> None:
    server.answer = lambda asked: Said(text=f"\0 {good_answer(asked)} \ud800")
    model = {"model": "signs"}
    found, job = run(world, parameters=model)
    assert job.state is JobState.COMPLETED
    assert all(row["label"].startswith("About ") for row in found.groups)
    calls = len(server.asked)
    second, _ = run(world, parameters=model)
    assert (len(server.asked), labels(second)) == (calls, labels(found)), "and what was said is known again"


def test_a_shape_that_is_no_schema_is_refused_before_anything_runs(world: ClusterWorld) -> None:
    with pytest.raises(InvalidFields) as refused:
        run(world, response_shape={"properties": ["label"]})
    (problem,) = refused.value.problems
    assert problem.loc == ("body", "llm_labeling", "response_shape")


def test_what_was_spent_stays_in_a_run_that_nobody_can_be_asked_about_again(
    world: ClusterWorld, server: ModelServer
) -> None:
    found, _ = run(world)
    spent = found.effective["labels"]["spent"]
    assert spent["calls"] == len(server.asked) == len(SIZES)
    kept, job = again(world, found, provider="anthropic", parameters={})
    assert job.state is JobState.COMPLETED_WITH_ERRORS
    assert kept.effective["labels"]["spent"] == spent


def test_two_labellings_beside_each_other_lose_no_name(world: ClusterWorld, server: ModelServer) -> None:
    """While the first waits for its answer, the second names another group and publishes."""
    found, _ = run(world)
    by_size = {row["num_members"]: row["cluster_id"] for row in found.groups}
    first, second = by_size[SIZES[0]], by_size[SIZES[1]]

    def answer(asked: Asked) -> Said:
        if asked.documents[0] == SUBJECTS[0]:
            again(world, found, second, cache_ttl_seconds=0)
        return Said(text=json.dumps({"label": f"New {asked.documents[0]}"}))

    server.answer = answer
    named, _ = again(world, found, first, cache_ttl_seconds=0)
    assert {f"New {one}" for one in SUBJECTS[:2]} < labels(named)
    rows = [row for batch in world.use_cases.artifacts.documents(named) for row in batch["cluster_label"]]
    assert set(rows) == labels(named)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_answers_about_models_are_as_documented(
    world: ClusterWorld, case: GoldenCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "dispatch", lambda jobs, job: jobs.runner.run(job.job_id, dispatch=True))
    with running_edge(tmp_path, add_servicers(world.use_cases), access=world.use_cases.access) as edge:
        Player(http_sender(edge.url), None).play(case)
