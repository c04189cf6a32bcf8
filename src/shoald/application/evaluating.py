"""Evaluations: questions and strategies go in; how well each strategy finds what it should comes out, by a job."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from shoald.application.group_membership import wanted_groups
from shoald.application.jobs import JobRequest
from shoald.application.keyword_indexing import repository_of, set_id
from shoald.application.map_requests import MapRequest, read_map, wrong_field
from shoald.application.projects import visible_project
from shoald.application.search_targets import SearchTarget, find_target
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import EvaluationNotFound, FieldProblem, InvalidFields
from shoald.domain.filters import parse_filter
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.evaluation import Evaluation
from shoald.domain.retrieval.evaluation import Resampling
from shoald.domain.retrieval.relevance import Expected
from shoald.domain.retrieval.strategies import RerankSearch, Strategy, legs
from shoald.domain.vocabulary import JobType, RetrievalTarget, RunStatus

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.group_membership import GroupMemberships
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.searching import Searches
    from shoald.application.waiting import Patience

DEFAULT_DEPTHS = (1, 3, 5, 10)
DEFAULT_LIMIT, MOST_LIMIT = 20, 200
# what one retrieval may take, for the estimate that decides where the job runs
_RETRIEVAL_SECONDS, _RERANKING_SECONDS = 0.02, 5.0
# hits that are judged and stored, over all questions and strategies
_MOST_HITS = 2_000_000
# wrong fields that one error names
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to ask, and what should be found; `question_id` is the caller's own name for it."""

    query: str
    expected: Sequence[Expected]
    question_id: str | None = None

    def as_json(self) -> JsonObject:
        """Return it as it is stored."""
        expected = [{"item_id": one.item_id, "text": one.text, "grade": one.grade} for one in self.expected]
        return {"query": self.query, "question_id": self.question_id, "expected": expected}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedStrategy:
    """One way to search; `name` None takes the name of its type. `map` are the fields of a map, as in a retrieval."""

    strategy: Strategy
    name: str | None = None
    target: str = RetrievalTarget.CHUNK_SET
    target_id: str | None = None
    filter: JsonObject = field(default_factory=dict)
    map: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvaluation:
    """What to ask of which strategies; `is_async` returns at once with a job that the job lists show."""

    questions: Sequence[Question]
    strategies: Sequence[EvaluatedStrategy]
    depths: Sequence[int] = DEFAULT_DEPTHS
    resampling: Resampling = field(default_factory=Resampling)
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedEvaluation:
    """An evaluation that has ended, or, with a job's id, one that was accepted."""

    evaluation: Evaluation
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPage:
    """Some questions with what each strategy answered; `total` counts those of all pages."""

    evaluation: Evaluation
    questions: Sequence[JsonObject]
    start: int
    next_offset: int | None
    total: int


