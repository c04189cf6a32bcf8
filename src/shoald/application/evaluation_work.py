"""The job of an evaluation: asks each question of each strategy, judges the hits, and publishes the means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from shoald.application.access import Caller
from shoald.application.map_requests import read_map
from shoald.application.retrieval_requests import RetrievalRequest
from shoald.application.retrieving import RetrievedDocument, Retrieving
from shoald.application.waiting import Patience
from shoald.domain.failures import EvaluationNotFound, Failure
from shoald.domain.json_types import JsonObject
from shoald.domain.records.evaluation import Evaluation, Questions
from shoald.domain.retrieval.evaluation import Interval, MetricAt, Resampling, intervals, measured, metrics_at
from shoald.domain.retrieval.relevance import Expected, JudgedHit, Judgement, judge
from shoald.domain.retrieval.strategy_reading import read_strategy
from shoald.domain.vocabulary import JobState, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoald.application.ports.clock import Clock
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.domain.records.job import Job

# share of the progress when every question has been asked
_ASKED = 0.95
# items that are cut from another carry its id
_SOURCE = "source_segment_item_id"


@dataclass(frozen=True, slots=True)
class _Measured:
    """What came out: the metrics, their values as (questions, strategies, metrics), and where the detail lies."""

    metrics: Sequence[MetricAt]
    values: npt.NDArray[np.float64]
    artifact_uri: str


class EvaluationHandler:
    """`JobHandler` of evaluations."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        retrieving: Callable[[], Retrieving],
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._retrieving = retrieving

    def run(self, context: JobContext) -> None:
        """Evaluate what the payload names."""
        evaluation_id = context.job.payload["evaluation_id"]
        with self._open_unit_of_work() as uow:
            evaluation = uow.evaluations.get(evaluation_id, namespace_id=context.job.namespace_id)
            if evaluation is None:
                raise EvaluationNotFound(detail={"evaluation_id": evaluation_id})
            questions = uow.evaluations.questions(evaluation_id)
        self._publish(context, evaluation, self._measure(context, evaluation, questions))

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Show the evaluation as its job is."""
        has_failed = job.state in {JobState.FAILED, JobState.CANCELED}
        reason = f"{job.error_code or job.state.lower()}: {job.error_message or ''}".rstrip(": ")
        uow.evaluations.set_status(
            job.payload["evaluation_id"],
            RunStatus.FAILED if has_failed else RunStatus.RUNNING,
            error_message=reason if has_failed else None,
            at=self._clock.now(),
        )

    def _measure(self, context: JobContext, evaluation: Evaluation, questions: Questions) -> _Measured:
        """Ask and judge; the detail goes into its object as it comes, so that memory does not grow with it."""
        metrics = metrics_at(evaluation.params["k"])
        asks = list(self._asks(context, evaluation))
        values = np.empty((len(questions), len(asks), len(metrics)), np.float64)
        with self._objects.open_writer() as writer:
            for at, question in enumerate(questions):
                context.progress("evaluate", _ASKED * at / len(questions), f"{at} of {len(questions)} questions")
                answers = [ask(question) for ask in asks]
                values[at] = [measured(answer.judgement, metrics) for answer in answers]
                writer.write(_line(question, answers, values[at]))
            stored = writer.publish(f"evaluations/{evaluation.evaluation_id}/a{context.job.attempt}/questions.jsonl")
        return _Measured(metrics, values, self._objects.uri(stored.key))

    def _asks(self, context: JobContext, evaluation: Evaluation) -> Iterator[_Ask]:
        caller = Caller(namespace_id=context.job.namespace_id)
        for one in evaluation.params["strategies"]:
            yield _Ask(
                retrieving=self._retrieving(),
                caller=caller,
                project_id=evaluation.project_id,
                name=one["name"],
                request=RetrievalRequest(
                    query="",
                    strategy=read_strategy(one["strategy"]),
                    target=one["target"],
                    target_id=one["target_id"],
                    filter=one["filter"],
                    limit=max(evaluation.params["k"]),
                    map=read_map(one.get("map")),  # those of before maps were known have none
                ),
            )

    def _publish(self, context: JobContext, evaluation: Evaluation, found: _Measured) -> None:
        context.progress("publish", _ASKED)
        strategies = _estimates(found, evaluation.params)
        names = [one["name"] for one in evaluation.params["strategies"]]
        done = replace(
            evaluation,
            status=RunStatus.SUCCEEDED,
            results={"strategies": strategies},
            artifact_uri=found.artifact_uri,
            error_message=None,
            updated_at=self._clock.now(),
        )
        outcome = {
            "evaluation_id": evaluation.evaluation_id,
            "artifact_uri": found.artifact_uri,
            "means": {
                name: {f"{row['metric']}@{row['k']}": row["mean"] for row in rows}
                for name, rows in zip(names, strategies, strict=True)
            },
        }
        with self._open_unit_of_work() as uow:
            if not uow.evaluations.publish(done):
                raise EvaluationNotFound(detail={"evaluation_id": evaluation.evaluation_id})
            context.complete(uow, outcome)
            uow.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """Asks questions of one strategy."""

    retrieving: Retrieving
    caller: Caller
    project_id: str
    name: str
    request: RetrievalRequest

    def __call__(self, question: JsonObject) -> _Answer:
        """Return the hits and how they are judged; a failure says which strategy met it."""
        request = replace(self.request, query=question["query"])
        try:
            page = self.retrieving.retrieve(self.caller, self.project_id, request, Patience())
        except Failure as failure:
            failure.detail["strategy_name"] = self.name
            raise
        expected = [Expected(**one) for one in question["expected"]]
        return _Answer(page.items, judge(expected, [_judged(item) for item in page.items]))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one strategy answered to one question, and how good that is."""

    hits: Sequence[RetrievedDocument]
    judgement: Judgement

    def as_json(self, values: npt.NDArray[np.float64]) -> JsonObject:
        """Return it with the values of its metrics, as it is stored."""
        return {
            "values": values.tolist(),
            "found_at": list(self.judgement.found_at),
            "hits": [
                {"item_id": hit.metadata["item_id"], "score": hit.score, "gain": gain}
                for hit, gain in zip(self.hits, self.judgement.gains, strict=True)
            ],
        }


