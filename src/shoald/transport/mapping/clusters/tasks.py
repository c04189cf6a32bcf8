"""Jobs of cluster runs as the tasks of the document."""

from __future__ import annotations

from typing import Any

from shoal.clusters.v1 import task_pb2, task_service_pb2

from shoald.application.tasks import TaskState
from shoald.domain.records.job import Job
from shoald.transport.json_values import to_struct

_NAMED = ("cluster_id", "run_id", "taxonomy_id", "enrichment_id")


def to_message(job: Job) -> task_pb2.Task:
    """Return a job as a task."""
    return state_message(TaskState(job))


def state_message(state: TaskState) -> task_pb2.Task:
    """Return a task with its place among those that wait."""
    job = state.job
    run_id = job.payload.get("run_id")
    return task_pb2.Task(
        task_id=job.job_id,
        task_type=state.task_type,
        status=job.state.value,
        inputs=job.payload.get("collection_ids", ()),
        outputs=[] if run_id is None else [run_id],
        additional_data=to_struct(_additional(job)),
        error=job.error_message,
        queue_position=state.queue_position,
    )


def _additional(job: Job) -> dict[str, Any]:
    data: dict[str, Any] = {name: job.payload[name] for name in _NAMED if name in job.payload}
    data["job_id"] = job.job_id
    if job.payload.get("warnings"):
        data["warnings"] = list(job.payload["warnings"])
    if job.progress is not None and job.finished_at is None:
        progress = job.progress
        data["progress"] = {"stage": progress.stage, "fraction": progress.fraction, "message": progress.message}
    if job.error_message is not None:
        data |= {"error": job.error_message, "error_code": job.error_code}
    return data


def canceled_message(job: Job, *, had_ended: bool) -> task_service_pb2.CancelTaskResponse:
    """Return what a cancellation answers."""
    text = f"The task had ended as {job.state.value}." if had_ended else "The task is canceled."
    return task_service_pb2.CancelTaskResponse(message=text, success=True)