class Evaluating:
    """Evaluates strategies, and reads and deletes evaluations of the caller's namespace."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        jobs: Jobs,
        objects: ObjectStore,
        searches: Searches,
        memberships: GroupMemberships,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._jobs = jobs
        self._objects = objects
        self._searches = searches
        self._memberships = memberships

    def create(self, caller: Caller, project_id: str, new: NewEvaluation, patience: Patience) -> AcceptedEvaluation:
        """Evaluate strategies in a project.

        Raises `ProjectNotFound`, `InvalidFields` for names that are not different, patterns, filters and maps that
        cannot be used, expected items that are nowhere, or too much to judge, of a map `ClusterNotFound` and
        `ExecutionNotFound`, what `find_target` raises, and when it waits for the end what a retrieval meets.
        """
        _check_size(new)
        self._check_strategies(new)
        names = _names(new.strategies)
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            targets = [find_target(uow, caller, project_id, one) for one in new.strategies]
            _check_items(uow, targets, new.questions)
            maps = [self._located_map(uow, caller, at, target, new) for at, target in enumerate(targets)]
            evaluation = self._new_evaluation(
                project_id, new, list(map(_located, names, targets, maps, new.strategies))
            )
            uow.evaluations.add(evaluation, [question.as_json() for question in new.questions])
            job = self._jobs.accept(uow, _job_request(caller, evaluation, new))
            uow.commit()
        if new.is_async:
            self._jobs.dispatch(job)
            return AcceptedEvaluation(evaluation=evaluation, job_id=job.job_id)
        patience.finish(self._jobs, job)
        return AcceptedEvaluation(evaluation=self.get(caller, evaluation.evaluation_id))

    def list(self, caller: Caller, project_id: str, wanted: ListRange) -> Listed[Evaluation]:
        """Return the evaluations of a project, newest first; raises `ProjectNotFound`."""
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            return read_list(lambda offset, limit: uow.evaluations.list(project_id, offset=offset, limit=limit), wanted)

    def get(self, caller: Caller, evaluation_id: str) -> Evaluation:
        """Return an evaluation; raises `EvaluationNotFound`."""
        with self._open_unit_of_work() as uow:
            return visible_evaluation(uow, caller, evaluation_id)

    def questions(self, caller: Caller, evaluation_id: str, *, limit: int, offset: int) -> QuestionPage:
        """Return a page of the questions, none before the evaluation has succeeded; raises `EvaluationNotFound`.

        A limit of 0 means 20; others are moved into 1 to 200. Reads the artifact up to the page: O(offset + limit).
        """
        evaluation = self.get(caller, evaluation_id)
        end = offset + (min(max(limit, 1), MOST_LIMIT) if limit else DEFAULT_LIMIT)
        total, found = 0, list[JsonObject]()
        if evaluation.artifact_uri is not None:
            total = evaluation.question_count
            lines = _lines(self._objects.stream(self._objects.key_of(evaluation.artifact_uri)))
            found = [orjson.loads(line) for line in itertools.islice(lines, offset, end)]
        return QuestionPage(
            evaluation=evaluation,
            questions=found,
            start=offset,
            next_offset=end if end < total else None,
            total=total,
        )

    def delete(self, caller: Caller, evaluation_id: str) -> None:
        """Remove an evaluation; raises `EvaluationNotFound`. What lies in the object store is swept up later."""
        with self._open_unit_of_work() as uow:
            visible_evaluation(uow, caller, evaluation_id)
            if not uow.evaluations.delete(evaluation_id):
                raise EvaluationNotFound(detail={"evaluation_id": evaluation_id})
            uow.commit()

    def _check_strategies(self, new: NewEvaluation) -> None:
        for at, one in enumerate(new.strategies):
            parse_filter(one.filter, "body", "strategies", at, "filter")
            self._searches.check_patterns(one.strategy, "body", "strategies", at, "strategy")

    def _located_map(
        self, uow: UnitOfWork, caller: Caller, at: int, target: SearchTarget, new: NewEvaluation
    ) -> MapRequest | None:
        """Return the map of the strategy at a place with the run that it means now; raises as `create` says."""
        with _as_of_strategy(at):
            asked = read_map(new.strategies[at].map)
            if asked is None:
                return None
            if asked.facets:
                raise wrong_field("facets", message="an evaluation shows no counts of groups", value=True)
            chosen = self._memberships.chosen(uow, caller, asked, target)
            wanted_groups(chosen.groups, asked)
        return replace(asked, run_id=chosen.run.run_id, cluster_id=None)

    def _new_evaluation(self, project_id: str, new: NewEvaluation, strategies: Sequence[JsonObject]) -> Evaluation:
        now = self._clock.now()
        params = {
            "strategies": list(strategies),
            "k": sorted(set(new.depths)),
            "confidence": new.resampling.confidence,
            "resamples": new.resampling.resamples,
            "seed": new.resampling.seed,
        }
        return Evaluation(
            evaluation_id=new_uuid(),
            project_id=project_id,
            status=RunStatus.QUEUED,
            params=params,
            question_count=len(new.questions),
            results={},
            artifact_uri=None,
            error_message=None,
            created_at=now,
            updated_at=now,
        )


def visible_evaluation(uow: UnitOfWork, caller: Caller, evaluation_id: str) -> Evaluation:
    """Return an evaluation of the caller's namespace; raises `EvaluationNotFound`."""
    evaluation = uow.evaluations.get(evaluation_id, namespace_id=caller.namespace_id)
    if evaluation is None:
        raise EvaluationNotFound(detail={"evaluation_id": evaluation_id})
    return evaluation


