"""Which words of a document its group is named after, where no language model is asked."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.application.cluster_naming import text_mappings, text_of

PAYLOAD = {
    "title": "Reading files",
    "thumb": "https://example.org/thumbnails/one.png",
    "tags": ["open", "close"],
    "parts": [{"name": "lexer"}, {"name": "parser"}],
}


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"input_key": "text", "path": "tags"}, "open close"),
        ({"input_key": "text", "path": "parts.1.name"}, "parser"),
        ({"input_key": "text", "path": "parts.name"}, "lexer parser"),
        ({"input_key": "title"}, "Reading files"),
        ({"input_key": "image_url", "path": "thumb"}, "Reading files"),
        ({"input_key": "text", "source_type": "literal", "override": "of a library"}, "Reading files"),
    ],
)
def test_words_are_taken_as_a_language_model_is_shown_them_and_addresses_are_none(
    mapping: dict[str, Any], text: str
) -> None:
    labeling = {"labeling_inputs": {"input_mappings": [mapping]}}
    assert text_of(PAYLOAD, text_mappings(labeling)) == text
