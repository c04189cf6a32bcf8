"""What every language model keeps, in front of a real HTTP server with the shape of its provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shoald.adapters.language_models.anthropic import AnthropicModel
from shoald.adapters.language_models.google import GoogleModel
from shoald.adapters.language_models.media_fetching import MediaFetching
from shoald.adapters.language_models.openai import ModelEndpoint, OpenAIModel
from shoald.adapters.outward_addresses import CheckedAddresses
from shoald.application.ports.language_model import LONGEST_ANSWER, LanguageModel, ModelFailure, NoAnswerBecause
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.labelling.prompt_writing import ShownDocument, write_prompt
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart
from support.fakes.language_models import ModelServer, Said, good_answer, model_server

TRANSCRIPTS = Path(__file__).with_name("transcripts")
KEY = "sk-very-secret"
PNG = b"\x89PNG\r\n\x1a\n0000"
_MEDIA = MediaFetching(CheckedAddresses())

MADE: dict[str, Callable[[str], LanguageModel]] = {
    "openai": lambda url: OpenAIModel(ModelEndpoint(base_url=f"{url}/v1", api_key=KEY), _MEDIA),
    "google": lambda url: GoogleModel(base_url=url, api_key=KEY, media=_MEDIA),
    "anthropic": lambda url: AnthropicModel(base_url=url, api_key=KEY, media=_MEDIA),
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as made:
        yield made


@pytest.fixture(params=sorted(MADE))
def model(request: pytest.FixtureRequest, server: ModelServer) -> Iterator[LanguageModel]:
    made: Any = MADE[request.param](server.url)
    yield made
    made.close()


def question(*, media: tuple[PromptPart, ...] = (), **labeling: Any) -> LabelPrompt:
    plan = label_plan({"provider": "openai", "parameters": {"model": "some-model", "temperature": 0.2}, **labeling})
    documents = [ShownDocument(text="reading files"), ShownDocument(text="writing files", media=media)]
    return write_prompt(plan, documents=documents, fence="0123456789abcdef")


def test_an_answer_comes_back_with_its_tokens_and_its_model(model: LanguageModel, server: ModelServer) -> None:
    answer = model.ask(question(), timeout_seconds=10)
    assert answer.text == good_answer(server.asked[0])
    assert answer.model == "some-model"
    assert (answer.input_tokens or 0) > 100
    assert (answer.output_tokens or 0) > 10
    (asked,) = server.asked
    assert asked.documents == ["reading files", "writing files"]
    assert KEY in "".join(asked.headers.values())


def test_an_answer_that_is_too_long_shows_that_it_is(model: LanguageModel, server: ModelServer) -> None:
    server.answer = lambda _: Said(text="x" * (2 * LONGEST_ANSWER))
    assert len(model.ask(question(), timeout_seconds=10).text) == LONGEST_ANSWER + 1


@pytest.mark.parametrize("name", sorted(MADE))
def test_what_is_asked_and_answered_is_as_the_provider_documents_it(name: str, server: ModelServer) -> None:
    """The transcripts are golden: `{"path", "request", "answer"}` of one question each."""
    made: Any = MADE[name](server.url)
    made.ask(question(), timeout_seconds=10)
    made.close()
    (line,) = server.transcript
    said = {"path": line["path"], "request": line["request"], "answer": json.loads(line["answer"])}
    known = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    assert said == known


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(status=401, body=b'{"error": {"message": "no"}}'), NoAnswerBecause.KEY_REFUSED),
        (Said(status=403, body=b"{}"), NoAnswerBecause.KEY_REFUSED),
        (Said(status=400, body=b'{"error": {"message": "API key not valid."}}'), NoAnswerBecause.KEY_REFUSED),
        (Said(status=404, body=b'{"error": {"message": "model not found"}}'), NoAnswerBecause.REQUEST_REFUSED),
        (Said(status=400, body=b'{"error": {"message": "prompt is too long"}}'), NoAnswerBecause.TOO_LONG),
        (Said(status=413, body=b"{}"), NoAnswerBecause.TOO_LONG),
        (Said(status=429, body=b"{}"), NoAnswerBecause.RATE_LIMITED),
        (Said(status=529, body=b"{}"), NoAnswerBecause.RATE_LIMITED),
        (Said(status=500, body=b"oops"), NoAnswerBecause.UNREACHABLE),
        (Said(status=302, body=b"", headers={"Location": "http://169.254.169.254/"}), NoAnswerBecause.REQUEST_REFUSED),
        (Said(body=b"<html>"), NoAnswerBecause.NOTHING_SAID),
        (Said(body=b"[1]"), NoAnswerBecause.NOTHING_SAID),
        (Said(body=b"{}"), NoAnswerBecause.NOTHING_SAID),
        (Said(text=""), NoAnswerBecause.NOTHING_SAID),
        (Said(text="well said", cut_after=40), NoAnswerBecause.UNREACHABLE),
        (Said(body=b"{" + b" " * (5 << 20) + b"}"), NoAnswerBecause.NOTHING_SAID),
        (Said(text="late", delay_seconds=1.5), NoAnswerBecause.TIMED_OUT),
        (Said(text="slowly", drip_seconds=0.05), NoAnswerBecause.TIMED_OUT),
    ],
)
def test_each_way_of_not_answering_has_its_name(
    model: LanguageModel, server: ModelServer, said: Said, kind: NoAnswerBecause
) -> None:
    server.script.append(said)
    with pytest.raises(ModelFailure) as failed:
        model.ask(question(), timeout_seconds=0.5 if said.delay_seconds or said.drip_seconds else 20)
    assert failed.value.kind is kind
    assert KEY not in failed.value.message
    assert len(server.asked) == 1, "nobody asks twice behind the caller's back"


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "7"}, b"{}", 7.0),
        ({"retry-after-ms": "250"}, b"{}", 0.25),
        ({}, b'{"error": {"details": [{"retryDelay": "12s"}]}}', 12.0),
        ({}, b"{}", None),
        ({"Retry-After": "soon"}, b"{}", None),
    ],
)
def test_a_limit_says_how_long_to_wait(
    model: LanguageModel, server: ModelServer, headers: dict[str, str], body: bytes, seconds: float | None
) -> None:
    server.script.append(Said(status=429, headers=headers, body=body))
    with pytest.raises(ModelFailure) as failed:
        model.ask(question(), timeout_seconds=20)
    assert failed.value.retry_after_seconds == seconds


def test_nobody_there_is_said(server: ModelServer) -> None:
    for make in MADE.values():
        with pytest.raises(ModelFailure) as failed:
            make("http://127.0.0.1:1").ask(question(), timeout_seconds=5)
        assert failed.value.kind is NoAnswerBecause.UNREACHABLE
    assert server.asked == []


def test_a_picture_goes_as_bytes_in_each_shape(model: LanguageModel, server: ModelServer) -> None:
    picture = PromptPart(kind=PartKind.IMAGE, data=PNG, media_type="image/png", source="data:1")
    model.ask(question(media=(picture,)), timeout_seconds=20)
    (asked,) = server.asked
    assert "iVBORw0KGgowMDAw" in json.dumps(asked.body)
    assert "image/png" in json.dumps(asked.body)


def test_a_link_is_handed_on_where_the_provider_fetches_and_refused_where_we_would_have_to_go_inside(
    model: LanguageModel, server: ModelServer
) -> None:
    """An address inside is refused before any connection: the provider is not even asked."""
    inside = PromptPart(kind=PartKind.IMAGE, url="http://127.0.0.1:9/secret.png")
    if PartKind.IMAGE in model.fetches and not isinstance(model, AnthropicModel):
        model.ask(question(media=(inside,)), timeout_seconds=20)
        assert "http://127.0.0.1:9/secret.png" in json.dumps(server.asked[0].body)
        return
    with pytest.raises(ModelFailure, match="not an address on the public internet"):
        model.ask(question(media=(inside,)), timeout_seconds=20)
    assert server.asked == []


def test_a_server_that_knows_no_schemas_is_asked_in_words(server: ModelServer) -> None:
    model = OpenAIModel(ModelEndpoint(base_url=f"{server.url}/v1"), _MEDIA)
    refused = Said(status=400, body=b'{"error": {"message": "response_format json_schema is not supported"}}')
    server.script.append(refused)
    for _ in range(2):
        model.ask(question(), timeout_seconds=20)
    model.close()
    assert ["response_format" in asked.body for asked in server.asked] == [True, False, False]


def test_a_schema_with_fields_that_may_be_null_is_asked_by(model: LanguageModel, server: ModelServer) -> None:
    shape = {"properties": {"label": {"type": "string"}, "note": {"type": ["string", "null"]}}}
    model.ask(question(response_shape=shape), timeout_seconds=20)
    if isinstance(model, GoogleModel):
        schema = server.asked[0].body["generationConfig"]["responseSchema"]
        assert schema["properties"]["note"] == {"type": "string", "nullable": True}


@pytest.mark.parametrize("count", [10**20, -1, True, "9"])
def test_a_count_of_tokens_that_cannot_be_is_none(model: LanguageModel, server: ModelServer, count: Any) -> None:
    model.ask(question(), timeout_seconds=20)
    envelope = json.loads(server.transcript[0]["answer"])
    usage = envelope["usageMetadata" if isinstance(model, GoogleModel) else "usage"]
    usage |= dict.fromkeys(usage, count)
    server.script.append(Said(body=json.dumps(envelope).encode()))
    answer = model.ask(question(), timeout_seconds=20)
    assert (answer.input_tokens, answer.output_tokens) == (None, None)


@pytest.mark.parametrize("kind", [GoogleModel, AnthropicModel])
@pytest.mark.parametrize(("url", "key"), [("http://[::1", "k"), ("http://127.0.0.1:1", "schlüssel")])
def test_settings_that_cannot_be_are_no_answer(kind: Any, url: str, key: str) -> None:
    with pytest.raises(ModelFailure) as failed:
        kind(base_url=url, api_key=key, media=_MEDIA).ask(question(), timeout_seconds=5)
    assert failed.value.kind is NoAnswerBecause.UNREACHABLE