@contextlib.contextmanager
def _as_of_strategy(at: int) -> Iterator[None]:
    """Say of fields that are wrong that they are those of one strategy."""
    try:
        yield
    except InvalidFields as refused:
        raise refused.within("body", "strategies", at) from refused


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in parts."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from whole


def _names(strategies: Sequence[EvaluatedStrategy]) -> list[str]:
    """Return the strategies' names: those given, which must be different, else types, numbered from the second on."""
    given = Counter(one.name for one in strategies if one.name is not None)
    for at, one in enumerate(strategies):
        if one.name is not None and given[one.name] > 1:
            message = "Value error, each strategy needs a name of its own"
            raise InvalidFields.field("body", "strategies", at, "name", message=message, value=one.name)
    taken = set(given)
    names: list[str] = []
    for one in strategies:
        name = one.name or _free_name(one.strategy.type, taken)
        taken.add(name)
        names.append(name)
    return names


def _free_name(kind: str, taken: set[str]) -> str:
    name, number = kind, 1
    while name in taken:
        number += 1
        name = f"{kind} {number}"
    return name


def _check_size(new: NewEvaluation) -> None:
    deepest = max(new.depths)
    if len(new.questions) * len(new.strategies) * deepest > _MOST_HITS:
        message = f"Value error, questions, strategies and the deepest k multiply to more than {_MOST_HITS:,} hits"
        raise InvalidFields.field("body", "k", message=message, value=deepest)


def _check_items(uow: UnitOfWork, targets: Sequence[SearchTarget], questions: Sequence[Question]) -> None:
    """Raise `InvalidFields` for expected items that no target has: they could only ever be missed.

    Ids change when texts are cut anew, so the questions of an old set would else give zeros without a word.
    """
    places = [
        (number, at, one.item_id)
        for number, question in enumerate(questions)
        for at, one in enumerate(question.expected)
        if one.item_id is not None
    ]
    unknown = {item_id for _, _, item_id in places}
    for items in {target.items_id: target.items for target in targets}.values():
        if unknown:
            unknown -= repository_of(uow, items).known_ids(set_id(items), sorted(unknown))
    message = "Value error, no target of the strategies has an item or a segment of this id"
    problems = [
        FieldProblem(("body", "questions", number, "expected", at, "item_id"), "value_error", message, item_id)
        for number, at, item_id in places
        if item_id in unknown
    ]
    if problems:
        raise InvalidFields(problems[:_MOST_PROBLEMS])


def _located(name: str, target: SearchTarget, asked_map: MapRequest | None, one: EvaluatedStrategy) -> dict[str, Any]:
    """Return a strategy as it is stored, with the target and the map that it means now."""
    return {
        "name": name,
        "target": one.target,
        "target_id": target.target_id,
        "strategy": one.strategy.as_json(),
        "filter": dict(one.filter),
        "map": None if asked_map is None else asked_map.as_json(),
    }


def _job_request(caller: Caller, evaluation: Evaluation, new: NewEvaluation) -> JobRequest:
    return JobRequest(
        job_type=JobType.EVALUATION,
        payload={"evaluation_id": evaluation.evaluation_id},
        caller=caller,
        project_id=evaluation.project_id,
        listed=new.is_async,
        estimated_seconds=len(new.questions) * sum(_seconds(one.strategy) for one in new.strategies),
    )


def _seconds(strategy: Strategy) -> float:
    is_slow = any(isinstance(leg, RerankSearch) for leg in legs(strategy))
    return _RERANKING_SECONDS if is_slow else _RETRIEVAL_SECONDS
