"""How far jobs of the RAG family and tasks of the clusters family are, in one form, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.client.errors import JobFailed

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct
    from shoal.clusters.v1.task_pb2 import Task
    from shoal.rag.v1.job_pb2 import Job
    from shoal.rag.v1.job_service_pb2 import WatchJobResponse

_WORKING = {"PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING"}
_WORKED = {"COMPLETED", "COMPLETED_WITH_ERRORS", "SKIPPED"}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
MOST_FAILURES = 6
"""Streams in a row that may break without news before a watch gives up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job or task is."""

    id: str
    status: str
    """The family's own word: `running`, `IN_PROGRESS`, …"""
    stage: str = ""
    """Name of the stage that runs; empty before it does."""
    fraction: float = 0.0
    """Share of the whole that is done, 0 to 1."""
    message: str = ""
    """A line for people; may be empty."""


def progress_of_job(seen: WatchJobResponse) -> Progress:
    """Return the progress that a watch showed."""
    now = seen.progress
    fraction = 1.0 if seen.job.status == "succeeded" else now.fraction
    return Progress(seen.job.job_id, seen.job.status, now.stage, fraction, now.message)


def progress_of_task(task: Task) -> Progress:
    """Return the progress that a task shows."""
    shown = task.additional_data.fields["progress"].struct_value if "progress" in task.additional_data else None
    fraction = 1.0 if task.status in _WORKED else _number(shown, "fraction")
    return Progress(task.task_id, task.status, _text(shown, "stage"), fraction, _text(shown, "message"))


def _number(shown: Struct | None, name: str) -> float:
    return shown.fields[name].number_value if shown and name in shown.fields else 0.0


def _text(shown: Struct | None, name: str) -> str:
    return shown.fields[name].string_value if shown and name in shown.fields else ""


def has_job_ended(job: Job) -> bool:
    """Say whether nothing more will happen to it."""
    return job.status in {"succeeded", "failed"}


def has_task_ended(task: Task) -> bool:
    """Say whether nothing more will happen to it."""
    return task.status not in _WORKING


def raise_for_job(job: Job) -> Job:
    """Return a job that succeeded; raise `JobFailed` for another."""
    if job.status == "succeeded":
        return job
    reason, _, message = job.error_message.partition(": ")
    raise JobFailed(job.job_id, reason.upper() or job.status.upper(), message, job)


def raise_for_task(task: Task) -> Task:
    """Return a task that completed; raise `JobFailed` for another."""
    if task.status in _WORKED:
        return task
    raise JobFailed(task.task_id, task.status, task.error, task)


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each next look, longer each time, at most two."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_PAUSE)
