"""Jobs as messages: the states that the RAG API has words for, progress while they run, and why they failed."""

from __future__ import annotations

from shoal.rag.v1 import job_pb2, job_service_pb2

from shoald.application.jobs import JobNews
from shoald.domain.job_states import run_status
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job, Progress
from shoald.domain.vocabulary import RunStatus
from shoald.transport.mapping.rag.fields import to_object, to_timestamp


def to_message(job: Job) -> job_pb2.Job:
    """Return a job as it is shown."""
    return job_pb2.Job(
        job_id=job.job_id,
        project_id=job.project_id,
        job_type=job.job_type,
        status=run_status(job.state, job.attempt),
        payload=to_object(job.payload),
        result=to_object(_result(job)),
        error_message=_error_message(job),
        created_at=to_timestamp(job.created_at),
        updated_at=to_timestamp(job.updated_at),
    )


def news_message(news: JobNews) -> job_service_pb2.WatchJobResponse:
    """Return a change of a job."""
    return job_service_pb2.WatchJobResponse(
        job=to_message(news.job), progress=_progress(news.job.progress), resume_token=news.token
    )


def _result(job: Job) -> JsonObject:
    """Return the result, or, before there is one, the progress: the document has no other place for it."""
    is_running = run_status(job.state, job.attempt) == RunStatus.RUNNING
    if not is_running or job.progress is None:
        return job.result
    progress = job.progress
    return {"progress": {"stage": progress.stage, "fraction": progress.fraction, "message": progress.message}}


def _error_message(job: Job) -> str | None:
    if job.error_code is None:
        return job.error_message
    return f"{job.error_code}: {job.error_message}" if job.error_message else job.error_code


def _progress(progress: Progress | None) -> job_pb2.JobProgress | None:
    if progress is None:
        return None
    return job_pb2.JobProgress(stage=progress.stage, fraction=progress.fraction, message=progress.message)
