"""A small OpenAI-compatible server on loopback that answers as it is told: well, slowly, wrongly, or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from shoald.adapters.embedders.mock import MockEmbedder


@dataclass(frozen=True)
class Reply:
    """What the next request gets instead of a good answer."""

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


class OpenAIServer(ThreadingHTTPServer):
    """Serves `/v1/embeddings`; `script` holds the next replies, `requests` what was asked.

    `most_at_once` is how many requests waited for their answers together.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: deque[Reply] = deque()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self._waiting = 0
        self._count = threading.Lock()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """One request more that waits for its answer."""
        with self._count:
            self._waiting += 1
            self.most_at_once = max(self.most_at_once, self._waiting)
        yield
        with self._count:
            self._waiting -= 1

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """Run a server for the length of a `with`."""
    with OpenAIServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: OpenAIServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        self.server.keys.append(self.headers.get("Authorization"))
        reply = self.server.script.popleft() if self.server.script else Reply()
        with self.server.waiting():
            time.sleep(reply.delay_seconds)
        body = reply.body if reply.body is not None else good_answer(request["input"])
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the library's names
        return


def good_answer(texts: list[str]) -> bytes:
    """The body of a good answer: the mock's vectors, not of unit length, last one first."""
    vectors = MockEmbedder().embed_passages(texts) * np.float32(3)
    rows = [
        {"object": "embedding", "index": number, "embedding": vector.tolist()} for number, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return json.dumps({"object": "list", "data": rows[::-1], "model": "m", "usage": usage}).encode()
