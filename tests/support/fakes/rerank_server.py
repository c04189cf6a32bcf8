"""A small `/rerank` endpoint on loopback that answers as it is told: well, slowly, wrongly, or not at all."""

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

from shoald.adapters.rerankers.mock import MockReranker


@dataclass(frozen=True)
class Reply:
    """What the next request gets instead of a good answer."""

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


class RerankServer(ThreadingHTTPServer):
    """Serves `/v1/rerank` in the form of each kind; `script` holds the next replies, `requests` what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: deque[Reply] = deque()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def rerank_server() -> Iterator[RerankServer]:
    """Run a server for the length of a `with`."""
    with RerankServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: RerankServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        self.server.keys.append(self.headers.get("Authorization"))
        self.server.paths.append(self.path)
        reply = self.server.script.popleft() if self.server.script else Reply()
        time.sleep(reply.delay_seconds)
        body = reply.body if reply.body is not None else good_answer(request)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the library's names
        return


def good_answer(request: Mapping[str, Any]) -> bytes:
    """The body of a good answer: the mock's scores, best first."""
    name = "score" if "texts" in request else "relevance_score"
    passages = request["texts"] if "texts" in request else request["documents"]
    scores = MockReranker().scores(request["query"], passages)
    rows = [{"index": number, name: score} for number, score in enumerate(scores)]
    rows.sort(key=lambda row: -row[name])
    return json.dumps(rows if name == "score" else {"id": "r", "results": rows}).encode()
