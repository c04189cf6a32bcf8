"""What a model said about one group goes in; a label that can be shown, or what is wrong with the answer, comes out.

Answers are taken as they come: with words around the JSON, in a list, cut off. What is in them is not trusted: it is
held against the schema, capped, and stripped of everything that is not to be seen.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoald.domain.json_types import JsonObject, flaw_of
from shoald.domain.labelling.answer_shapes import label_field

GROUP_WORD = "cl_0"
"""What every group is called in its own question, as the examples of the document call it."""

LONGEST_LABEL = 200
LONGEST_SUMMARY = 2_000
MOST_KEYWORDS = 20
LONGEST_KEYWORD = 100
LARGEST_FIELDS = 8_000
"""Characters of JSON that the further fields of a group may have."""

_MOST_STARTS = 50
_JOINERS = "\u200c\u200d"
_WORDS = {"high": 0.9, "medium": 0.6, "low": 0.3}
_MOST_PERCENT = 100
_OPENINGS = re.compile(r"[{\[]")
_THOUGHT = re.compile(r"<(/?)think(?:ing)?>")


class BadAnswer(ValueError):  # noqa: N818 - the answer is bad; nothing went wrong
    """An answer from which no label can be taken; the message says why, without a word of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAnswer:
    """What a model says of a group. `confidence` is 0 to 1, None where it says none; `fields` are all others
    asked for, and a summary or keywords in another form than these, where the shape has them so.

    `is_partial` says that the answer was cut off, and what came before was taken.
    """

    label: str
    summary: str | None = None
    keywords: tuple[str, ...] | None = None
    confidence: float | None = None
    fields: JsonObject = field(default_factory=dict)
    is_partial: bool = False


def read_answer(text: str, schema: JsonObject, *, candidates: Sequence[str] = ()) -> GroupAnswer:
    r"""Take a label out of an answer; raises `BadAnswer`.

    >>> from shoald.domain.labelling.answer_shapes import default_schema
    >>> shape = default_schema(summary=False, keywords=False)
    >>> read_answer('Sure! ```json\n{"label": "Reading files", "confidence": 0.8}\n```', shape).label
    'Reading files'
    """
    found, is_whole = _object_in(_without_thoughts(text))
    named = label_field(schema)
    label = _label(found.get(named, found.get("label")), candidates)
    others = {key: value for key, value in found.items() if key not in {named, "label", "cluster_id"}}
    summary, keywords = _taken(others, "summary", _is_text), _taken(others, "keywords", _are_words)
    confidence = others.pop(_confidence_field(others), None)
    return GroupAnswer(
        label=label,
        summary=None if summary is None else shown(summary)[:LONGEST_SUMMARY] or None,
        keywords=_keywords(keywords),
        confidence=_confidence(confidence),
        fields=_fields(others, schema),
        is_partial=not is_whole,
    )


def _taken(others: dict[str, Any], name: str, is_known: Callable[[Any], bool]) -> Any:
    """Take a field out of an answer; None for one in another form, which stays there with the further fields."""
    return others.pop(name) if is_known(others.get(name)) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_words(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and (not value or any(map(_is_text, value))))


def _confidence_field(found: Mapping[str, Any]) -> str:
    """Return which field says how sure the model is: one of that name, else the first that has it and says a share."""
    named = (key for key, value in found.items() if "confidence" in key.lower() and _confidence(value) is not None)
    return "confidence" if "confidence" in found else next(named, "confidence")


def _without_thoughts(text: str) -> str:
    """Leave out what stands between the marks by which models think aloud; a mark that nothing closes stays."""
    kept, at, opened = [], 0, None
    for mark in _THOUGHT.finditer(text):
        if not mark[1]:
            opened = mark.start() if opened is None else opened
        elif opened is not None:
            kept.append(text[at:opened])
            at, opened = mark.end(), None
    return "".join([*kept, text[at:]])


