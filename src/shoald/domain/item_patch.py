"""A patch of one item of a segment or chunk set: free JSON goes in, the fields of the item that it changes come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject, flaw_of
from shoald.domain.vocabulary import SegmentType

_LEAST_LEVEL, _LARGEST_LEVEL = -(2**31), 2**31 - 1
Reader = Callable[[tuple[str | int, ...], Any], Any]


def checked_patch(patch: JsonObject) -> dict[str, Any]:
    """Return the supported fields of a patch; others are ignored. Raises `InvalidFields` that names the field.

    >>> checked_patch({"content": "new", "level": "2", "path": ["A"], "colour": "red"})
    {'content': 'new', 'level': 2, 'path': ('A',)}
    """
    return {name: read(("body", "patch", name), patch[name]) for name, read in _READERS.items() if name in patch}


def segment_type(word: str) -> str:
    """Return the type under which a segment is shown; a word that is none is `other`.

    >>> segment_type("table"), segment_type("poem")
    ('table', 'other')
    """
    return word if word in set(SegmentType) else SegmentType.OTHER.value


def _text(loc: tuple[str | int, ...], value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidFields.field(*loc, kind="string_type", message="Input should be a valid string", value=value)
    return str(_sound(loc, value))


def _text_or_none(loc: tuple[str | int, ...], value: Any) -> str | None:
    return None if value is None else _text(loc, value)


def _object(loc: tuple[str | int, ...], value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidFields.field(*loc, kind="dict_type", message="Input should be a valid dictionary", value=value)
    checked: Mapping[str, Any] = _sound(loc, value)
    return checked


def _texts(loc: tuple[str | int, ...], value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidFields.field(*loc, kind="list_type", message="Input should be a valid list", value=value)
    return tuple(_text((*loc, place), title) for place, title in enumerate(value))


def _whole_number(loc: tuple[str | int, ...], value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        message = "Input should be a valid integer, got a number with a fractional part"
        raise InvalidFields.field(*loc, kind="int_from_float", message=message, value=value)
    try:
        number = int(value) if isinstance(value, int | float | str) else None
    except ValueError:
        number = None
    if number is None or isinstance(value, bool):
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise InvalidFields.field(*loc, kind="int_parsing", message=message, value=value)
    if not _LEAST_LEVEL <= number <= _LARGEST_LEVEL:
        message = "Unable to parse input string as an integer, exceeded maximum size"
        raise InvalidFields.field(*loc, kind="int_parsing_size", message=message, value=value)
    return number


def _sound(loc: tuple[str | int, ...], value: Any) -> Any:
    if flaw := flaw_of(value):
        raise InvalidFields.field(*loc, message=f"Value error, {flaw}")
    return value


_READERS: Mapping[str, Reader] = {
    "content": _text,
    "metadata": _object,
    "parent_id": _text_or_none,
    "level": _whole_number,
    "path": _texts,
    "type": _text,
    "original_format": _text,
}
