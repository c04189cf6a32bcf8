"""Tasks: the jobs of cluster runs, as the clusters API shows them."""

from __future__ import annotations

from collections.abc import Sequence

from shoald.application.access import Caller
from shoald.application.jobs import Jobs
from shoald.application.listing import ListQuery, Page, PageCursors, make_page, select_page
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import InvalidFields, TaskNotFound
from shoald.domain.job_states import TERMINAL
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState, JobType

TASK_TYPES = (JobType.CLUSTER_RUN.value,)
"""The kinds of jobs for which the clusters document has a word; clients refuse others."""


class Tasks:
    """The tasks of the caller's namespace."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs, cursors: PageCursors) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs
        self._cursors = cursors

    def get(self, caller: Caller | None, task_id: str) -> Job:
        """Return a task of the caller's namespace; without a caller, of any that may be read.

        Clients ask for tasks without saying a namespace; ids of tasks cannot be guessed. Raises `TaskNotFound`.
        """
        with self._open_unit_of_work() as uow:
            job = uow.jobs.get(task_id)
        if job is None or job.job_type not in TASK_TYPES:
            raise _not_found(task_id)
        if caller is not None and job.namespace_id != caller.namespace_id:
            raise _not_found(task_id)
        return job

    def list(
        self, caller: Caller, query: ListQuery, *, status: str | None = None, task_type: str | None = None
    ) -> Page[Job]:
        """Return a page of tasks, newest first."""
        if query.filters or query.sort or query.search:
            message = "tasks are chosen by status and task_type and come newest first; filters, sort and search are not"
            raise InvalidFields.field("body", "filters", message=f"{message} supported")
        scope = f"tasks/{caller.namespace_id}/{status}/{task_type}"
        selection = select_page(query, self._cursors.open(scope, query), None)
        types = [one for one in TASK_TYPES if task_type in {None, one}]
        known_status = status is None or status in set(JobState)
        rows: Sequence[Job] = ()
        total = 0
        if types and known_status:
            states = [status] if status else []
            limit, offset = selection.limit, selection.offset
            rows, total = self._jobs.list(caller, job_types=types, states=states, limit=limit, offset=offset)
        return make_page(rows, query, selection, total=total, seal=self._cursors.sealer(scope, query))

    def cancel(self, caller: Caller | None, task_id: str) -> tuple[Job, bool]:
        """Ask for a task's end; returns it, and whether it had ended before by itself."""
        job = self.get(caller, task_id)
        if job.state in TERMINAL:
            return job, True
        return self._jobs.cancel(Caller(namespace_id=job.namespace_id), task_id), False


def _not_found(task_id: str) -> TaskNotFound:
    return TaskNotFound(f"There is no task {task_id!r}.", detail={"task_id": task_id})
