"""Media that a provider takes as bytes alone are fetched within the time of the call."""

from __future__ import annotations

import base64
import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shoald.adapters.language_models.anthropic import AnthropicModel
from shoald.adapters.language_models.google import GoogleModel
from shoald.adapters.language_models.media_fetching import MediaFetching
from shoald.adapters.language_models.openai import ModelEndpoint, OpenAIModel
from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.application.ports.language_model import ModelFailure, NoAnswerBecause
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.labelling.prompt_writing import ShownDocument, write_prompt
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart
from support.fakes.language_models import ModelServer, model_server

PNG = b"\x89PNG\r\n\x1a\n0000"
PICTURES = 8
MEDIA = MediaFetching(CheckedAddresses(private=[ipaddress.ip_network("127.0.0.0/8")]))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class _Pictures(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay = delay
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Pictures

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        time.sleep(self.server.delay)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(PNG)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked may have hung up
            self.wfile.write(PNG)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the library's names
        return


@contextmanager
def pictures(delay: float) -> Iterator[_Pictures]:
    with _Pictures(delay) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as made:
        yield made


@pytest.fixture
def model(server: ModelServer) -> Iterator[GoogleModel]:
    made = GoogleModel(base_url=server.url, api_key="key", media=MEDIA)
    yield made
    made.close()


def question(shown: _Pictures) -> LabelPrompt:
    host: Any = shown.server_address
    media = tuple(PromptPart(kind=PartKind.IMAGE, url=f"http://127.0.0.1:{host[1]}/{at}.png") for at in range(PICTURES))
    plan = label_plan({"provider": "google", "model_name": "gemini-2.5-flash-lite"})
    return write_prompt(plan, documents=[ShownDocument(text="ships", media=media)], fence="0123456789abcdef")


def test_pictures_that_a_provider_does_not_fetch_go_as_bytes(model: GoogleModel, server: ModelServer) -> None:
    with pictures(0) as shown:
        model.ask(question(shown), timeout_seconds=20)
    assert len(shown.asked) == PICTURES
    assert json.dumps(server.asked[0].body).count("iVBORw0KGgowMDAw") == PICTURES


FILM, SOUND = b"\0\0\0\x18ftypmp42", b"ID3sound"
SENT = {
    "openai": [
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{b64(FILM)}"}},
        {"type": "input_audio", "input_audio": {"data": b64(SOUND), "format": "mp3"}},
    ],
    "google": [
        {"inlineData": {"mimeType": "video/mp4", "data": b64(FILM)}},
        {"inlineData": {"mimeType": "audio/mpeg", "data": b64(SOUND)}},
    ],
}


@pytest.mark.parametrize("provider", SENT)
def test_films_and_sounds_go_in_the_shape_of_the_provider(provider: str, server: ModelServer) -> None:
    made: OpenAIModel | GoogleModel = (
        OpenAIModel(ModelEndpoint(base_url=f"{server.url}/v1"), MEDIA)
        if provider == "openai"
        else GoogleModel(base_url=server.url, api_key="key", media=MEDIA)
    )
    kept = ((PartKind.VIDEO, FILM), (PartKind.AUDIO, SOUND))
    media = tuple(PromptPart(kind=kind, load=partial(bytes, data), source="kept") for kind, data in kept)
    plan = label_plan({"provider": provider, "parameters": {"model": "m"}})
    made.ask(write_prompt(plan, documents=[ShownDocument(media=media)], fence="0123456789abcdef"), timeout_seconds=20)
    made.close()
    assert {PartKind.VIDEO, PartKind.AUDIO} < made.takes
    assert [part for part in server.asked[0].parts if "text" not in part] == SENT[provider]


def test_openai_itself_takes_pictures_and_anthropic_too_and_no_more() -> None:
    """What a provider does not take is left out with a warning, and not sent."""
    openai = OpenAIModel(ModelEndpoint(base_url="https://api.openai.com/v1/", api_key="key"), MEDIA)
    anthropic = AnthropicModel(base_url="https://api.anthropic.com", api_key="key", media=MEDIA)
    assert openai.takes == anthropic.takes == {PartKind.IMAGE}


def test_slow_pictures_end_with_the_time_of_the_call(model: GoogleModel, server: ModelServer) -> None:
    """Each comes soon enough by itself; together they take longer than the call may."""
    with pictures(0.25) as shown, pytest.raises(ModelFailure, match="could not be fetched") as failed:
        model.ask(question(shown), timeout_seconds=0.6)
    assert failed.value.kind is NoAnswerBecause.REQUEST_REFUSED
    assert 1 <= len(shown.asked) < PICTURES
    assert server.asked == []
