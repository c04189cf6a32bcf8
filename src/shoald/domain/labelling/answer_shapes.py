"""What an answer shall look like, in words, by example or as a JSON schema, goes in; a JSON schema comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shoald.domain.json_types import JsonObject

Schema = dict[str, Any]

LABEL_WORDS = ("label", "name", "title", "category", "cluster_label", "cluster_name", "theme", "topic")
"""Fields that are taken for the name of a group, in this order, where there is none called `label`."""

_SCHEMA_WORDS = frozenset({"properties", "$ref", "anyOf", "oneOf", "allOf", "$schema"})
_TYPES = {
    "string": "string",
    "str": "string",
    "text": "string",
    "number": "number",
    "float": "number",
    "integer": "integer",
    "int": "integer",
    "boolean": "boolean",
    "bool": "boolean",
    "object": "object",
    "array": "array",
}
_LONGEST_NAME = 40
_MOST_FIELDS = 20
_VERBS = re.compile(
    r"^(please\s+)?(extract|generate|return|give|provide|produce|output|include|create|add|list|with|also|and|the|an|a)"
    r"\b(?!\s+of\b)[\s:]*",
    re.IGNORECASE,
)
_LIST = re.compile(r"^(?:(?:a\s+)?list of|top[- ]?(\d+)|(\d+))\s+", re.IGNORECASE)
_RANGE = re.compile(r"\(?\s*(?:between\s+|from\s+)?(-?\d+(?:\.\d+)?)\s*(?:-|to|and)\s*(-?\d+(?:\.\d+)?)\s*\)?")
_CHOICE = re.compile(r"\(([^()]*[/|][^()]*)\)")
_NUMBERS = re.compile(r"\b(score|confidence|rating|count|number|percentage|probability)\b", re.IGNORECASE)
_TRUTHS = re.compile(r"^(whether|is|has|are)\b", re.IGNORECASE)


def default_schema(*, summary: bool, keywords: bool) -> Schema:
    """Return the documented shape: label, summary and keywords where they are wanted, and how sure the model is."""
    properties: Schema = {"label": {"type": "string"}}
    if summary:
        properties["summary"] = {"type": "string"}
    if keywords:
        properties["keywords"] = {"type": "array", "items": {"type": "string"}}
    properties["confidence"] = {"type": "number", "minimum": 0, "maximum": 1}
    return _closed(properties)


def schema_of(shape: Any) -> Schema:
    """Return the JSON schema that a `response_shape` means.

    >>> schema_of({"label": "string", "mood": "good | bad"})["properties"]["mood"]
    {'type': 'string', 'enum': ['good', 'bad']}
    """
    if isinstance(shape, str):
        return _with_label(_closed(_fields_in(shape)))
    if isinstance(shape, Mapping) and _is_list_schema(shape):
        return schema_of(shape["items"])  # of an array of groups: one is asked for at a time
    if isinstance(shape, Mapping) and is_schema(shape):
        return _with_label({"type": "object", **shape})
    return _with_label(_by_example(shape) if isinstance(shape, Mapping) else _closed({}))


def is_schema(shape: Mapping[str, Any]) -> bool:
    """Say whether an object is a JSON schema rather than an example of an answer."""
    return bool(_SCHEMA_WORDS & shape.keys()) and not isinstance(shape.get("properties"), str)


def shape_flaw(shape: Any) -> str | None:
    """Say what keeps a `response_shape` from being read as the JSON schema that it is; None for all other shapes.

    >>> shape_flaw({"properties": ["label"]}), shape_flaw({"properties": {"label": {"type": ["string", "null"]}}})
    ('properties must be an object with a schema for each field', None)
    """
    if not isinstance(shape, Mapping) or not (is_schema(shape) or _is_list_schema(shape)):
        return None
    return _flaw(shape)


def _flaw(schema: Mapping[str, Any]) -> str | None:
    properties, kinds = schema.get("properties"), schema.get("type")
    if properties is not None and not isinstance(properties, Mapping):
        return "properties must be an object with a schema for each field"
    if not _are_words(schema.get("required")):
        return "required must be a list of the names of fields"
    if not isinstance(kinds, str) and not _are_words(kinds):
        return "type must be a word or a list of words"
    inner = [*(properties or {}).values(), schema.get("items")]
    return next((flaw for one in inner if isinstance(one, Mapping) and (flaw := _flaw(one))), None)


def _are_words(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))


def _is_list_schema(shape: Mapping[str, Any]) -> bool:
    return shape.get("type") == "array" and isinstance(shape.get("items"), Mapping)


def label_field(schema: JsonObject) -> str:
    """Return which field of an answer is the name of the group.

    >>> label_field(schema_of("Extract cluster category and sentiment (good/bad)"))
    'cluster_category'
    """
    properties = schema.get("properties") or {}
    texts = [name for name, one in properties.items() if isinstance(one, Mapping) and one.get("type") == "string"]
    known = next((word for word in LABEL_WORDS if word in texts), None)
    return known or next((name for name in texts if name.split("_")[-1] in LABEL_WORDS), texts[0])


def _with_label(schema: Schema) -> Schema:
    """Add a label to a shape in which no text could be one; one that may be no text becomes a text."""
    properties = dict(schema.get("properties") or {})
    if any(isinstance(one, Mapping) and one.get("type") == "string" for one in properties.values()):
        return schema
    given = properties.pop("label", None)
    label = {**(given if isinstance(given, Mapping) else {}), "type": "string"}
    required = dict.fromkeys(("label", *(schema.get("required") or ())))
    return {**schema, "properties": {"label": label, **properties}, "required": list(required)}


def _closed(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _by_example(value: Any) -> Schema:
    """Return the schema of an example: words for types, `a | b` for a choice, lists and objects of these."""
    if isinstance(value, Mapping):
        return _closed({str(key): _by_example(one) for key, one in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {"type": "array", "items": _by_example(value[0]) if value else {}}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    return _of_word(str(value or "string"))


def _of_word(word: str) -> Schema:
    known = _TYPES.get(word.strip().lower())
    if known == "array":
        return {"type": "array", "items": {"type": "string"}}
    if known is not None:
        return {"type": known}
    choices = [one.strip() for one in word.split("|") if one.strip()]
    if len(choices) > 1:
        types = {_TYPES.get(one.lower()) for one in choices}
        return {"type": "string", "enum": choices} if types == {None} else {}
    return {"type": "string", "description": word[:200]}


def _fields_in(text: str) -> Schema:
    """Return the fields that a sentence names.

    >>> sorted(_fields_in("Extract cluster category, confidence score (0-1), and top 3 representative terms"))
    ['cluster_category', 'confidence_score', 'representative_terms']
    """
    found: Schema = {}
    for phrase in _phrases(text):
        name, schema = _field_in(phrase)
        if name and len(found) < _MOST_FIELDS:
            found.setdefault(name, schema)
    return found


def _phrases(text: str) -> list[str]:
    """Split a sentence at commas and `and`, but within brackets and between numbers."""
    kept = re.sub(r"\([^()]*\)", lambda match: match[0].replace(",", "\0").replace(" and ", "\1"), text.strip(" ."))
    kept = re.sub(r"(between\s+\S+)\s+and\s+", "\\1\1", kept, flags=re.IGNORECASE)
    parts = re.split(r"\s*[,;.\n]\s*(?:and\s+)?|\s+and\s+", kept)
    return [part.replace("\0", ",").replace("\1", " and ") for part in parts if part.strip()]


def _field_in(phrase: str) -> tuple[str, Schema]:
    phrase = _bare(phrase)
    choice, span, many = _CHOICE.search(phrase), _RANGE.search(phrase), _LIST.match(phrase)
    schema: Schema = {"type": "string", "description": phrase[:200]}
    if choice is not None:
        schema = {"type": "string", "enum": [one.strip() for one in re.split(r"[/|]", choice[1]) if one.strip()]}
    elif many is not None:
        most = many[1] or many[2]
        schema = {"type": "array", "items": {"type": "string"}, **({"maxItems": int(most)} if most else {})}
        phrase = phrase[many.end() :]
    elif span is not None:
        schema = {"type": "number", "minimum": float(span[1]), "maximum": float(span[2])}
    elif _NUMBERS.search(phrase):
        schema = {"type": "number"}
    elif _TRUTHS.match(phrase):
        schema = {"type": "boolean"}
    return _field_name(phrase), schema


def _bare(phrase: str) -> str:
    while (shorter := _VERBS.sub("", phrase.strip(), count=1)) != phrase:
        phrase = shorter
    return phrase


def _field_name(phrase: str) -> str:
    plain = re.sub(r"\([^()]*\)", " ", phrase)
    plain = re.split(r"\b(?:between|from|for|as|in|that|which|of the|with)\b", plain, maxsplit=1)[0]
    return re.sub(r"\W+", "_", plain.strip().lower()).strip("_")[:_LONGEST_NAME].strip("_")
