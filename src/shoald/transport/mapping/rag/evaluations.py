"""Evaluations as messages, and requests for them as what the use case takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from shoal.rag.v1 import evaluation_pb2, evaluation_service_pb2

from shoald.application.evaluating import (
    DEFAULT_DEPTHS,
    AcceptedEvaluation,
    EvaluatedStrategy,
    NewEvaluation,
    Question,
    QuestionPage,
)
from shoald.domain.cursors import cursor_of
from shoald.domain.json_types import JsonObject
from shoald.domain.records.evaluation import Evaluation
from shoald.domain.retrieval.evaluation import Resampling
from shoald.domain.retrieval.relevance import Expected
from shoald.domain.retrieval.strategy_reading import read_strategy
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp
from shoald.transport.mapping.rag.retrieval import strategy_fields

_ASYNC, _SYNC = "async", "sync"


def new_evaluation_of(request: evaluation_service_pb2.EvaluateRetrievalRequest) -> NewEvaluation:
    """Return what to evaluate, with the documented defaults; only the word `async` is asynchronous."""
    resampling = {
        name: getattr(request, name) for name in ("confidence", "resamples", "seed") if request.HasField(name)
    }
    return NewEvaluation(
        questions=[_question(question) for question in request.questions],
        strategies=[_strategy(at, strategy) for at, strategy in enumerate(request.strategies)],
        depths=list(request.k) or DEFAULT_DEPTHS,
        resampling=Resampling(**resampling),
        is_async=request.execution_mode == _ASYNC,
    )


def to_message(evaluation: Evaluation) -> evaluation_pb2.Evaluation:
    """Return an evaluation as it is shown."""
    params = evaluation.params
    metrics = evaluation.results.get("strategies", [[]] * len(params["strategies"]))
    return evaluation_pb2.Evaluation(
        evaluation_id=evaluation.evaluation_id,
        project_id=evaluation.project_id,
        status=evaluation.status,
        question_count=evaluation.question_count,
        k=params["k"],
        confidence=params["confidence"],
        resamples=params["resamples"],
        seed=params["seed"],
        strategies=[_strategy_message(one, rows) for one, rows in zip(params["strategies"], metrics, strict=True)],
        artifact_uri=evaluation.artifact_uri,
        error_message=evaluation.error_message,
        created_at=to_timestamp(evaluation.created_at),
        updated_at=to_timestamp(evaluation.updated_at),
    )


def accepted_message(accepted: AcceptedEvaluation) -> evaluation_service_pb2.EvaluateRetrievalResponse:
    """Return an evaluation that has ended, or one that was accepted with its job."""
    return evaluation_service_pb2.EvaluateRetrievalResponse(
        mode=_ASYNC if accepted.job_id else _SYNC, job_id=accepted.job_id, evaluation=to_message(accepted.evaluation)
    )


def page_message(page: QuestionPage) -> evaluation_service_pb2.ListEvaluatedQuestionsResponse:
    """Return a page of questions."""
    names = [one["name"] for one in page.evaluation.params["strategies"]]
    return evaluation_service_pb2.ListEvaluatedQuestionsResponse(
        items=[_question_message(at, names, question) for at, question in enumerate(page.questions, start=page.start)],
        next_cursor=None if page.next_offset is None else cursor_of(page.next_offset),
        has_more=page.next_offset is not None,
        total=page.total,
    )


def _question(message: evaluation_pb2.EvaluationQuestion) -> Question:
    return Question(
        query=message.query,
        expected=[_expected(passage) for passage in message.expected],
        question_id=message.question_id if message.HasField("question_id") else None,
    )


def _expected(message: evaluation_pb2.ExpectedPassage) -> Expected:
    given: dict[str, Any] = {
        name: getattr(message, name) for name in ("item_id", "text", "grade") if message.HasField(name)
    }
    return Expected(**given)


def _strategy(at: int, message: evaluation_pb2.EvaluatedStrategy) -> EvaluatedStrategy:
    given: dict[str, Any] = {
        name: getattr(message, name) for name in ("name", "target", "target_id") if message.HasField(name)
    }
    if message.HasField("map"):
        given["map"] = json_format.MessageToDict(message.map, preserving_proto_field_name=True)
    strategy = read_strategy(strategy_fields(message.strategy), "body", "strategies", at, "strategy")
    return EvaluatedStrategy(strategy=strategy, filter=object_of(message.filter, "filter"), **given)


def _strategy_message(one: JsonObject, rows: Sequence[JsonObject]) -> evaluation_pb2.StrategyEvaluation:
    return evaluation_pb2.StrategyEvaluation(
        name=one["name"],
        target=one["target"],
        target_id=one["target_id"],
        strategy=to_object(one["strategy"]),
        filter=to_object(one["filter"]),
        map=None if one.get("map") is None else to_object(one["map"]),
        metrics=map(_metric_message, rows),
    )


def _metric_message(row: JsonObject) -> evaluation_pb2.MetricEstimate:
    difference, low, high = row["difference"] or (None, None, None)
    return evaluation_pb2.MetricEstimate(
        metric=row["metric"],
        k=row["k"],
        mean=row["mean"],
        low=row["low"],
        high=row["high"],
        difference=difference,
        difference_low=low,
        difference_high=high,
    )


def _question_message(at: int, names: Sequence[str], question: JsonObject) -> evaluation_pb2.QuestionEvaluation:
    return evaluation_pb2.QuestionEvaluation(
        position=at,
        question_id=question["question_id"],
        query=question["query"],
        answers=[_answer(name, answer) for name, answer in zip(names, question["answers"], strict=True)],
    )


def _answer(name: str, answer: JsonObject) -> evaluation_pb2.StrategyAnswer:
    return evaluation_pb2.StrategyAnswer(
        name=name,
        values=answer["values"],
        found_at=[rank or 0 for rank in answer["found_at"]],
        hits=[evaluation_pb2.JudgedHit(**hit) for hit in answer["hits"]],
    )
