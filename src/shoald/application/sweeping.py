"""Sweeps: many settings of a definition's algorithm tried at once, and the one that is picked run without computing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application.access import Caller
from shoald.application.cluster_definitions import read_spec
from shoald.application.clusters import find_cluster
from shoald.application.executions import Executions
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.clustering.sweeps import MOST_SETTINGS, settings_of
from shoald.domain.failures import ArtifactNotFound, FieldProblem, InvalidFields, TaskNotFound, Unsupported
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState, JobType, MultiFeatureStrategy

if TYPE_CHECKING:
    from shoald.application.cluster_pipeline import ClusterPipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What to try: values of parameters in every combination, and settings as they are."""

    grid: Mapping[str, Sequence[Any]]
    settings: Sequence[JsonObject]
    changes: JsonObject


class Sweeps:
    """The sweeps of the caller's clusters; one is kept as long as its job."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs, executions: Executions) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs
        self._executions = executions

    def start(self, caller: Caller, cluster: str, request: SweepRequest, *, idempotency_key: str | None = None) -> Job:
        """Accept a sweep; every setting is read before anything runs.

        Raises `ClusterNotFound`, `InvalidFields` for a bad setting, and `Unsupported` for groups by attributes.
        """
        settings = _checked_settings(request)
        with self._open_unit_of_work() as uow:
            definition = find_cluster(uow, caller, cluster)
            _require_sweepable(definition.definition)
            for setting in settings:
                _check_setting(definition.definition, request, setting)
            asked = JobRequest(
                job_type=JobType.CLUSTER_SWEEP,
                payload={
                    "cluster_id": definition.cluster_id,
                    "settings": settings,
                    "changes": dict(request.changes),
                    "collection_ids": list(definition.collection_ids),
                },
                caller=caller,
                idempotency_key=idempotency_key,
                fingerprint={
                    "cluster_id": definition.cluster_id,
                    "settings": settings,
                    "changes": dict(request.changes),
                },
            )
            before = self._jobs.accepted_before(uow, asked)
            if before is not None:
                return before
            job = self._jobs.accept(uow, asked)
            uow.commit()
        self._jobs.dispatch(job)
        return job

    def get(self, caller: Caller, cluster: str, sweep_id: str) -> Job:
        """Return a sweep as its job; raises `ClusterNotFound` or `TaskNotFound`."""
        with self._open_unit_of_work() as uow:
            cluster_id = find_cluster(uow, caller, cluster).cluster_id
            job = uow.jobs.get(sweep_id)
        is_it = job is not None and job.job_type == JobType.CLUSTER_SWEEP
        if job is None or not is_it or job.payload["cluster_id"] != cluster_id:
            raise TaskNotFound(f"There is no sweep {sweep_id!r} of this cluster.", detail={"sweep_id": sweep_id})
        return job

    def publish(self, caller: Caller, cluster: str, sweep_id: str, setting: int | None) -> Job:
        """Start the run of one of the settings, the suggested one unless it is named; what the sweep made is taken.

        Raises `TaskNotFound`, `ArtifactNotFound` for a sweep that has not completed, and `InvalidFields` for a place
        that it has no setting at.
        """
        sweep = self.get(caller, cluster, sweep_id)
        if sweep.state is not JobState.COMPLETED:
            message = f"The sweep is {sweep.state}; a setting can be published once it has completed."
            raise ArtifactNotFound(message, detail={"sweep_id": sweep_id, "status": sweep.state.value})
        at = sweep.result.get("suggested") if setting is None else setting
        settings = sweep.payload["settings"]
        if at is None or not 0 <= at < len(settings):
            message = "the sweep suggests none" if at is None else f"the sweep has {len(settings)} settings"
            raise InvalidFields.field("body", "setting", message=message, value=at)
        changes = {**sweep.payload["changes"], "algorithm_params": settings[at]}
        return self._executions.start(caller, sweep.payload["cluster_id"], changes)


def _checked_settings(request: SweepRequest) -> list[dict[str, Any]]:
    empty = [name for name, values in request.grid.items() if not isinstance(values, list) or not values]
    if empty:
        raise InvalidFields.field("body", "grid", empty[0], message="must be a list with at least one value")
    # counted before they are made: a few lists have more combinations than there is memory
    combined = math.prod(map(len, request.grid.values())) if request.grid else 0
    if combined > MOST_SETTINGS:
        raise _too_many(combined)
    settings = settings_of(request.grid, request.settings)
    if not settings:
        raise InvalidFields.field("body", "grid", message="a grid or settings are needed", kind="missing")
    if len(settings) > MOST_SETTINGS:
        raise _too_many(len(settings))
    return settings


def _too_many(count: int) -> InvalidFields:
    message = f"{count} settings; a sweep has at most {MOST_SETTINGS}"
    return InvalidFields.field("body", "grid", message=message, kind="too_long")


def _check_setting(definition: JsonObject, request: SweepRequest, setting: JsonObject) -> None:
    """Raise `InvalidFields` that names what is wrong of a setting where the call has it."""
    try:
        read_spec(definition, {**request.changes, "algorithm_params": setting})
    except InvalidFields as refused:
        raise InvalidFields([_in_request(one, request) for one in refused.problems]) from refused


def _in_request(problem: FieldProblem, request: SweepRequest) -> FieldProblem:
    where, name = problem.loc[:2], problem.loc[2:]
    if where != ("body", "algorithm_params"):
        return problem
    return replace(problem, loc=("body", "grid" if name and name[0] in request.grid else "settings", *name))


def _require_sweepable(definition: JsonObject) -> None:
    vector = definition["vector_config"]
    if vector is None:
        raise Unsupported("Groups by attributes have no settings to sweep over.", detail={"field": "cluster_type"})
    strategy = vector["multi_feature_strategy"]
    learns = strategy == MultiFeatureStrategy.WEIGHTED and not vector["feature_weights"]
    if len(vector["feature_uris"]) > 1 and learns:
        message = "Features that are weighed by learning are not swept over."
        raise Unsupported(message, detail={"field": "multi_feature_strategy"})


class ClusterSweepHandler:
    """`JobHandler` of sweeps."""

    def __init__(self, *, pipeline: Callable[[], ClusterPipeline]) -> None:
        self._pipeline = pipeline

    def run(self, context: JobContext) -> None:
        """Try the settings that the payload names."""
        self._pipeline().sweep(context)

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """A sweep has no rows of its own."""
