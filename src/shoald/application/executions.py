"""Runs of cluster definitions: started, and read with what they found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shoald.application.access import Caller
from shoald.application.cluster_definitions import read_spec
from shoald.application.clusters import find_cluster
from shoald.application.composite_choice import SOURCE_RUNS, asked_count, source_runs
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.listing import (
    DEFAULT_LIMIT,
    ListQuery,
    Page,
    PageCursors,
    Selection,
    condition_of,
    make_page,
    select_page,
)
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_changes import idle_changes
from shoald.domain.failures import ArtifactNotFound, BadRequest, ExecutionNotFound, Unsupported
from shoald.domain.identifiers import new_run_id
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import REPLAY_OF, Cluster, ClusterRun, RunListStats
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import ExecutionMode, ExecutionStatus, JobType

FULL = ExecutionMode.FULL.value
ASSIGN = ExecutionMode.ASSIGN.value
COMPOSITE = ExecutionMode.COMPOSITE.value
OPEN = frozenset({ExecutionStatus.PENDING, ExecutionStatus.PROCESSING})
_LINEAGES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class RunState:
    """A run, whether documents changed since it read them, and the newest runs where they were asked for."""

    run: ClusterRun
    is_stale: bool = False
    beside: tuple[ClusterRun, ...] | None = None


class Executions:
    """The runs of the caller's clusters."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._jobs = jobs

    def start(self, caller: Caller, cluster: str, changes: JsonObject, *, idempotency_key: str | None = None) -> Job:
        """Accept a run and return its job; `changes` are what the call sets for this run only.

        Without a mode a cluster that is made from others is run in the mode composite, any other in full. Raises
        `ClusterNotFound`, `InvalidFields`, `ExecutionNotFound` for a source that there is not, `ArtifactNotFound` when
        there is nothing to assign to or a source has not completed, and `Unsupported` for what the cluster cannot do.
        """
        with self._open_unit_of_work() as uow:
            job, is_new = self.accept(uow, caller, cluster, changes, idempotency_key=idempotency_key)
            uow.commit()
        return self._dispatched(job, is_new)

    def accept(
        self, uow: UnitOfWork, caller: Caller, cluster: str, changes: JsonObject, *, idempotency_key: str | None = None
    ) -> tuple[Job, bool]:
        """Accept a run in an open transaction, as `start` does, and say whether its job is new.

        After the commit a new job waits to be dispatched: by `Jobs.dispatch`, or by the scheduler a little later.
        """
        asked: dict[str, Any] = {key: value for key, value in changes.items() if value not in (None, [], {})}
        condition_of(asked.get("filters"))
        definition = find_cluster(uow, caller, cluster)
        mode = asked.pop("mode", None) or (COMPOSITE if definition.definition.get("source_cluster_ids") else FULL)
        idle = idle_changes(mode, asked, by_attributes=definition.definition["vector_config"] is None)
        if mode != ASSIGN:
            asked.pop("assignment_threshold", None)
        if mode != COMPOSITE:
            asked.pop(SOURCE_RUNS, None)
        warnings = (*read_spec(definition.definition, asked).warnings, *idle)
        if mode == ASSIGN:
            _require_assignable(uow, definition)
        request = _request(caller, definition, asked, mode, idempotency_key, warnings)
        if mode == COMPOSITE:
            asked_count(definition.definition, asked)  # refused now
            asked = {**asked, SOURCE_RUNS: source_runs(uow, definition, asked.get(SOURCE_RUNS, ()))}
        return self._started(uow, request, definition, asked, mode)

    def repeat(self, caller: Caller, cluster: str, run_id: str, *, idempotency_key: str | None = None) -> Job:
        """Accept a run that does a completed one again on the vectors that it read, and compares.

        It is read by its id: the cluster shows, and later runs follow, the newest run that repeats none.

        Raises `ClusterNotFound`, `ExecutionNotFound`, `ArtifactNotFound` while that run has not completed, and
        `Unsupported` for runs of another mode than full, and of definitions that group by attributes.
        """
        with self._open_unit_of_work() as uow:
            run = find_run(uow, caller, cluster, run_id)
            definition = find_cluster(uow, caller, cluster)
            if run.status != ExecutionStatus.COMPLETED:
                message = f"The execution is {run.status}; it can be repeated once it has completed."
                raise ArtifactNotFound(message, detail={"run_id": run_id, "status": run.status})
            if not _is_repeatable(run):
                what = "executions of the mode full over vectors"
                raise Unsupported(f"Only {what} are repeated.", detail={"run_id": run_id, "mode": run.mode})
            changes = {**run.overrides, REPLAY_OF: run.overrides.get(REPLAY_OF, run_id)}
            request = _request(caller, definition, changes, FULL, idempotency_key)
            started = self._started(uow, request, definition, changes, FULL)
            uow.commit()
        return self._dispatched(*started)

    def _started(
        self, uow: UnitOfWork, request: JobRequest, cluster: Cluster, changes: JsonObject, mode: str
    ) -> tuple[Job, bool]:
        """Return the job of a run and whether it is new: a key that was used before brings back its job."""
        before = self._jobs.accepted_before(uow, request)
        if before is not None:
            return before, False
        return self._accept(uow, request, cluster, changes, mode), True

    def _dispatched(self, job: Job, is_new: bool) -> Job:  # noqa: FBT001 - what `_started` says, and nothing else
        if is_new:
            self._jobs.dispatch(job)
        return job

    def _accept(self, uow: UnitOfWork, request: JobRequest, cluster: Cluster, changes: JsonObject, mode: str) -> Job:
        job = self._jobs.accept(uow, request)
        now = self._clock.now()
        run_id = request.payload["run_id"]
        run = ClusterRun(
            run_id=run_id,
            cluster_id=cluster.cluster_id,
            namespace_id=cluster.namespace_id,
            job_id=job.job_id,
            status=ExecutionStatus.PENDING,
            mode=mode,
            num_clusters=0,
            num_points=0,
            metrics={},
            effective={},
            artifacts={},
            error_message=None,
            created_at=now,
            completed_at=None,
            overrides=changes,
        )
        uow.cluster_runs.add(run)
        if REPLAY_OF not in changes:
            uow.clusters.set_last_run(cluster.cluster_id, run_id, now)
        return job

    def cancel(self, caller: Caller, cluster: str, run_id: str) -> ClusterRun:
        """Ask for the end of a run: one that waits has ended on return, one at work within two seconds.

        Raises `ClusterNotFound`, `ExecutionNotFound`, and `BadRequest` for a run that has ended.
        """
        with self._open_unit_of_work() as uow:
            run = find_run(uow, caller, cluster, run_id)
        _require_open(run)
        self._jobs.cancel(caller, run.job_id)
        with self._open_unit_of_work() as uow:
            ended = find_run(uow, caller, cluster, run_id)
        if ended.status != ExecutionStatus.CANCELED:
            _require_open(ended)  # it was quicker
        return ended

    def latest(self, caller: Caller, cluster: str) -> RunState | None:
        """Return the newest run whatever its state, with the newest ones beside it, None before the first.

        Raises `ClusterNotFound`.
        """
        with self._open_unit_of_work() as uow:
            found = find_cluster(uow, caller, cluster)
            run = uow.cluster_runs.latest(found.cluster_id)
            if run is None:
                return None
            newest = uow.cluster_runs.list(found.cluster_id, Selection(limit=DEFAULT_LIMIT))
            return replace(_state(uow, caller, run), beside=tuple(newest))

    def get(self, caller: Caller, cluster: str, run_id: str) -> RunState:
        """Return a run; raises `ClusterNotFound` or `ExecutionNotFound`."""
        with self._open_unit_of_work() as uow:
            return _state(uow, caller, find_run(uow, caller, cluster, run_id))

    def latest_completed(self, caller: Caller, cluster: str) -> tuple[Cluster, RunState | None]:
        """Return a cluster and its newest completed run, if there is one."""
        with self._open_unit_of_work() as uow:
            found = find_cluster(uow, caller, cluster)
            run = uow.cluster_runs.latest_completed(found.cluster_id)
            return found, None if run is None else _state(uow, caller, run)

    def lineages(self, caller: Caller, cluster: str, *, after_run: str | None = None) -> Iterator[ClusterRun]:
        """Yield completed runs with their lineage, oldest first, those after a run if one is named.

        Raises `ClusterNotFound` or `ExecutionNotFound` at once.
        """
        with self._open_unit_of_work() as uow:
            found = find_cluster(uow, caller, cluster)
            start = None if after_run is None else find_run(uow, caller, cluster, after_run)
        return self._completed(found.cluster_id, None if start is None else (start.created_at, start.run_id))

    def _completed(self, cluster_id: str, after: tuple[datetime, str] | None) -> Iterator[ClusterRun]:
        """Yield completed runs page by page, each read when it is needed."""
        while True:
            with self._open_unit_of_work() as uow:
                page = uow.cluster_runs.completed_after(cluster_id, after, limit=_LINEAGES_AT_ONCE)
            yield from page
            if len(page) < _LINEAGES_AT_ONCE:
                return
            after = (page[-1].created_at, page[-1].run_id)

    def list(self, caller: Caller, cluster: str, query: ListQuery) -> tuple[Page[ClusterRun], RunListStats]:
        """Return a page of runs, newest first unless sorted, and figures of the whole list."""
        condition = condition_of(query.filters)
        with self._open_unit_of_work() as uow:
            cluster_id = find_cluster(uow, caller, cluster).cluster_id
            scope = f"executions/{cluster_id}"
            selection = select_page(query, self._cursors.open(scope, query), condition)
            rows = uow.cluster_runs.list(cluster_id, selection)
            stats = uow.cluster_runs.stats(cluster_id, selection)
        seal = self._cursors.sealer(scope, query)
        return make_page(rows, query, selection, total=stats.total_executions, seal=seal), stats


