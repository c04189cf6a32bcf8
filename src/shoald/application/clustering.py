"""The job of a cluster run: its run follows it, and a pipeline that is made when it is first needed does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shoald.application.cluster_events import run_failed, run_not_executed, run_started
from shoald.application.ports.clock import Clock
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import ExecutionStatus, JobState

if TYPE_CHECKING:
    from shoald.application.cluster_pipeline import ClusterPipeline


class ClusterMapHandler:
    """`JobHandler` of maps that are drawn after their runs."""

    def __init__(self, *, pipeline: Callable[[], ClusterPipeline]) -> None:
        self._pipeline = pipeline

    def run(self, context: JobContext) -> None:
        """Draw the map of the run that the payload names, and publish it in one transaction."""
        self._pipeline().draw(context)

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing follows the job: the run stays as it is until it has its map."""


class ClusterRunHandler:
    """`JobHandler` of cluster runs."""

    def __init__(self, *, clock: Clock, pipeline: Callable[[], ClusterPipeline]) -> None:
        self._clock = clock
        self._pipeline = pipeline

    def run(self, context: JobContext) -> None:
        """Do the run that the payload names, and publish it in one transaction."""
        self._pipeline().run(context)

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the run along with its job."""
        run_id, now = job.payload["run_id"], self._clock.now()
        if job.state is JobState.FAILED:
            uow.cluster_runs.move(
                run_id, ExecutionStatus.FAILED, now, error_code=job.error_code, error_message=job.error_message
            )
            uow.events.add(run_failed(job, now))
            uow.events.add(run_not_executed(job, now))
        elif job.state in {JobState.CANCELED, JobState.SKIPPED}:
            uow.cluster_runs.move(run_id, ExecutionStatus.CANCELED, now)
        else:
            uow.cluster_runs.move(run_id, ExecutionStatus.PROCESSING, now)
            uow.events.add(run_started(job, now))
