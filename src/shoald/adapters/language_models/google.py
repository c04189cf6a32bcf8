"""Questions go to Google's `generateContent`; the answer comes back. Media go as bytes: it fetches none of ours."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from shoald.adapters.language_models.answering import counted, post_json, seconds_until
from shoald.adapters.language_models.media_fetching import MediaFetching, in_base64
from shoald.application.ports.language_model import LONGEST_ANSWER, ModelAnswer, ModelFailure, NoAnswerBecause
from shoald.domain.labelling.prompts import LabelPrompt, PartKind, PromptPart

DEFAULT_URL = "https://generativelanguage.googleapis.com"
# the part of JSON schema that `responseSchema` knows
_KNOWN = frozenset({"type", "properties", "required", "items", "enum", "minimum", "maximum", "minItems", "maxItems"})
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})


class GoogleModel:
    """All models of one key."""

    def __init__(self, *, base_url: str, api_key: str, media: MediaFetching) -> None:
        self._url = base_url.rstrip("/")
        self._key = api_key
        self._media = media
        self._client = httpx.Client(follow_redirects=False)

    @property
    def takes(self) -> frozenset[PartKind]:
        """Pictures, films and sounds."""
        return frozenset(PartKind) - {PartKind.TEXT}

    @property
    def fetches(self) -> frozenset[PartKind]:
        """None."""
        return frozenset()

    def ask(self, prompt: LabelPrompt, *, timeout_seconds: float) -> ModelAnswer:
        """Ask once."""
        ends = time.monotonic() + timeout_seconds
        body = self._body(prompt, ends)
        model = quote(prompt.model.removeprefix("models/"), safe="")
        found = post_json(
            self._client,
            f"{self._url}/v1beta/models/{model}:generateContent",
            body,
            {"x-goog-api-key": self._key},
            timeout_seconds=seconds_until(ends),
        )
        return _answer(found, prompt)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(self, prompt: LabelPrompt, ends: float) -> dict[str, Any]:
        config = {_camel(name): value for name, value in prompt.parameters.items()}
        config["maxOutputTokens"] = prompt.max_output_tokens
        if prompt.wants_json:
            config["responseMimeType"] = "application/json"
            schema = known_part(prompt.json_schema)
            config |= {} if schema is None else {"responseSchema": schema}
        return {
            "systemInstruction": {"parts": [{"text": prompt.system}]},
            "contents": [{"role": "user", "parts": [self._part(part, ends) for part in prompt.parts]}],
            "generationConfig": config,
        }

    def _part(self, part: PromptPart, ends: float) -> dict[str, Any]:
        if part.kind is PartKind.TEXT:
            return {"text": part.text}
        fetched = self._media.with_bytes(part, ends)
        return {"inlineData": {"mimeType": fetched.media_type, "data": in_base64(fetched)}}


def known_part(schema: Any) -> dict[str, Any] | None:
    """Return what Google's schemas can say of a JSON schema; None where a part of it has no plain type.

    >>> known_part({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False})
    {'type': 'object', 'properties': {'a': {'type': 'string'}}}
    """
    kind, may_be_null = _plain_type(schema)
    if kind is None:
        return None
    found = {key: value for key, value in schema.items() if key in _KNOWN} | {"type": kind}
    found |= {"nullable": True} if may_be_null else {}
    if "properties" in found:
        inner = {name: known_part(one) for name, one in found["properties"].items()}
        if None in inner.values():
            return None
        found["properties"] = inner
    if kind == "array":
        found["items"] = known_part(found.get("items"))
        return None if found["items"] is None else found
    return found


def _plain_type(schema: Any) -> tuple[str | None, bool]:
    """Return the one type that a schema gives, and whether null will do too; Google has a word of its own for that."""
    given = schema.get("type") if isinstance(schema, Mapping) else None
    kinds = given if isinstance(given, list) else [given]
    plain = [one for one in kinds if one != "null"]
    is_known = len(plain) == 1 and plain[0] in _TYPES
    return plain[0] if is_known else None, "null" in kinds


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _answer(found: Mapping[str, Any], prompt: LabelPrompt) -> ModelAnswer:
    try:
        parts = found["candidates"][0]["content"]["parts"]
        text = "".join(one.get("text", "") for one in parts if not one.get("thought"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "the model declined to answer") from error
    if not text:
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "the model declined to answer")
    output = [counted(found, "usageMetadata", name) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
    return ModelAnswer(
        text=text[: LONGEST_ANSWER + 1],
        model=str(found.get("modelVersion") or prompt.model)[:200],
        input_tokens=counted(found, "usageMetadata", "promptTokenCount"),
        output_tokens=None if output[0] is None else output[0] + (output[1] or 0),
    )
