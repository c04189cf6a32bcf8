"""Reads the documented filter language: operators in AND, OR and NOT, nested, or keys and values as a shorthand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from shoald.domain.failures import InvalidFields
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
from shoald.domain.filters.geometry import (
    DECIMALS,
    MAX_LATITUDE,
    MAX_LONGITUDE,
    Area,
    Box,
    Circle,
    Place,
    Polygon,
)
from shoald.domain.filters.patterns import BadPattern, read_pattern
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import FilterOperator

MAX_DEPTH = 20
MAX_CONDITIONS = 500
MAX_VALUES = 10_000
MAX_PATH = 20

Where = tuple[str | int, ...]
Op = FilterOperator

_LOGICAL = ("AND", "OR", "NOT")
_CONDITION_KEYS = {"field", "operator", "value", "case_sensitive", *_LOGICAL}
_TEMPLATE = re.compile(r"\s*(\{\{.*\}\}|\$\{.*\})\s*", re.DOTALL)
_WORDS = re.compile(r"\w+")


def parse_filter(filters: JsonObject | None, *where: str | int) -> Condition | None:
    """Return what the filter says, None when it says nothing; raises `InvalidFields` with the path below `where`.

    `case_sensitive: true` holds for all that is within; false does not undo it, because clients
    send false with every condition. An empty list says nothing.
    """
    if not filters:
        return None
    return _Parser().node(filters, where or ("body", "filters"), case_sensitive=False, depth=0)


def _refuse(where: Where, message: str, value: Any = None, kind: str = "value_error") -> InvalidFields:
    return InvalidFields.field(*where, message=message, kind=kind, value=value)


class _Parser:
    """Walks one filter and counts, so that no filter is too much work."""

    def __init__(self) -> None:
        self._conditions = 0

    def node(self, given: Any, where: Where, *, case_sensitive: bool, depth: int) -> Condition | None:
        if not isinstance(given, Mapping):
            raise _refuse(
                where, "must be an object: a condition, or conditions under AND, OR or NOT", given, "dict_type"
            )
        if depth > MAX_DEPTH:
            raise _refuse(where, f"is nested more than {MAX_DEPTH} deep")
        if "field" in given:
            return self._condition(given, where, case_sensitive=_case(given, where) or case_sensitive)
        case_sensitive = _case(given, where) or case_sensitive
        parts: list[Condition] = []
        for name, value in given.items():
            if name == "case_sensitive" or (name in _LOGICAL and value is None):
                continue
            if name in _LOGICAL:
                part = self._logical(name, value, (*where, name), case_sensitive=case_sensitive, depth=depth)
            else:
                part = self._shorthand(name, value, (*where, name), case_sensitive=case_sensitive)
            if part is not None:
                parts.append(part)
        return _joined(parts)

    def _logical(self, name: str, value: Any, where: Where, *, case_sensitive: bool, depth: int) -> Condition | None:
        """Read one of AND, OR, NOT: a list, or a single object."""
        if isinstance(value, Mapping):
            nodes = [self.node(value, where, case_sensitive=case_sensitive, depth=depth + 1)]
        elif isinstance(value, list | tuple):
            nodes = [
                self.node(part, (*where, at), case_sensitive=case_sensitive, depth=depth + 1)
                for at, part in enumerate(value)
            ]
        else:
            raise _refuse(where, "must be a list of conditions", value, "list_type")
        parts = [node for node in nodes if node is not None]
        if name == "AND" or not parts:
            return _joined(parts)
        some = parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
        return some if name == "OR" else Not(some)

    def _shorthand(self, name: str, value: Any, where: Where, *, case_sensitive: bool) -> Condition:
        """Read `{"status": "active"}`; a list means any of its values."""
        operator = Op.IN if isinstance(value, list | tuple) else Op.EQ
        return self._comparison(_path(name, where), operator, value, where, case_sensitive=case_sensitive)

    def _condition(self, given: Mapping[str, Any], where: Where, *, case_sensitive: bool) -> Condition:
        for name, value in given.items():
            if name not in _CONDITION_KEYS or (name in _LOGICAL and value is not None):
                raise _refuse((*where, name), "cannot stand beside 'field' in one condition", value, "extra_forbidden")
        path = _path(given["field"], (*where, "field"))
        operator = _operator(given.get("operator"), (*where, "operator"))
        if "value" not in given:
            if operator not in {Op.EXISTS, Op.IS_NULL}:
                raise _refuse((*where, "value"), "Field required", dict(given), "missing")
            return self._comparison(path, operator, True, where, case_sensitive=case_sensitive)
        return self._comparison(path, operator, given["value"], (*where, "value"), case_sensitive=case_sensitive)

    def _comparison(
        self, path: FieldPath, operator: Op, value: Any, where: Where, *, case_sensitive: bool
    ) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise _refuse(where, f"is beyond the {MAX_CONDITIONS} conditions that a filter may have")
        _refuse_dynamic(value, where)
        return _READERS[operator](path, value, where, case_sensitive)


def _joined(parts: list[Condition]) -> Condition | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _case(given: Mapping[str, Any], where: Where) -> bool:
    value = given.get("case_sensitive")
    if value is not None and not isinstance(value, bool):
        raise _refuse((*where, "case_sensitive"), "must be true or false", value, "bool_type")
    return bool(value)


def _path(name: Any, where: Where) -> FieldPath:
    if not isinstance(name, str):
        raise _refuse(where, "must be the name of a field", name, "string_type")
    path = tuple(name.split("."))
    if not all(path) or "\0" in name or len(path) > MAX_PATH:
        raise _refuse(where, "must be names of keys with single dots between them", name)
    return path


def _operator(name: Any, where: Where) -> Op:
    if name is None:
        return Op.EQ
    if not isinstance(name, str) or name not in set(Op):
        raise _refuse(where, f"must be one of {', '.join(Op)}", name, "enum")
    return Op(name)


def _refuse_dynamic(value: Any, where: Where) -> None:
    """Refuse what another query engine would fill in when a retriever runs."""
    looks_dynamic = isinstance(value, Mapping) and (
        value.get("type") == "dynamic"
        or set(value) <= {"type", "field"}
        or any(str(key).startswith("$") for key in value)
    )
    if looks_dynamic or (isinstance(value, str) and _TEMPLATE.fullmatch(value)):
        raise _refuse(
            where, "is a dynamic value; there is nothing here to take it from, so give the value itself", value
        )


def _scalar(value: Any, where: Where) -> Scalar:
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, float) and not math.isfinite(value):
        raise _refuse(where, "must be finite", str(value), "finite_number")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise _refuse(where, "must be a text, a number, true, false or null", value)


def _text(value: Any, where: Where) -> str:
    if not isinstance(value, str):
        raise _refuse(where, "must be a text", value, "string_type")
    if "\0" in value:
        raise _refuse(where, "must not contain NUL", value)
    return value


def _flag(value: Any, where: Where) -> bool:
    if not isinstance(value, bool):
        raise _refuse(where, "must be true or false", value, "bool_type")
    return value


def _equals(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
    return Equals(path, (_scalar(value, where),), case_sensitive)


def _is_in(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
    if not isinstance(value, list | tuple):
        raise _refuse(where, "must be a list", value, "list_type")
    if len(value) > MAX_VALUES:
        raise _refuse(where, f"must have at most {MAX_VALUES} values", len(value), "too_long")
    return Equals(path, tuple(_scalar(item, (*where, at)) for at, item in enumerate(value)), case_sensitive)


def _ordered(operator: Op) -> Reader:
    def read(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
        limit = _scalar(value, where)
        if limit is None or isinstance(limit, bool):
            raise _refuse(where, "must be a number or a text", value)
        return Ordered(path, operator, limit, case_sensitive)

    return read


def _contains(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
    part = _scalar(value, where)
    if part is None:
        raise _refuse(where, "must not be null", value)
    return Contains(path, part, case_sensitive)


def _affix(*, at_end: bool) -> Reader:
    def read(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
        return Affix(path, _text(value, where), at_end, case_sensitive)

    return read


def _matches(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
    try:
        return Matches(path, read_pattern(_text(value, where)), case_sensitive)
    except BadPattern as problem:
        raise _refuse(where, f"the pattern {problem}", value) from None


def _has_words(operator: Op) -> Reader:
    def read(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
        texts = value if isinstance(value, list | tuple) and operator is Op.WORDS else [value]
        words = tuple(word for text in texts for word in _WORDS.findall(_text(text, where)))
        if not words:
            raise _refuse(where, "must contain a word", value)
        return HasWords(path, operator, words, case_sensitive)

    return read


def _exists(path: FieldPath, value: Any, where: Where, _: bool) -> Condition:  # noqa: FBT001
    return Exists(path) if _flag(value, where) else Not(Exists(path))


def _is_null(path: FieldPath, value: Any, where: Where, case_sensitive: bool) -> Condition:  # noqa: FBT001
    null = Equals(path, (None,), case_sensitive)
    return null if _flag(value, where) else Not(null)


def _negated(read: Reader) -> Reader:
    return lambda path, value, where, case_sensitive: Not(read(path, value, where, case_sensitive))


def _within(read_area: Callable[[Mapping[str, Any], Where], Area]) -> Reader:
    def read(path: FieldPath, value: Any, where: Where, _: bool) -> Condition:  # noqa: FBT001
        return Within(path, read_area(_object(value, where), where))

    return read


def _object(value: Any, where: Where) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _refuse(where, "must be an object", value, "dict_type")
    return value


def _degrees(given: Mapping[str, Any], name: str, where: Where, limit: float) -> float:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limit:
        raise _refuse((*where, name), f"must be a number from {-limit:g} to {limit:g}", value)
    return round(float(value), DECIMALS)


def _place(value: Any, where: Where) -> Place:
    given = _object(value, where)
    lat, lon = _degrees(given, "lat", where, MAX_LATITUDE), _degrees(given, "lon", where, MAX_LONGITUDE)
    return Place(lat=lat, lon=lon)


def _circle(given: Mapping[str, Any], where: Where) -> Circle:
    radius = given.get("radius")
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0 <= radius < math.inf:
        raise _refuse((*where, "radius"), "must be a number of metres, zero or more", radius)
    return Circle(_place(given.get("center"), (*where, "center")), float(radius))


def _box(given: Mapping[str, Any], where: Where) -> Box:
    top_left = _place(given.get("top_left"), (*where, "top_left"))
    bottom_right = _place(given.get("bottom_right"), (*where, "bottom_right"))
    if top_left.lat < bottom_right.lat:
        raise _refuse((*where, "top_left", "lat"), "must not be south of bottom_right", top_left.lat)
    return Box(top_left, bottom_right)


def _polygon(given: Mapping[str, Any], where: Where) -> Polygon:
    holes = given.get("interiors") or []
    if not isinstance(holes, list | tuple):
        raise _refuse((*where, "interiors"), "must be a list", holes, "list_type")
    return Polygon(
        _ring(given.get("exterior"), (*where, "exterior")),
        tuple(_ring(hole, (*where, "interiors", at)) for at, hole in enumerate(holes)),
    )


def _ring(value: Any, where: Where) -> tuple[Place, ...]:
    points = value.get("points") if isinstance(value, Mapping) else value
    if not isinstance(points, list | tuple) or not 3 <= len(points) <= MAX_VALUES:  # noqa: PLR2004 - a triangle
        raise _refuse(where, "must have 'points', three or more", value)
    return tuple(_place(point, (*where, "points", at)) for at, point in enumerate(points))


Reader = Callable[[FieldPath, Any, Where, bool], Condition]

_READERS: dict[Op, Reader] = {
    Op.EQ: _equals,
    Op.NE: _negated(_equals),
    Op.IN: _is_in,
    Op.NIN: _negated(_is_in),
    **{operator: _ordered(operator) for operator in (Op.GT, Op.GTE, Op.LT, Op.LTE)},
    Op.CONTAINS: _contains,
    Op.STARTS_WITH: _affix(at_end=False),
    Op.ENDS_WITH: _affix(at_end=True),
    Op.REGEX: _matches,
    Op.EXISTS: _exists,
    Op.IS_NULL: _is_null,
    **{operator: _has_words(operator) for operator in (Op.TEXT, Op.PHRASE, Op.WORDS)},
    Op.GEO_RADIUS: _within(_circle),
    Op.GEO_BOUNDING_BOX: _within(_box),
    Op.GEO_POLYGON: _within(_polygon),
}
