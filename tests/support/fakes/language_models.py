"""A small server on loopback with the shapes of OpenAI, Google and Anthropic, which answers as it is told.

It answers well unless its script says otherwise: badly, late, too much, with half a stream, with an injection's words,
or with a refusal. What it was asked and what it said is its transcript.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_DOCUMENT = re.compile(r"^[0-9a-f]{8,} document \d+\n(.*?)(?=^[0-9a-f]{8,} )", re.DOTALL | re.MULTILINE)
_WORDS = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True)
class Said:
    """What the next question gets: a model's `text`, or a `status` with a `body` as it is.

    `drip_seconds` is the pause before each byte, `cut_after` the number of bytes after which the line breaks.
    """

    text: str | None = None
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    cut_after: int | None = None


@dataclass(frozen=True)
class Asked:
    """One question as it came: whose shape it has, and what it says."""

    shape: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body.get("model") or self.path.rpartition("/")[2].partition(":")[0])

    @property
    def system(self) -> str:
        """The instructions."""
        if self.shape == "openai":
            return str(self.body["messages"][0]["content"])
        if self.shape == "google":
            return str(self.body["systemInstruction"]["parts"][0]["text"])
        return str(self.body["system"])

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What is shown, part by part."""
        if self.shape == "google":
            return list(self.body["contents"][0]["parts"])
        content = self.body["messages"][-1]["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)

    @property
    def text(self) -> str:
        """All words that are shown."""
        return "\n\n".join(part["text"] for part in self.parts if "text" in part)

    @property
    def documents(self) -> list[str]:
        """The documents that are shown."""
        return [one.strip() for one in _DOCUMENT.findall(self.text)]


class ModelServer(ThreadingHTTPServer):
    """Answers by `script` first, then by `answer`; `asked` is what came, in its order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: deque[Said] = deque()
        self.asked: list[Asked] = []
        self.transcript: list[dict[str, Any]] = []
        self.answer: Callable[[Asked], Said] = lambda asked: Said(text=good_answer(asked))
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_for(self, asked: Asked) -> Said:
        """Return what a question gets."""
        with self._lock:
            self.asked.append(asked)
            said = self.script.popleft() if self.script else None
        return said or self.answer(asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that hang up are none of a test's business."""


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run a server for the length of a `with`."""
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def good_answer(asked: Asked) -> str:
    """Name a group after the word that most of its documents have."""
    counts = Counter(word for one in asked.documents for word in set(_WORDS.findall(one.lower())))
    words = [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))][:3] or ["nothing"]
    said = {"label": f"About {words[0]}", "summary": f"They speak of {words[0]}.", "keywords": words, "confidence": 0.9}
    return json.dumps(said)


def enveloped(asked: Asked, text: str) -> dict[str, Any]:
    """Return an answer in the shape of who was asked; a token is four characters."""
    tokens_in, tokens_out = len(asked.system + asked.text) // 4, len(text) // 4
    if asked.shape == "openai":
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": asked.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out},
        }
    if asked.shape == "google":
        counts = {"promptTokenCount": tokens_in, "candidatesTokenCount": tokens_out}
        content = {"role": "model", "parts": [{"text": text}]}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": counts,
            "modelVersion": asked.model,
        }
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": tokens_in, "output_tokens": tokens_out},
    }


def shape_of(path: str) -> str:
    """Say whose path it is."""
    if path.endswith("/chat/completions"):
        return "openai"
    return "google" if path.endswith(":generateContent") else "anthropic"


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(shape=shape_of(self.path), path=self.path, headers=headers, body=body)
        said = self.server.next_for(asked)
        time.sleep(said.delay_seconds)
        answer = said.body
        if answer is None:
            answer = json.dumps(enveloped(asked, said.text or "")).encode()
        self.server.transcript.append({"path": self.path, "request": body, "status": said.status, "answer": answer})
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(said, answer)

    def _send(self, said: Said, answer: bytes) -> None:
        self.send_response(said.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.end_headers()
        sent = answer if said.cut_after is None else answer[: said.cut_after]
        if said.drip_seconds:
            for at in range(len(sent)):
                self.wfile.write(sent[at : at + 1])
                time.sleep(said.drip_seconds)
        else:
            self.wfile.write(sent)
        if said.cut_after is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the library's names
        return
