"""Tasks: the jobs behind clusters, as the clusters API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoald.application.access import Caller, act_as
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import TaskNotFound
from shoald.domain.job_states import TERMINAL
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState, JobType

TASK_WORDS: Mapping[str, str] = {
    JobType.CLUSTER_RUN.value: JobType.CLUSTER_RUN.value,
    JobType.CLUSTER_LABELS.value: "engine_inference_run",
    JobType.TAXONOMY_ENRICHMENT.value: "materialize",
}
"""The kinds of jobs that are tasks, each with the document's word for it; clients refuse words that are not its."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task, and its place among those that wait, from 1; None when it does not wait."""

    job: Job
    queue_position: int | None = None

    @property
    def task_type(self) -> str:
        """The document's word for what it does."""
        return TASK_WORDS.get(self.job.job_type, self.job.job_type)


class Tasks:
    """The tasks of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, open_as_system: OpenUnitOfWork, jobs: Jobs, cursors: PageCursors
    ) -> None:
        """`open_as_system` sees every namespace: clients ask for a task by its id without saying where it is."""
        self._open_unit_of_work = open_unit_of_work
        self._open_as_system = open_as_system
        self._jobs = jobs
        self._cursors = cursors

    def get(self, caller: Caller | None, task_id: str, *, reach: Sequence[str] = ()) -> TaskState:
        """Return a task of the caller's namespace; without a caller, of any that `reach` holds, of all if it is empty.

        Clients ask for tasks without saying a namespace; ids of tasks cannot be guessed. Raises `TaskNotFound`.
        """
        job = self._find(caller, task_id, reach)
        waits = job.state in {JobState.PENDING, JobState.QUEUED}
        return TaskState(job, self._jobs.queue_position(job) if waits else None)

    def list(
        self,
        caller: Caller | None,
        query: ListQuery,
        *,
        status: str | None = None,
        task_type: str | None = None,
        reach: Sequence[str] = (),
    ) -> Page[TaskState]:
        """Return a page of tasks, newest first unless sorted: of the caller's namespace, else of all in `reach`.

        Raises `InvalidFields` for bad filters and sort keys.
        """
        asked = replace(query, filters=_with(query.filters, status=status, task_type=task_type))
        namespaces = tuple(reach) if caller is None else (caller.namespace_id,)
        scope = f"tasks/{','.join(namespaces)}"
        selection = select_page(asked, self._cursors.open(scope, asked), condition_of(asked.filters))
        opens = self._open_as_system if caller is None else self._open_unit_of_work
        with opens() as uow:
            rows = uow.tasks.list(namespaces, TASK_WORDS, selection)
            total = uow.tasks.count(namespaces, TASK_WORDS, selection) if query.include_total else None
        states = [TaskState(job) for job in rows]
        return make_page(states, asked, selection, total=total, seal=self._cursors.sealer(scope, asked))

    def cancel(self, caller: Caller | None, task_id: str, *, reach: Sequence[str] = ()) -> tuple[Job, bool]:
        """Ask for a task's end; returns it, and whether it had ended before by itself. Finds it as `get` does."""
        job = self._find(caller, task_id, reach)
        if job.state in TERMINAL:
            return job, True
        return self._jobs.cancel(Caller(namespace_id=job.namespace_id), task_id), False

    def _find(self, caller: Caller | None, task_id: str, reach: Sequence[str]) -> Job:
        opens = self._open_as_system if caller is None else self._open_unit_of_work
        with opens() as uow:
            job = uow.tasks.get(task_id, TASK_WORDS)
        allowed = reach if caller is None else (caller.namespace_id,)
        if job is None or (allowed and job.namespace_id not in allowed):
            raise TaskNotFound(f"There is no task {task_id!r}.", detail={"task_id": task_id})
        if caller is None:
            act_as(Caller(namespace_id=job.namespace_id))
        return job


def _with(filters: JsonObject | None, **equal: str | None) -> JsonObject | None:
    """Return filters that also ask for these values."""
    more = [{"field": name, "operator": "eq", "value": value} for name, value in equal.items() if value is not None]
    if not more:
        return filters
    return {"AND": [*more, *([filters] if filters else [])]}
