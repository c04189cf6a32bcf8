"""A pipeline whose worker is killed between two steps goes on with the next, through the whole installation."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from shoald.cli.rest_client import RestClient
from support.stack import Stack

pytestmark = pytest.mark.acceptance

TEXTS = 20_000


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has just ended
            if parent == pid:
                found.append(int(entry.name))
    return found


def started(stack: Stack, client: RestClient) -> tuple[str, str]:
    """Start a pipeline over many texts; return the ids of its project and its job."""
    project_id = client.post("/api/v1/projects", {"name": "killed"})["project_id"]
    index = {"name": "main", "provider": "faiss"}
    index_id = client.post(f"/api/v1/projects/{project_id}/indexes", index)["index_id"]
    content = json.dumps([f"text {number} of many" for number in range(TEXTS)])
    fields = {"loader_type": "json", "execution_mode": "async", "create_index": "true", "index_id": index_id}
    path = f"{stack.url}/api/v1/projects/{project_id}/pipeline/file"
    answer = httpx.post(path, data=fields, files={"file": ("many.json", content)}, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return project_id, answer.json()["job_id"]


def wait_for(read: Any, seconds: float = 240) -> Any:
    until = time.monotonic() + seconds
    while not (found := read()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_a_killed_worker_costs_no_finished_step(shoal_up: Stack) -> None:
    with RestClient(shoal_up.url) as client:
        project_id, job_id = started(shoal_up, client)
        (segment_set,) = wait_for(lambda: client.get(f"/api/v1/projects/{project_id}/segment_sets"))
        assert client.get(f"/api/v1/jobs/{job_id}")["status"] == "running"
        for pid in children_of(shoal_up.status()["parts"]["work"]["pid"]):
            os.kill(pid, signal.SIGKILL)

        def ended() -> Any:
            job = client.get(f"/api/v1/jobs/{job_id}")
            return job if job["status"] in {"succeeded", "failed"} else None

        job = wait_for(ended)
        assert job["status"] == "succeeded", job["error_message"]
        assert job["result"]["segment_set_version_id"] == segment_set["segment_set_version_id"]
        assert len(client.get(f"/api/v1/projects/{project_id}/segment_sets")) == 1
        (chunk_set,) = client.get(f"/api/v1/projects/{project_id}/chunk_sets")
        assert chunk_set["total_items"] == TEXTS
        build = client.get(f"/api/v1/index_builds/{job['result']['index_build_id']}")
        assert (build["status"], build["chunk_set_version_id"]) == ("succeeded", chunk_set["chunk_set_version_id"])
