"""Clients that misbehave, servers that die under a client: nobody else notices, nothing looks whole that is not."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from support import http2_frames
from support.stack import Stack

pytestmark = pytest.mark.acceptance

_LARGE = 24 << 20


@pytest.mark.parametrize("resets", [4_000, pytest.param(20_000, marks=pytest.mark.nightly)])
def test_rapid_resets_end_their_own_connection_only(shoal_up: Stack, resets: int) -> None:
    """R17: a connection that opens and resets streams is cut; calls of others go on."""
    with _victim(shoal_up) as seconds:
        assert _is_cut_after(shoal_up, resets), "the connection was never cut"
    assert len(seconds) >= 5
    assert statistics.median(seconds) < 0.5
    assert max(seconds) < 5.0


def _is_cut_after(stack: Stack, resets: int) -> bool:
    """Open and reset streams; return whether Envoy then closes the connection, or has closed it before."""
    host, port = stack.address.split(":")
    headers = {":method": "GET", ":scheme": "http", ":path": "/api/v1/projects", ":authority": stack.address}
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(http2_frames.PREFACE + http2_frames.settings())
            for number in range(resets):
                stream = 2 * number + 1
                connection.sendall(http2_frames.request(stream, headers) + http2_frames.reset(stream))
            # what was sent may still lie in the kernel's buffers: only the end of the answers says that it was read
            while connection.recv(64 << 10):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True


@contextlib.contextmanager
def _victim(stack: Stack) -> Iterator[list[float]]:
    """Call the API again and again while the block lasts; lend the seconds that each call took."""
    seconds: list[float] = []
    done = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=stack.url, timeout=10) as client:
            while not done.is_set() or len(seconds) < 5:
                began = time.perf_counter()
                assert client.get("/api/v1/projects", params={"limit": 1}).status_code == 200
                seconds.append(time.perf_counter() - began)

    thread = threading.Thread(target=call)
    thread.start()
    yield seconds
    done.set()
    thread.join()


def test_servers_listen_on_loopback_only(shoal_up: Stack) -> None:
    addresses = [part["address"] for part in shoal_up.status()["parts"].values() if part["address"]]
    assert addresses
    assert all(address.startswith("127.0.0.1:") for address in addresses)


# a part that dies again and again is started after longer and longer pauses
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.nightly)])
def test_an_answer_whose_server_is_killed_never_looks_whole(shoal_up: Stack, kills: int) -> None:
    """R16: the client sees a broken transfer each time, and the server comes back."""
    path = _large_segment_set(shoal_up)
    for _ in range(kills):
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            _read_while_the_server_dies(shoal_up, path)
        _wait_until_healthy(shoal_up)
    with httpx.Client(base_url=shoal_up.url, timeout=60) as client:
        items = client.get(path).json()["items"]
    assert [len(item["content"]) for item in items] == [_LARGE]


def _large_segment_set(stack: Stack) -> str:
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        project = client.post("/api/v1/projects", json={"name": "large"}).json()["project_id"]
        made = client.post(f"/api/v1/projects/{project}/documents", files={"file": ("a.txt", b"-")}).json()
        version = made["document_version"]["version_id"]
        body = {"loader_type": "json", "source_text": "x" * _LARGE}
        answer = client.post(f"/api/v1/document_versions/{version}/segments", json=body)
        assert answer.status_code == 200, answer.text[:300]
        return f"/api/v1/segment_sets/{json.loads(answer.content)['segment_set']['segment_set_version_id']}"


def _read_while_the_server_dies(stack: Stack, path: str) -> int:
    connection = http.client.HTTPConnection(stack.address, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        got = len(answer.read(64 << 10))
        for name, part in stack.status()["parts"].items():
            if name.startswith("serve"):
                os.kill(part["pid"], signal.SIGKILL)
        while piece := answer.read(1 << 20):
            got += len(piece)
        return got
    finally:
        connection.close()


def _wait_until_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # short calls and streams have a pool and a port each, and Envoy finds each again by itself
        with contextlib.suppress(httpx.HTTPError):
            short = httpx.get(stack.url + "/api/v1/projects", params={"limit": 1}, timeout=2).status_code
            stream = httpx.get(stack.url + "/api/v1/segment_sets/none", timeout=2).status_code
            if (short, stream) == (200, 404):
                return
        time.sleep(0.1)
    pytest.fail("the server did not come back")
