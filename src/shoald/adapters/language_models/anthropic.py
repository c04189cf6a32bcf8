"""Questions go to Anthropic's messages; the answer comes back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from shoald.adapters.language_models.answering import counted, post_json, seconds_until
from shoald.adapters.language_models.media_fetching import MediaFetching, in_base64
from shoald.application.ports.language_model import LONGEST_ANSWER, ModelAnswer, ModelFailure, NoAnswerBecause
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart

DEFAULT_URL = "https://api.anthropic.com"
_VERSION = "2023-06-01"


class AnthropicModel:
    """All models of one key."""

    def __init__(self, *, base_url: str, api_key: str, media: MediaFetching) -> None:
        self._url = f"{base_url.rstrip('/')}/v1/messages"
        self._headers = {"x-api-key": api_key, "anthropic-version": _VERSION}
        self._media = media
        self._client = httpx.Client(follow_redirects=False)

    @property
    def takes(self) -> frozenset[PartKind]:
        """Pictures."""
        return frozenset({PartKind.IMAGE})

    @property
    def fetches(self) -> frozenset[PartKind]:
        """Pictures."""
        return frozenset({PartKind.IMAGE})

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        """Ask once."""
        ends = time.monotonic() + timeout_seconds
        body = {
            **prompt.parameters,
            "model": prompt.model,
            "max_tokens": prompt.max_output_tokens,
            "system": prompt.system,
            "messages": [{"role": "user", "content": [self._part(part, ends) for part in prompt.parts]}],
        }
        found = post_json(self._client, self._url, body, self._headers, timeout_seconds=seconds_until(ends))
        return _answer(found, prompt)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _part(self, part: PromptPart, ends: float) -> dict[str, Any]:
        if part.kind is PartKind.TEXT:
            return {"type": "text", "text": part.text}
        if part.url is not None and part.url.startswith("https://"):
            return {"type": "image", "source": {"type": "url", "url": part.url}}
        fetched = self._media.with_bytes(part, ends)
        data = {"type": "base64", "media_type": fetched.media_type, "data": in_base64(fetched)}
        return {"type": "image", "source": data}


def _answer(found: Mapping[str, Any], prompt: LabelPrompt) -> ModelAnswer:
    try:
        text = "".join(one["text"] for one in found["content"] if one.get("type") == "text")
    except (KeyError, TypeError, AttributeError) as error:
        message = "what came back was no answer of this provider"
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, message) from error
    if not text or found.get("stop_reason") == "refusal":
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "the model declined to answer")
    return ModelAnswer(
        text=text[: LONGEST_ANSWER + 1],
        model=str(found.get("model") or prompt.model)[:200],
        input_tokens=counted(found, "usage", "input_tokens"),
        output_tokens=counted(found, "usage", "output_tokens"),
    )