def _line(question: JsonObject, answers: Sequence[_Answer], values: npt.NDArray[np.float64]) -> bytes:
    """Return the line of a question in the artifact; `values` is (strategies, metrics)."""
    shown = [answer.as_json(row) for answer, row in zip(answers, values, strict=True)]
    detail = {"question_id": question["question_id"], "query": question["query"], "answers": shown}
    return orjson.dumps(detail) + b"\n"


def _judged(item: RetrievedDocument) -> JudgedHit:
    ids = {item.metadata["item_id"], item.metadata.get(_SOURCE)}
    return JudgedHit(ids=frozenset(one for one in ids if isinstance(one, str)), text=item.page_content)


def _estimates(found: _Measured, params: JsonObject) -> list[list[dict[str, Any]]]:
    """Return for each strategy the rows of its metrics; from the second on with the difference to the first."""
    how = Resampling(confidence=params["confidence"], resamples=params["resamples"], seed=params["seed"])
    first = found.values[:, 0]
    rows: list[list[dict[str, Any]]] = []
    for column in range(found.values.shape[1]):
        values = found.values[:, column]
        differences: Sequence[Interval | None] = (
            intervals(values - first, how) if column else [None] * len(found.metrics)
        )
        means = intervals(values, how)
        rows.append([_row(*row) for row in zip(found.metrics, means, differences, strict=True)])
    return rows


def _row(metric: MetricAt, mean: Interval, difference: Interval | None) -> dict[str, Any]:
    shown = None if difference is None else [difference.mean, difference.low, difference.high]
    return {
        "metric": metric.metric,
        "k": metric.k,
        "mean": mean.mean,
        "low": mean.low,
        "high": mean.high,
        "difference": shown,
    }
