"""Sweeps as messages."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from shoal.clusters.v1 import sweep_pb2, sweep_service_pb2

from shoald.application.sweeping import SweepRequest
from shoald.domain.job_states import TERMINAL
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from shoald.transport.json_values import documented

_CHANGES = ("filters", "sample_size")


def request_of(body: sweep_service_pb2.StartSweepBody) -> SweepRequest:
    """Return what is to be tried."""
    asked: dict[str, Any] = documented(body)
    changes = {name: asked[name] for name in _CHANGES if asked.get(name)}
    return SweepRequest(grid=asked.get("grid") or {}, settings=asked.get("settings") or [], changes=changes)


def to_message(job: Job) -> sweep_pb2.Sweep:
    """Return a sweep as its job tells it."""
    is_done = job.state == JobState.COMPLETED
    progress = job.progress if job.state not in TERMINAL else None
    fraction = 1.0 if is_done else progress.fraction if progress else 0.0
    message = sweep_pb2.Sweep(
        sweep_id=job.job_id,
        cluster_id=job.payload["cluster_id"],
        status=job.state.value,
        progress=fraction,
        progress_message=progress.message if progress else None,
        error=job.error_message,
    )
    if is_done:
        found = {name: job.result[name] for name in ("points", "suggested", "documents", "warnings")}
        json_format.ParseDict(found, message)
    return message