def _request(
    caller: Caller,
    cluster: Cluster,
    changes: JsonObject,
    mode: str,
    idempotency_key: str | None,
    warnings: Sequence[str] = (),
) -> JobRequest:
    return JobRequest(
        job_type=JobType.CLUSTER_RUN,
        payload={
            "cluster_id": cluster.cluster_id,
            "run_id": new_run_id(),
            "collection_ids": list(cluster.collection_ids),
            "warnings": list(warnings),
            "definition": dict(cluster.definition),
        },
        caller=caller,
        idempotency_key=idempotency_key,
        fingerprint={"cluster_id": cluster.cluster_id, "mode": mode, "changes": changes},
    )


def _require_open(run: ClusterRun) -> None:
    if run.status not in OPEN:
        message = f"The execution has ended: it is {run.status}."
        raise BadRequest(message, detail={"run_id": run.run_id, "status": run.status})


def _is_repeatable(run: ClusterRun) -> bool:
    effective = run.effective
    return run.mode == FULL and "request" in effective and bool(effective["input"]["features"])


def _require_assignable(uow: UnitOfWork, cluster: Cluster) -> None:
    if cluster.definition["vector_config"] is None:
        raise Unsupported("Documents are not assigned to groups by attributes.", detail={"mode": ASSIGN})
    if uow.cluster_runs.latest_completed(cluster.cluster_id) is None:
        message = "There is no completed execution whose groups documents could be assigned to."
        raise ArtifactNotFound(message, detail={"cluster_id": cluster.cluster_id})


def find_run(uow: UnitOfWork, caller: Caller, cluster: str, run_id: str) -> ClusterRun:
    """Return a run of a cluster of the caller's namespace; raises `ClusterNotFound` or `ExecutionNotFound`."""
    cluster_id = find_cluster(uow, caller, cluster).cluster_id
    run = uow.cluster_runs.get(run_id)
    if run is None or run.cluster_id != cluster_id:
        message = f"There is no execution {run_id!r} of this cluster."
        raise ExecutionNotFound(message, detail={"cluster_id": cluster_id, "run_id": run_id})
    return run


def _state(uow: UnitOfWork, caller: Caller, run: ClusterRun) -> RunState:
    """Compare the collections of a completed run with what it read; one that has not completed is asked for often."""
    if run.status != ExecutionStatus.COMPLETED:
        return RunState(run)
    return RunState(run, not uow.collections.are_at(caller.namespace_id, run.revisions))
