"""How far a job is, in the words of each API: while it runs, and nowhere afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from shoald.application.jobs import JobNews
from shoald.domain.records.job import Job, Progress
from shoald.domain.vocabulary import JobState
from shoald.transport.mapping.clusters import tasks
from shoald.transport.mapping.rag import jobs
from support.builders import NOW

PROGRESS = {"stage": "quality", "fraction": 0.75, "message": "3 of 4 measures"}


def job(state: JobState, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "job_id": "j1",
        "namespace_id": "ns_default",
        "project_id": "p1",
        "job_type": "index_build",
        "state": state,
        "payload": {"cluster_id": "clust_1", "run_id": "run_1"},
        "result": {},
        "error_code": None,
        "error_message": None,
        "attempt": 1,
        "failures": 0,
        "cancel_requested": False,
        "listed": True,
        "progress": Progress(**PROGRESS),  # type: ignore[arg-type]
        "created_at": NOW,
        "updated_at": NOW,
        "finished_at": None,
    }
    return Job(**fields | changes)


def test_a_running_job_shows_it_in_its_result_and_a_running_task_in_its_additional_data() -> None:
    running = job(JobState.PROCESSING)
    assert json_format.MessageToDict(jobs.to_message(running).result) == {"progress": PROGRESS}
    assert json_format.MessageToDict(tasks.to_message(running).additional_data) == {
        "cluster_id": "clust_1",
        "run_id": "run_1",
        "job_id": "j1",
        "progress": PROGRESS,
    }


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED, JobState.CANCELED])
def test_an_ended_job_shows_none(state: JobState) -> None:
    ended = job(state, result={"build_id": "b1"}, finished_at=NOW)
    assert json_format.MessageToDict(jobs.to_message(ended).result) == {"build_id": "b1"}
    assert "progress" not in json_format.MessageToDict(tasks.to_message(ended).additional_data)


def test_a_watcher_is_told_it_as_a_message() -> None:
    told = jobs.news_message(JobNews(job=job(JobState.PROCESSING), token="t1"))
    assert (told.progress.stage, told.progress.fraction, told.progress.message) == tuple(PROGRESS.values())
    assert told.resume_token == "t1"
