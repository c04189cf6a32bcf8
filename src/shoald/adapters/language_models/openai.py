"""Questions go to any OpenAI-compatible endpoint by the `openai` package; the answer comes back."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoald.adapters.language_models.answering import answered_object, counted, late, read_in_time, seconds_until
from shoald.adapters.language_models.media_fetching import MediaFetching, in_base64
from shoald.adapters.language_models.refusals import pause_asked_by, refusal_of, refuses_the_shape
from shoald.application.ports.language_model import LONGEST_ANSWER, ModelAnswer, ModelFailure, NoAnswerBecause
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart

if TYPE_CHECKING:
    from openai import OpenAI

DEFAULT_URL = "https://api.openai.com/v1"
# these refuse `max_tokens`
_COMPLETION_TOKENS = re.compile(r"o\d|gpt-5")
_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav"}
_NO_KEY = "none"
_Content = str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEndpoint:
    """Where to ask, with which key; None where it needs none."""

    base_url: str
    api_key: str | None = None


class OpenAIModel:
    """All models of one endpoint; those that do not know JSON schemas are asked in words alone from then on."""

    def __init__(self, endpoint: ModelEndpoint, media: MediaFetching) -> None:
        self._endpoint = endpoint
        self._media = media
        self._client: OpenAI | None = None
        self._lock = threading.Lock()
        self._unshaped: set[str] = set()

    @property
    def takes(self) -> frozenset[PartKind]:
        """Pictures; sounds and films where the endpoint is not OpenAI's own."""
        is_own = self._endpoint.base_url.rstrip("/") == DEFAULT_URL
        return frozenset({PartKind.IMAGE}) if is_own else frozenset(PartKind) - {PartKind.TEXT}

    @property
    def fetches(self) -> frozenset[PartKind]:
        """Sounds are taken as bytes only."""
        return frozenset({PartKind.IMAGE, PartKind.VIDEO})

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        """Ask once; where the server refuses the answer's form, once more without it."""
        self._opened()  # imports, which are none of the provider's time
        ends = time.monotonic() + timeout_seconds
        content = self._content(prompt, ends)
        has_shape = prompt.wants_json and prompt.model not in self._unshaped
        try:
            found = self._sent(prompt, content, ends, has_shape=has_shape)
        except _ShapeRefused:
            self._unshaped.add(prompt.model)
            found = self._sent(prompt, content, ends, has_shape=False)
        return _answer(found, prompt)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _sent(self, prompt: LabelPrompt, content: _Content, ends: float, *, has_shape: bool) -> Mapping[str, Any]:
        import httpx2
        import openai

        seconds = seconds_until(ends)
        body = {**prompt.parameters, **_body(prompt, content, has_shape=has_shape)}
        model, messages = body.pop("model"), body.pop("messages")
        try:
            asked = self._opened().chat.completions.with_streaming_response.create(
                model=model, messages=messages, extra_body=body, timeout=seconds
            )
            with asked as answer:
                return answered_object(read_in_time(answer.iter_bytes(), ends))
        except openai.APIStatusError as error:
            said = _said(error)
            if has_shape and refuses_the_shape(error.status_code, said):
                raise _ShapeRefused from error
            pause = pause_asked_by(error.response.headers)
            raise refusal_of(error.status_code, said.encode(), pause) from error
        except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError) as error:
            raise late(seconds) from error
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise ModelFailure(NoAnswerBecause.UNREACHABLE, "the model's server could not be reached") from error

    def _content(self, prompt: LabelPrompt, ends: float) -> _Content:
        """Return the question; as one text where there are only words, since small servers take nothing else."""
        if all(part.kind is PartKind.TEXT for part in prompt.parts):
            return "\n\n".join(part.text for part in prompt.parts)
        return [self._part(part, ends) for part in prompt.parts]

    def _part(self, part: PromptPart, ends: float) -> dict[str, Any]:
        if part.kind is PartKind.TEXT:
            return {"type": "text", "text": part.text}
        if part.kind is PartKind.AUDIO:
            fetched = self._media.with_bytes(part, ends)
            sound = {"data": in_base64(fetched), "format": _FORMATS.get(fetched.media_type or "", "mp3")}
            return {"type": "input_audio", "input_audio": sound}
        word = f"{part.kind.value}_url"
        if part.url is not None:
            return {"type": word, word: {"url": part.url}}
        whole = self._media.with_bytes(part, ends)
        return {"type": word, word: {"url": f"data:{whole.media_type};base64,{in_base64(whole)}"}}

    def _opened(self) -> OpenAI:
        import openai

        with self._lock:
            if self._client is None:
                self._client = openai.OpenAI(
                    api_key=self._endpoint.api_key or _NO_KEY,
                    base_url=self._endpoint.base_url,
                    max_retries=0,
                    http_client=openai.DefaultHttpxClient(follow_redirects=False),
                )
            return self._client


def _body(prompt: LabelPrompt, content: _Content, *, has_shape: bool) -> dict[str, Any]:
    word = "max_completion_tokens" if _COMPLETION_TOKENS.match(prompt.model) else "max_tokens"
    body: dict[str, Any] = {
        "model": prompt.model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": content}],
        word: prompt.max_output_tokens,
    }
    if has_shape:
        shape = {"name": "group", "schema": dict(prompt.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


class _ShapeRefused(Exception):  # noqa: N818 - it says what is so
    """The server does not know the parameter that says what an answer looks like."""


def _said(error: Any) -> str:
    try:
        return str(error.response.text)[:10_000]
    except Exception:  # noqa: BLE001 - a body that was never read has no text, in ways that differ by version
        return str(error.body or "")[:10_000]


def _answer(found: Mapping[str, Any], prompt: LabelPrompt) -> ModelAnswer:
    try:
        content = found["choices"][0]["message"].get("content")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        message = "what came back was no answer of this provider"
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, message) from error
    if isinstance(content, list):
        content = "".join(str(one.get("text", "")) for one in content if isinstance(one, dict))
    if not isinstance(content, str) or not content:
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "the model declined to answer")
    return ModelAnswer(
        text=content[: LONGEST_ANSWER + 1],
        model=str(found.get("model") or prompt.model)[:200],
        input_tokens=counted(found, "usage", "prompt_tokens"),
        output_tokens=counted(found, "usage", "completion_tokens"),
    )
