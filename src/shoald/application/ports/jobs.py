"""What a job's code sees of the job system, and what it must offer."""

from __future__ import annotations

from typing import Protocol

from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job


class JobContext(Protocol):
    """The running attempt, as its handler sees it."""

    @property
    def job(self) -> Job:
        """The job as it was claimed; `job.attempt` is the fence."""
        ...

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        """Say how far the whole job is (0 to 1); cheap, stored at most a few times a second. Also checks, as `check`
        does.
        """
        ...

    def check(self) -> None:
        """Raise `JobCanceled`, `JobFenced` or `DeadlineExceeded` when the attempt must stop; call it between blocks
        of work.
        """
        ...

    def complete(self, uow: UnitOfWork, result: JsonObject, *, with_errors: bool = False) -> None:
        """Mark the job done inside the caller's open transaction, under the fence; raises `JobFenced` or `JobCanceled`.

        The caller publishes its results in the same transaction and commits: then all of it is true, or nothing is.
        """
        ...


class JobHandler(Protocol):
    """The code of one job type."""

    def run(self, context: JobContext) -> None:
        """Do the work, publish through `context.complete`. A `Failure` that cannot pass by itself ends the
        job as FAILED with
        its code and message; `Unavailable` and unforeseen errors are retried.
        """
        ...

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the job's domain rows (build, run) along inside each transaction that changes what users see
        of the state:
        first claim, FAILED, CANCELED. Never called for completion, which `run` publishes itself. Must be cheap.
        """
        ...
