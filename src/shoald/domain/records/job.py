"""A job: accepted work, whose row in PostgreSQL is the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is: the stage's name, its share of the whole job done (0 to 1), and a line for people."""

    stage: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One accepted piece of work.

    `attempt` is the fencing token: 0 before the first claim, then raised by one at each claim and never reset.
    `failures`
    counts the attempts that crashed, erred or lost their lease. `listed` says whether the RAG job lists show it.
    `error_detail` is what a failure said beside its message. `request_id` and `trace_parent` come from the call that
    asked for the job, so that the logs and traces of server and worker share them.
    `estimated_seconds` is known only in the call that accepts the job.
    """

    job_id: str
    namespace_id: str
    project_id: str | None
    job_type: str
    state: JobState
    payload: JsonObject
    result: JsonObject
    error_code: str | None
    error_message: str | None
    attempt: int
    failures: int
    cancel_requested: bool
    listed: bool
    progress: Progress | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    error_detail: JsonObject = field(default_factory=dict)
    queue: str = ""
    dispatch_no: int = 0
    request_id: str | None = None
    trace_parent: str | None = None
    estimated_seconds: float | None = None
