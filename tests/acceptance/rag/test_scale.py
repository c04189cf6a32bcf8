"""Large uploads and large sets through the whole installation: the memory of server and Envoy stays flat."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.stack import Stack

pytestmark = pytest.mark.acceptance

MIB = 1024 * 1024
MOST_GROWTH = 128 * MIB
_ITEM = b'{"item_id":'
WATCHED = ("serve", "envoy")
# what a server keeps after its first large answer (pools, arenas) is not what a larger one adds
WARMING = 8 * MIB


class Memory:
    """The largest memory of each process, sampled while a block runs."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.before = self._resident()
        self.most = dict(self.before)
        self._over = threading.Event()

    def _resident(self) -> dict[str, int]:
        return {name: _resident_bytes(pid) for name, pid in self._pids.items()}

    def watch(self) -> None:
        while not self._over.wait(0.1):
            for name, size in self._resident().items():
                self.most[name] = max(self.most[name], size)

    def end(self) -> None:
        self._over.set()

    @property
    def growth(self) -> dict[str, int]:
        return {name: self.most[name] - self.before[name] for name in self._pids}


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} is gone")


@contextmanager
def watched(stack: Stack) -> Iterator[Memory]:
    parts = stack.status()["parts"]
    memory = Memory({name: part["pid"] for name, part in parts.items() if name.startswith(WATCHED)})
    assert len(memory.before) >= 2, parts
    thread = threading.Thread(target=memory.watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        memory.end()
        thread.join()


@contextmanager
def connected(stack: Stack) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(stack.address, timeout=1800)
    try:
        yield connection
    finally:
        connection.close()


def post(stack: Stack, path: str, body: Any) -> Any:
    with connected(stack) as connection:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        read = answer.read()
    assert answer.status == 200, read[:500]
    return json.loads(read)


def upload(stack: Stack, project_id: str, pieces: Iterator[bytes], size: int) -> Any:
    """Send a form whose file comes in pieces, and return the answer."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.txt"\r\n\r\n'
    tail = b"\r\n--b--\r\n"
    with connected(stack) as connection:
        connection.putrequest("POST", f"/api/v1/projects/{project_id}/documents")
        connection.putheader("content-type", "multipart/form-data; boundary=b")
        connection.putheader("content-length", str(len(head) + size + len(tail)))
        connection.endheaders()
        for piece in itertools.chain([head], pieces, [tail]):
            connection.send(piece)
        answer = connection.getresponse()
        read = answer.read()
    assert answer.status == 200, read[:500]
    return json.loads(read)


def streamed(stack: Stack, method: str, path: str, body: Any = None) -> tuple[int, int, bytes]:
    """Read an answer part by part; return how many items and bytes it had, and its beginning."""
    given = None if body is None else json.dumps(body)
    with connected(stack) as connection:
        connection.request(method, path, given, {"content-type": "application/json"} if given else {})
        answer = connection.getresponse()
        first = last = answer.read(MIB)
        assert answer.status == 200, first[:500]
        items, size, rest = 0, 0, b""
        while last:
            size += len(last)
            counted = rest + last
            items += counted.count(_ITEM)
            rest = counted[1 - len(_ITEM) :]
            last = answer.read(MIB)
    return items, size, first


def project(stack: Stack) -> str:
    return str(post(stack, "/api/v1/projects", {"name": f"scale {time.time_ns()}"})["project_id"])


@pytest.mark.parametrize("size", [64 * MIB, pytest.param(2048 * MIB, marks=pytest.mark.nightly)])
def test_a_large_upload_leaves_memory_flat(shoal_up: Stack, size: int) -> None:
    project_id = project(shoal_up)
    piece = bytes(range(256)) * (MIB // 256)
    upload(shoal_up, project_id, iter([b"x" * WARMING]), WARMING)
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(size // MIB):
            marked = number.to_bytes(8, "big") + piece[8:]
            digest.update(marked)
            yield marked

    began = time.monotonic()
    with watched(shoal_up) as memory:
        answer = upload(shoal_up, project_id, pieces(), size)
    print(f"{size // MIB} MiB: {size / 1e6 / (time.monotonic() - began):.0f} MB/s, growth {memory.growth}")
    assert answer["document"]["metadata"]["size"] == size
    assert answer["document_version"]["content_hash"] == digest.hexdigest()
    assert max(memory.growth.values()) < MOST_GROWTH, memory.growth


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_a_large_set_is_written_and_read_with_memory_flat(shoal_up: Stack, count: int) -> None:
    project_id = project(shoal_up)
    lines = (f"line {number:08d} of a long text\n\n".encode() for number in range(count))
    size = len(b"line 00000000 of a long text\n\n") * count
    pieces = iter(lambda: b"".join(itertools.islice(lines, 10_000)), b"")
    version_id = upload(shoal_up, project_id, pieces, size)["document_version"]["version_id"]
    path = f"/api/v1/document_versions/{version_id}/segments"
    segment_set_id = post(shoal_up, path, {"loader_type": "text"})["segment_set"]["segment_set_version_id"]
    cutting = {"strategy": "recursive", "chunker_params": {"chunk_size": 30, "chunk_overlap": 0}}
    # the first answer warms the pools of a server that has answered nothing yet
    streamed(shoal_up, "GET", f"/api/v1/segment_sets/{segment_set_id}")
    began = time.monotonic()
    with watched(shoal_up) as memory:
        items, written, first = streamed(shoal_up, "POST", f"/api/v1/segment_sets/{segment_set_id}/chunk", cutting)
        made = time.monotonic()
        chunk_set_id = json.loads(first[: first.index(b',"items":')] + b"}")["chunk_set"]["chunk_set_version_id"]
        again, read, _ = streamed(shoal_up, "GET", f"/api/v1/chunk_sets/{chunk_set_id}")
    print(f"{count} items, {read / 1e6:.0f} MB: made in {made - began:.1f} s, read in {time.monotonic() - made:.1f} s")
    print(f"growth {memory.growth}")
    assert (items, again) == (count, count)
    assert written == read
    assert max(memory.growth.values()) < MOST_GROWTH, memory.growth
