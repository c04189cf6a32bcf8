"""Says whether a document fulfils a condition: the reference that SQL is held to.

Its regular expressions are Python's, which can take long where PostgreSQL's do not: strangers' filters go to SQL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from shoald.domain.filters.conditions import (
    Affix,
    AllOf,
    AnyOf,
    Condition,
    Contains,
    Equals,
    Exists,
    FieldPath,
    HasWords,
    Matches,
    Not,
    Ordered,
    Scalar,
    Within,
)
from shoald.domain.filters.geometry import Place
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import FilterOperator

_COMPARE = {
    FilterOperator.GT: operator.gt,
    FilterOperator.GTE: operator.ge,
    FilterOperator.LT: operator.lt,
    FilterOperator.LTE: operator.le,
}


def fold(text: str) -> str:
    """Return the text in lower case, character by character, as PostgreSQL's plain Unicode collation does.

    >>> fold("ÄΣ")
    'äσ'
    """
    return "".join(lower if len(lower := character.lower()) == 1 else character for character in text)


@singledispatch
def matches(condition: Condition, document: JsonObject) -> bool:
    """Say whether the document fulfils the condition."""
    raise TypeError(f"no such condition: {condition!r} for {document!r}")


@matches.register
def _(condition: AllOf, document: Mapping) -> bool:  # type: ignore[type-arg]
    return all(matches(part, document) for part in condition.parts)


@matches.register
def _(condition: AnyOf, document: Mapping) -> bool:  # type: ignore[type-arg]
    return any(matches(part, document) for part in condition.parts)


@matches.register
def _(condition: Not, document: Mapping) -> bool:  # type: ignore[type-arg]
    return not matches(condition.part, document)


@matches.register
def _(condition: Equals, document: Mapping) -> bool:  # type: ignore[type-arg]
    found = list(_values(document, condition.path))
    if None in condition.values and (not found or any(value is None for value in found)):
        return True
    wanted = [value for value in condition.values if value is not None]
    return any(
        _is_equal(element, value, case_sensitive=condition.case_sensitive)
        for element in _elements(found)
        for value in wanted
    )


@matches.register
def _(condition: Ordered, document: Mapping) -> bool:  # type: ignore[type-arg]
    limit, case_sensitive = condition.value, condition.case_sensitive
    compare = _COMPARE[condition.operator]
    if isinstance(limit, str):
        return any(
            compare(text, _cased(limit, case_sensitive)) for text in _texts(document, condition.path, case_sensitive)
        )
    return any(_is_number(value) and compare(value, limit) for value in _elements(_values(document, condition.path)))


@matches.register
def _(condition: Contains, document: Mapping) -> bool:  # type: ignore[type-arg]
    return any(_has_part(value, condition) for value in _values(document, condition.path))


@matches.register
def _(condition: Affix, document: Mapping) -> bool:  # type: ignore[type-arg]
    part = _cased(condition.value, condition.case_sensitive)
    texts = _texts(document, condition.path, condition.case_sensitive)
    return any(text.endswith(part) if condition.at_end else text.startswith(part) for text in texts)


@matches.register
def _(condition: Matches, document: Mapping) -> bool:  # type: ignore[type-arg]
    flags = re.DOTALL if condition.case_sensitive else re.DOTALL | re.IGNORECASE
    pattern = re.compile(condition.pattern.python, flags)
    return any(pattern.search(text) for text in _texts(document, condition.path, True))


@matches.register
def _(condition: HasWords, document: Mapping) -> bool:  # type: ignore[type-arg]
    wanted = [_cased(word, condition.case_sensitive) for word in condition.words]
    for text in _texts(document, condition.path, condition.case_sensitive):
        words = re.findall(r"\w+", text)
        if condition.operator is FilterOperator.TEXT and set(wanted) <= set(words):
            return True
        if condition.operator is FilterOperator.WORDS and set(wanted) & set(words):
            return True
        if condition.operator is FilterOperator.PHRASE and _has_phrase(words, wanted):
            return True
    return False


@matches.register
def _(condition: Exists, document: Mapping) -> bool:  # type: ignore[type-arg]
    return any(True for _ in _values(document, condition.path))


@matches.register
def _(condition: Within, document: Mapping) -> bool:  # type: ignore[type-arg]
    return any(condition.area.contains(place) for place in _places(document, condition.path))


def _values(document: Any, path: FieldPath) -> Iterator[Any]:
    """Yield what stands at a path: several values when it leads through lists."""
    if not path:
        yield document
    elif isinstance(document, Mapping):
        if path[0] in document:
            yield from _values(document[path[0]], path[1:])
    elif isinstance(document, list):
        for element in document:
            if isinstance(element, Mapping):
                yield from _values(element, path)


def _elements(values: Iterator[Any] | list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _texts(document: JsonObject, path: FieldPath, case_sensitive: bool) -> Iterator[str]:  # noqa: FBT001
    for value in _elements(_values(document, path)):
        if isinstance(value, str):
            yield _cased(value, case_sensitive)


def _places(document: JsonObject, path: FieldPath) -> Iterator[Place]:
    for value in _elements(_values(document, path)):
        if isinstance(value, Mapping) and _is_number(value.get("lat")) and _is_number(value.get("lon")):
            place = Place.of(value["lat"], value["lon"])
            if place is not None:
                yield place


def _cased(text: str, case_sensitive: bool) -> str:  # noqa: FBT001
    return text if case_sensitive else fold(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_equal(found: Any, wanted: Scalar, *, case_sensitive: bool) -> bool:
    if isinstance(wanted, str):
        return isinstance(found, str) and _cased(found, case_sensitive) == _cased(wanted, case_sensitive)
    if isinstance(wanted, bool):
        return found is wanted
    return _is_number(found) and found == wanted


def _has_part(value: Any, condition: Contains) -> bool:
    part, case_sensitive = condition.value, condition.case_sensitive
    if isinstance(value, list):
        return any(_is_equal(element, part, case_sensitive=case_sensitive) for element in value)
    if isinstance(value, str) and isinstance(part, str):
        return _cased(part, case_sensitive) in _cased(value, case_sensitive)
    return False


def _has_phrase(words: list[str], phrase: list[str]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words) - len(phrase) + 1))
