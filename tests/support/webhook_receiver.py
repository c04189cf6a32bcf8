"""A receiver of webhooks: a real HTTP server on loopback that answers as it is told and keeps what it got."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """Its body as JSON."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True)
class Reply:
    """How a request is answered; after `hold_seconds`, and a byte each `drip_seconds` where that is set."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hold_seconds: float = 0.0
    drip_seconds: float = 0.0


@dataclass
class Receiver:
    """What came in, in order, and the rule by which it is answered."""

    url: str
    answer: Callable[[Received], Reply] = lambda _: Reply()
    received: list[Received] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def event_ids(self) -> list[str]:
        """Return the ids of the events that came in."""
        return [one.headers["webhook-id"] for one in list(self.received)]


@contextlib.contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Run a receiver on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = Received(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
            receiver.received.append(one)
            _reply(self, receiver, receiver.answer(one))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopping.set()
        server.shutdown()
        server.server_close()


def _reply(handler: BaseHTTPRequestHandler, receiver: Receiver, reply: Reply) -> None:
    receiver.stopping.wait(reply.hold_seconds)
    with contextlib.suppress(OSError):
        handler.send_response(reply.status)
        for name, text in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, text)
        handler.end_headers()
        pieces = [reply.body] if not reply.drip_seconds else [reply.body[at : at + 1] for at in range(len(reply.body))]
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            if reply.drip_seconds and receiver.stopping.wait(reply.drip_seconds):
                return


def eventually(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until something holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