def shown(text: str) -> str:
    r"""Return a text on one line, without what is not seen: control signs, marks of direction, signs of no width.

    >>> shown("Tech \u202e\n  news\x00")
    'Tech news'
    """
    spaced = (" " if sign in "\t\r\n\v\f\u2028\u2029" else sign for sign in text)
    kept = (sign for sign in spaced if sign in _JOINERS or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Co"})
    return " ".join("".join(kept).split())


def _object_in(text: str) -> tuple[Mapping[str, Any], bool]:
    """Return the object about our group in an answer, and whether the answer was whole."""
    several: int | None = None
    for value, is_whole in _values_in(text):
        found = _of_group(value)
        if isinstance(found, Mapping):
            return found, is_whole
        several = several or found
    if several:
        raise BadAnswer(f"the answer named {several} groups, and the question was about one")
    raise BadAnswer("the answer was empty" if not text.strip() else "the answer was no JSON")


def _values_in(text: str) -> Iterator[tuple[Any, bool]]:
    """Yield the JSON values of a text, the whole ones in their order, then what is left of one that was cut off."""
    decoder, at, starts = json.JSONDecoder(), 0, 0
    first: int | None = None
    while (opening := _OPENINGS.search(text, at)) is not None and starts < _MOST_STARTS:
        starts += 1
        try:
            value, at = decoder.raw_decode(text, opening.start())
            yield value, True
        except (ValueError, RecursionError):
            first = opening.start() if first is None else first
            at = opening.end()
    if first is not None:
        mended = _mended(text[first:])
        if mended is not None:
            yield mended, False


def _of_group(value: Any) -> Mapping[str, Any] | int | None:
    """Return what a value says of our group, or of how many groups it speaks when none is ours, None for nothing."""
    if isinstance(value, Mapping):
        inner = [one for one in value.values() if isinstance(one, Mapping | list)]
        if len(value) == 1 and inner:  # {"cl_0": {…}}, {"clusters": […]}
            return _of_group(inner[0]) or value
        ours = value.get(GROUP_WORD)
        return ours if isinstance(ours, Mapping) else value or None
    if not isinstance(value, list):
        return None
    objects = [one for one in value if isinstance(one, Mapping) and one]
    mine = [one for one in objects if str(one.get("cluster_id")) == GROUP_WORD]
    if len(mine) == 1 or len(objects) == 1:
        return (mine or objects)[0]
    return len(objects) or None


def _mended(text: str) -> Any:
    """Return the whole members of an object that was cut off, None where there are none.

    >>> _mended('{"label": "Reading files", "keywords": ["open", "cl')
    {'label': 'Reading files', 'keywords': ['open']}
    """
    closers: list[str] = []
    ends: list[tuple[int, str]] = []
    in_text = escaped = False
    for at, sign in enumerate(text):
        if in_text:
            in_text, escaped = escaped or sign != '"', sign == "\\" and not escaped
        elif sign == '"':
            in_text = True
        elif sign in "{[":
            closers.append("}" if sign == "{" else "]")
        elif sign in "}]" and closers:
            closers.pop()
        elif sign == ",":
            ends.append((at, "".join(reversed(closers))))
    for at, closing in reversed(ends[-_MOST_STARTS:]):
        try:
            return json.loads(text[:at] + closing)
        except (ValueError, RecursionError):
            continue
    return None


def _label(value: Any, candidates: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise BadAnswer("the answer had no label")
    label = shown(value[: 2 * LONGEST_LABEL + 1]).strip("\"'“”`* ")
    if not label:
        raise BadAnswer("the label was empty")
    if len(value) > 2 * LONGEST_LABEL or len(label) > LONGEST_LABEL:
        raise BadAnswer(f"the label had more than {LONGEST_LABEL} characters")
    if not candidates:
        return label
    chosen = next((one for one in candidates if shown(one).casefold() == label.casefold()), None)
    if chosen is None:
        raise BadAnswer("the label was none of candidate_labels")
    return chosen


def _keywords(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return None
    words = (shown(one[: 4 * LONGEST_KEYWORD])[:LONGEST_KEYWORD] for one in value if isinstance(one, str))
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_KEYWORDS]


def _confidence(value: Any) -> float | None:
    """Return a share of 1; per cent and the words high, medium and low are taken for what they mean."""
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), _number(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    share = value / _MOST_PERCENT if 1 < value <= _MOST_PERCENT else value
    return float(min(1.0, max(0.0, share)))


def _number(text: str) -> float | None:
    try:
        return float(text.strip().rstrip("%"))
    except ValueError:
        return None


def _fields(found: Mapping[str, Any], schema: JsonObject) -> JsonObject:
    """Return the further fields that the schema names and that are as it says; what else was said is dropped."""
    properties = schema.get("properties") or {}
    kept: dict[str, Any] = {}
    for key in properties:
        value = _plain(found[key]) if key in found else None
        if value is None or flaw_of(value) is not None or not fits(value, properties[key]):
            continue
        if len(json.dumps({**kept, key: value}, ensure_ascii=False)) <= LARGEST_FIELDS:
            kept[key] = value
    return kept


def _plain(value: Any) -> Any:
    """Return a JSON value whose texts can be shown, and whose numbers are finite."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {shown(str(key)): _plain(one) for key, one in value.items()}
    return value


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def fits(value: Any, schema: Any) -> bool:
    """Say whether a value is of the type, among the choices, and within the bounds of a schema.

    >>> fits(["a"], {"type": "array", "items": {"type": "string"}, "maxItems": 2}), fits(3, {"maximum": 1})
    (True, False)
    """
    if not isinstance(schema, Mapping):
        return True
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        return False
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return False
    return _is_within(value, schema) and _members_fit(value, schema)


def _is_of(value: Any, kind: Any) -> bool:
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        return True
    return isinstance(value, known) and (kind == "boolean" or not isinstance(value, bool))


def _is_within(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        least, most = schema.get("minimum"), schema.get("maximum")
    elif isinstance(value, str | list):
        word = "Length" if isinstance(value, str) else "Items"
        value, least, most = len(value), schema.get(f"min{word}"), schema.get(f"max{word}")
    else:
        return True
    return not (isinstance(least, int | float) and value < least) and not (
        isinstance(most, int | float) and value > most
    )


def _members_fit(value: Any, schema: Mapping[str, Any]) -> bool:
    if isinstance(value, list):
        return all(fits(one, schema.get("items")) for one in value)
    if isinstance(value, dict):
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        if isinstance(required, list) and any(key not in value for key in required):
            return False
        return all(fits(value[key], one) for key, one in known.items() if key in value)
    return True
