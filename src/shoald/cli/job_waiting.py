"""Waits for the server's jobs, and shows how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from shoald.cli.progress import Report
from shoald.cli.rest_client import RestClient, RestError

_POLL_SECONDS = 0.25
_ENDED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED", "SKIPPED"})
_FULFILLED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS"})


def finished_job(client: RestClient, job_id: str, report: Report) -> dict[str, Any]:
    """Wait for the end of a job of the RAG API and return it as it is then.

    Ctrl-C cancels the job, which would else keep the next one waiting.
    """
    try:
        return wait_for(lambda: client.get(f"/api/v1/jobs/{job_id}"), _job_progress, report)
    except KeyboardInterrupt:
        with suppress(RestError):
            client.post(f"/api/v1/jobs/{job_id}/cancel")
        raise


def completed_task(client: RestClient, task_id: str, report: Report) -> dict[str, Any]:
    """Wait for the end of a task of the clusters API and return it; raises `RestError` when it came to nothing.

    Ctrl-C cancels the task, which would else keep the next one waiting.
    """
    try:
        ended = wait_for(lambda: client.get(f"/v1/tasks/{task_id}"), _task_progress, report)
    except KeyboardInterrupt:
        with suppress(RestError):
            client.delete(f"/v1/tasks/{task_id}")
        raise
    if ended["status"] not in _FULFILLED:
        raise RestError(f"the run ended as {ended['status']}: {ended.get('error')}")
    return ended


def wait_for(
    poll: Callable[[], dict[str, Any]], read: Callable[[dict[str, Any]], tuple[bool, float, str]], report: Report
) -> dict[str, Any]:
    """Ask again and again until `read` says that it has ended; `read` gives (ended, share done, words)."""
    while True:
        answer = poll()
        ended, fraction, words = read(answer)
        report(fraction, words)
        if ended:
            return answer
        time.sleep(_POLL_SECONDS)


def _job_progress(job: dict[str, Any]) -> tuple[bool, float, str]:
    if job["status"] in {"succeeded", "failed"}:
        return True, 1.0, ""
    progress = job["result"].get("progress") or {}
    return False, float(progress.get("fraction", 0)), str(progress.get("message") or progress.get("stage") or "queued")


def _task_progress(task: dict[str, Any]) -> tuple[bool, float, str]:
    now = (task.get("additional_data") or {}).get("progress") or {}
    words = str(now.get("message") or now.get("stage") or "queued")
    return task["status"] in _ENDED, float(now.get("fraction", 0)), words
