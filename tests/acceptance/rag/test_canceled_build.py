from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from contract.player import http_sender
from support.stack import Stack

pytestmark = pytest.mark.acceptance


class Rest:
    """JSON calls to one installation."""

    def __init__(self, stack: Stack) -> None:
        self._send = http_sender(stack.url)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        given = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, {"content-type": "application/json"} if given else {}, given)
        assert answer.status == 200, (answer.status, answer.body)
        return json.loads(answer.body)


def wait_for(read: Any, wanted: Any, seconds: float) -> Any:
    until = time.monotonic() + seconds
    while True:
        found = read()
        if wanted(found):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def chunks_of_new_texts(rest: Rest, count: int) -> tuple[str, str]:
    """Store texts that were never embedded, and return the project's and the chunk set's id."""
    words = [format(random.getrandbits(40), "x") for _ in range(count * 30)]
    text = "\n\n".join(" ".join(words[row * 30 : row * 30 + 30]) for row in range(count))
    project = rest("POST", "/api/v1/projects", {"name": "canceled"})["project_id"]
    boundary = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n'
    answer = rest._send(
        "POST",
        f"/api/v1/projects/{project}/documents",
        {"content-type": "multipart/form-data; boundary=b"},
        boundary.encode(),
    )
    version = json.loads(answer.body)["document_version"]["version_id"]
    path = f"/api/v1/document_versions/{version}/segments"
    segments = rest("POST", path, {"loader_type": "json", "source_text": text})["segment_set"]
    path = f"/api/v1/segment_sets/{segments['segment_set_version_id']}/chunk"
    chunks = rest("POST", path, {"chunker_params": {"chunk_size": 360, "chunk_overlap": 0}})
    return project, chunks["chunk_set"]["chunk_set_version_id"]


def test_a_running_build_ends_within_two_seconds_of_its_cancel_and_publishes_nothing(shoal_up: Stack) -> None:
    rest = Rest(shoal_up)
    project, chunk_set = chunks_of_new_texts(rest, 1500)
    config = {"embedding_provider": "local"}
    index = rest("POST", f"/api/v1/projects/{project}/indexes", {"name": "i", "provider": "faiss", "config": config})[
        "index_id"
    ]
    request = {"chunk_set_version_id": chunk_set, "execution_mode": "async"}
    accepted = rest("POST", f"/api/v1/indexes/{index}/builds", request)
    job_path = f"/api/v1/jobs/{accepted['job_id']}"
    running = wait_for(lambda: rest("GET", job_path), lambda job: "progress" in job["result"], 60)
    assert running["status"] == "running"
    assert 0 <= running["result"]["progress"]["fraction"] < 1
    begun = time.monotonic()
    rest("POST", f"{job_path}/cancel", {})
    ended = wait_for(lambda: rest("GET", job_path), lambda job: job["status"] not in {"queued", "running"}, 20)
    assert time.monotonic() - begun < 2.0 + 2.5, "two seconds, and some for a busy machine"
    assert ended["status"] == "failed"
    assert "cancel" in ended["error_message"]
    build = rest("GET", f"/api/v1/index_builds/{accepted['build']['build_id']}")
    assert (build["status"], build["is_active"]) == ("failed", False)
    assert rest("GET", f"/api/v1/indexes/{index}")["status"] == "created"
