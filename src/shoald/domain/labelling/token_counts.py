"""A question goes in, the tokens that it takes come out, by the vocabularies that lie in the package.

Models of OpenAI are counted with their own vocabulary, all others with `o200k_base`, which is right within some fifteen
in a hundred for ordinary text; `LabelBudget` corrects that by what a model's provider really counted before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from shoald.domain.chunking.encodings import encoding, encoding_of_model
from shoald.domain.labelling.label_plan import is_thinking
from shoald.domain.labelling.prompts import LabelPrompt, PartKind

TOKENS_OF_MEDIA = {PartKind.IMAGE: 800, PartKind.VIDEO: 15_000, PartKind.AUDIO: 2_000}
"""Assumed of a picture of a thousand pixels, a minute of film, one of sound: providers say it only afterwards."""

MOST_OF_MEDIA = 4
"""A medium may take so many times what is assumed."""

MARGIN_OF_OTHERS = 1.35
"""So many times more may a vocabulary take that is not known here."""

_OF_A_MESSAGE = 12
_ASSUMED = "o200k_base"
_THOUGHT = 500
_OF_FIELDS = {"label": 10, "summary": 45, "keywords": 30, "confidence": 8}
_OF_OTHER_FIELDS = {"string": 20, "array": 30, "object": 40}
_OF_A_FIGURE = 8


def count_tokens(text: str, model: str) -> int:
    """Return how many tokens a text is for a model; cost grows with its length.

    >>> count_tokens("Reading files", "gpt-4o-mini"), count_tokens("", "llama-3")
    (2, 0)
    """
    return len(encoding(encoding_of_model(model) or _ASSUMED).encode_ordinary(text))


def input_tokens(prompt: LabelPrompt) -> tuple[int, int]:
    """Return the tokens that a question takes, and what it may take at most."""
    texts = [prompt.system, *(part.text for part in prompt.parts if part.kind is PartKind.TEXT)]
    schema = json.dumps(prompt.json_schema, default=dict) if prompt.wants_json else ""
    words = sum(count_tokens(text, prompt.model) for text in (*texts, schema)) + _OF_A_MESSAGE
    media = sum(TOKENS_OF_MEDIA.get(part.kind, 0) for part in prompt.parts)
    margin = 1.0 if encoding_of_model(prompt.model) else MARGIN_OF_OTHERS
    return words + media, math.ceil(words * margin) + _OF_A_MESSAGE + media * MOST_OF_MEDIA


def output_tokens(prompt: LabelPrompt) -> int:
    """Return the tokens that an answer is expected to take, by the fields of its shape.

    Never more than it may have. Models that think first take some five hundred more.
    """
    fields: Mapping[str, Any] = prompt.json_schema.get("properties") or {}
    said = sum(_of_field(name, one) for name, one in fields.items())
    return min(prompt.max_output_tokens, said + (_THOUGHT if is_thinking(prompt.model) else 0))


def _of_field(name: str, schema: Any) -> int:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return _OF_FIELDS.get(name) or _OF_OTHER_FIELDS.get(str(kind), _OF_A_FIGURE)
