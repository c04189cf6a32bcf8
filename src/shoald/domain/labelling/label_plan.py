"""What a definition says of names goes in; what is asked of which model, defaults filled in, comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import LabelProvider, SampleSelection

DEFAULT_MODELS = {
    LabelProvider.GOOGLE: "gemini-2.5-flash-lite",
    LabelProvider.OPENAI: "gpt-4o-mini-2024-07-18",
    LabelProvider.ANTHROPIC: "claude-haiku-4-5-20251001",
}
MODEL_PARAMETERS = ("model", "model_name")
"""The parameter that names a model which clients do not know, and its older word."""

OWN_PARAMETERS = frozenset({*MODEL_PARAMETERS, "budget", "json_output"})
"""Parameters that are ours: they are not handed to the provider."""

_REFUSED = """
messages stream stream_options n tools tool_choice functions function_call response_format contents system
systemInstruction system_instruction candidateCount candidate_count responseSchema responseMimeType
extra_body extra_headers extra_query timeout store metadata input prompt modalities audio prediction best_of
mcp_servers container web_search_options plugins models route transforms service_tier serviceTier
response_schema response_mime_type response_json_schema responseJsonSchema response_modalities responseModalities
"""
REFUSED_PARAMETERS = frozenset(_REFUSED.split())
"""Parameters that would change what is asked, how often, at which price, or who may act on it."""

OUTPUT_PARAMETERS = ("max_output_tokens", "max_completion_tokens", "max_tokens", "maxOutputTokens")
"""How providers call the tokens that an answer may have; each is told in its own word."""

_NOT_HANDED_ON = OWN_PARAMETERS | REFUSED_PARAMETERS | frozenset(OUTPUT_PARAMETERS)
_MOST_OUTPUT = 32_000
FEWEST_SAMPLES, MOST_SAMPLES = 3, 20
_BY_NAME = (
    (re.compile(r"(models/)?gemini"), LabelProvider.GOOGLE),
    (re.compile(r"claude"), LabelProvider.ANTHROPIC),
)
_THINKING = re.compile(
    r"o\d|gpt-5|(models/)?gemini-(2\.5|[3-9])(?!.*lite)|.*(deepseek-r|qwq|think|reason)", re.IGNORECASE
)
# what no provider has, and what it means by the document
_ALIASES = {"gemini-3.1-flash-lite": "gemini-2.5-flash-lite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputMapping:
    """One part of each document: what it is, where it is taken from, and the value itself for a literal."""

    key: str
    source: str
    path: str = ""
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """How groups get names. `provider` and `model` are None where nothing says which; `samples` None is chosen by size.

    `mappings` are empty where whole payloads are shown. `shape` is the `response_shape` as it was given.
    """

    provider: str | None
    model: str | None
    mappings: tuple[InputMapping, ...] = ()
    wants_summary: bool = True
    wants_keywords: bool = True
    samples: int | None = None
    text_length: int = 200
    selection: str = SampleSelection.NEAREST
    tells_apart: bool = True
    likeness: float = 0.8
    cache_seconds: int = 604_800
    context: str = ""
    custom_prompt: str = ""
    shape: Any = None
    candidates: tuple[str, ...] = ()
    parameters: JsonObject = field(default_factory=dict)
    output_tokens: int | None = None
    wants_json: bool = True
    warnings: tuple[str, ...] = ()

    def shown_of(self, size: int, similarity: float | None = None) -> int:
        """Return how many documents of a group are shown: more of larger and of looser ones, 3 to 20 unless told.

        >>> plan = label_plan({})
        >>> plan.shown_of(2), plan.shown_of(10, 0.9), plan.shown_of(100_000, 0.3)
        (2, 5, 20)
        """
        if self.samples is not None:
            return min(size, self.samples)
        spread = 0.5 if similarity is None else 1.0 - min(1.0, max(0.0, similarity))
        wanted = FEWEST_SAMPLES + round(math.log2(max(1, size)) * (0.5 + spread))
        return min(size, MOST_SAMPLES, max(FEWEST_SAMPLES, wanted))


def label_plan(labeling: Mapping[str, Any]) -> LabelPlan:
    """Read what a definition says of names.

    >>> plan = label_plan({"provider": "openai", "parameters": {"model": "llama-3", "n": 9}})
    >>> plan.model, plan.warnings
    ('llama-3', ('llm_labeling.parameters n does not apply: it is not handed to the provider',))
    """
    given = {key: value for key, value in labeling.items() if value is not None}
    parameters = dict(given.get("parameters") or {})
    model = _model(given, parameters)
    provider = given.get("provider") or provider_of(model)
    return LabelPlan(
        provider=provider,
        model=_ALIASES.get(model, model) if model else None,
        mappings=tuple(map(_mapping, (given.get("labeling_inputs") or {}).get("input_mappings") or ())),
        wants_summary=given.get("include_summary", True),
        wants_keywords=given.get("include_keywords", True),
        samples=_whole(given.get("max_samples_per_cluster")),
        text_length=int(given.get("sample_text_max_length", 200)),
        selection=given.get("sample_selection_strategy", SampleSelection.NEAREST),
        tells_apart=given.get("use_embedding_dedup", True),
        likeness=float(given.get("embedding_similarity_threshold", 0.8)),
        cache_seconds=int(given.get("cache_ttl_seconds", 604_800)),
        context=given.get("labeling_context", ""),
        custom_prompt=given.get("custom_prompt", ""),
        shape=given.get("response_shape"),
        candidates=tuple(given.get("candidate_labels") or ()),
        parameters={key: value for key, value in parameters.items() if key not in _NOT_HANDED_ON},
        output_tokens=_output_tokens(parameters),
        wants_json=parameters.get("json_output", True) is not False,
        warnings=tuple(
            f"llm_labeling.parameters {name} does not apply: it is not handed to the provider"
            for name in sorted(parameters.keys() & REFUSED_PARAMETERS)
        ),
    )


def is_thinking(model: str) -> bool:
    """Say whether a model thinks before it answers, and thereby takes tokens of the answer's.

    >>> is_thinking("o3-mini-2025-01-31"), is_thinking("gemini-2.5-flash-lite"), is_thinking("gemini-2.5-pro")
    (True, False, True)
    """
    return _THINKING.match(model.lower()) is not None


def provider_of(model: str | None) -> str | None:
    """Return whose model a name is; other names than Google's and Anthropic's are those of OpenAI and its like.

    >>> provider_of("claude-haiku-4-5-20251001"), provider_of("gemini-2.5-pro"), provider_of("qwen3:8b")
    ('anthropic', 'google', 'openai')
    """
    if not model:
        return None
    found = (provider for pattern, provider in _BY_NAME if pattern.match(model.lower()))
    return next(found, LabelProvider.OPENAI).value


def _model(given: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    named = (given.get("model_name"), *(parameters.get(name) for name in MODEL_PARAMETERS))
    return next((str(one) for one in named if one), None)


def _mapping(given: Mapping[str, Any]) -> InputMapping:
    return InputMapping(
        key=given["input_key"],
        source=given.get("source_type") or "payload",
        path=given.get("path") or "",
        value=given.get("override"),
    )


def _output_tokens(parameters: Mapping[str, Any]) -> int | None:
    named = (parameters.get(name) for name in OUTPUT_PARAMETERS)
    found = next((one for one in named if isinstance(one, int | float) and not isinstance(one, bool)), None)
    return None if found is None else max(1, min(int(found), _MOST_OUTPUT))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
