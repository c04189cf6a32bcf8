"""Evaluations as jobs: measured as by hand, canceled, failed, deleted, kept apart, and read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from shoald.application.evaluating import EvaluatedStrategy, NewEvaluation, Question
from shoald.application.object_sweep import ObjectSweep
from shoald.application.waiting import Patience
from shoald.domain.failures import EvaluationNotFound, InvalidFields
from shoald.domain.records.evaluation import Evaluation
from shoald.domain.retrieval.evaluation import Resampling
from shoald.domain.retrieval.relevance import Expected
from shoald.domain.retrieval.strategy_reading import read_strategy
from shoald.domain.vocabulary import JobState
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration
WORDS = ("apple", "banana", "cherry", "dog", "elk", "fox")


def strategies(*given: dict[str, Any]) -> list[EvaluatedStrategy]:
    return [EvaluatedStrategy(strategy=read_strategy(one)) for one in given]


BM25 = {"type": "bm25", "k": 5}
RERANKED = {"type": "rerank", "base": BM25, "model_name": "mock", "top_n": 5}


def questions(count: int) -> list[Question]:
    rng = np.random.default_rng(count)
    drawn = (rng.choice(WORDS, size=2, replace=False) for _ in range(count))
    return [
        Question(query=f"{a} {b}", expected=[Expected(text=f"{a} {b}", grade=2), Expected(text=str(b))])
        for a, b in drawn
    ]


@pytest.fixture
def filled(path: RagPath) -> RagPath:
    path.chunk(path.texts(*[f"{a} {b}" for a in WORDS for b in WORDS]))
    return path


def evaluate(path: RagPath, asked: Sequence[Question], *given: dict[str, Any], **fields: Any) -> Evaluation:
    new = NewEvaluation(questions=asked, strategies=strategies(*given), depths=[1, 3], **fields)
    accepted = path.use_cases.evaluating.create(path.caller, path.project.project_id, new, Here())
    return accepted.evaluation


def test_means_are_those_of_asking_one_by_one(filled: RagPath) -> None:
    asked = questions(12)
    done = evaluate(filled, asked, BM25, RERANKED)
    assert done.status == "succeeded"
    for given, rows in zip((BM25, RERANKED), done.results["strategies"], strict=True):
        recalls = []
        for question in asked:
            texts = [item.page_content for item in filled.by(question.query, given).items[:3]]
            recalls.append(np.mean([any(str(one.text) in text for text in texts) for one in question.expected]))
        row = next(row for row in rows if (row["metric"], row["k"]) == ("recall", 3))
        assert row["mean"] == pytest.approx(np.mean(recalls))
        assert row["low"] <= row["mean"] <= row["high"]
    first, second = done.results["strategies"]
    for one, other in zip(first, second, strict=True):
        assert one["difference"] is None
        assert other["difference"][0] == pytest.approx(other["mean"] - one["mean"])


def test_the_same_strategy_twice_does_not_differ_from_itself(filled: RagPath) -> None:
    done = evaluate(filled, questions(5), BM25, BM25)
    assert [one["name"] for one in done.params["strategies"]] == ["bm25", "bm25 2"]
    assert all(row["difference"] == [0, 0, 0] for row in done.results["strategies"][1])


def test_intervals_are_repeatable(filled: RagPath) -> None:
    asked = questions(8)
    runs = [evaluate(filled, asked, BM25, resampling=Resampling(resamples=200, seed=seed)) for seed in (1, 1, 2)]
    one, again, other = (run.results["strategies"][0] for run in runs)
    assert one == again
    assert [row["mean"] for row in one] == [row["mean"] for row in other]


def test_questions_are_read_page_by_page(filled: RagPath) -> None:
    evaluating = filled.use_cases.evaluating
    done = evaluate(filled, questions(7), BM25)
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = evaluating.questions(filled.caller, done.evaluation_id, limit=3, offset=offset)
        seen += [question["query"] for question in page.questions]
        assert page.total == 7
        offset = page.next_offset
    assert seen == [question.query for question in questions(7)]
    assert evaluating.questions(filled.caller, done.evaluation_id, limit=0, offset=99).questions == []


def test_an_evaluation_that_is_canceled_or_deleted_leaves_nothing_half_done(filled: RagPath) -> None:
    use_cases = filled.use_cases
    new = NewEvaluation(questions=questions(20), strategies=strategies(BM25), is_async=True)
    accepted = use_cases.evaluating.create(filled.caller, filled.project.project_id, new, Patience())
    assert accepted.job_id is not None
    assert use_cases.jobs.cancel(filled.caller, accepted.job_id).state is JobState.CANCELED
    canceled = use_cases.evaluating.get(filled.caller, accepted.evaluation.evaluation_id)
    assert (canceled.status, canceled.results, canceled.artifact_uri) == ("failed", {}, None)
    assert canceled.error_message == "canceled: The job was canceled."

    deleted = use_cases.evaluating.create(filled.caller, filled.project.project_id, new, Patience())
    use_cases.evaluating.delete(filled.caller, deleted.evaluation.evaluation_id)
    use_cases.jobs.runner.run(str(deleted.job_id), dispatch=True)
    job = use_cases.jobs.get(filled.caller, str(deleted.job_id))
    assert (job.state, job.error_code) == (JobState.FAILED, "evaluation_not_found")


class Tomorrow:
    """A clock for which everything here is old."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=2)


def test_what_a_deleted_evaluation_wrote_is_swept_up(filled: RagPath) -> None:
    kept, gone = (evaluate(filled, questions(2), BM25) for _ in range(2))
    filled.use_cases.evaluating.delete(filled.caller, gone.evaluation_id)
    objects = filled.adapters.objects
    opens = filled.adapters.open_unit_of_work
    ObjectSweep(open_unit_of_work=opens, objects=objects, clock=Tomorrow()).run_pass()
    left = [one.key for one in objects.list("evaluations")]
    assert left == [objects.key_of(str(kept.artifact_uri))]


def test_one_of_another_namespace_is_not_found(filled: RagPath) -> None:
    done = evaluate(filled, questions(1), BM25)
    stranger = type(filled.caller)(namespace_id="ns_other")
    for call in (filled.use_cases.evaluating.get, filled.use_cases.evaluating.delete):
        with pytest.raises(EvaluationNotFound):
            call(stranger, done.evaluation_id)


def test_too_much_to_judge_is_refused(filled: RagPath) -> None:
    new = NewEvaluation(questions=questions(1) * 10_000, strategies=strategies(BM25, BM25), depths=[200])
    with pytest.raises(InvalidFields, match="multiply to more than 2,000,000 hits"):
        filled.use_cases.evaluating.create(filled.caller, filled.project.project_id, new, Patience())
    assert filled.use_cases.jobs.list(filled.caller, listed_only=True)[1] == 0


def test_an_expected_segment_is_found_by_its_chunks(path: RagPath) -> None:
    segments = path.texts("apple pie recipe and how to bake it well in an oven", "dogs")
    path.chunk(segments, chunk_size=20, chunk_overlap=0)
    with path.adapters.open_unit_of_work() as uow:
        item = uow.segment_sets.items_at(segments.segment_set_version_id, [0])[0]
    done = evaluate(path, [Question(query="oven", expected=[Expected(item_id=item.item_id)])], BM25)
    assert all(row["mean"] == 1 for row in done.results["strategies"][0])
