"""Conditions of the filter language as SQL over a JSONB value; whatever a caller sent is a bound parameter.

The meaning is that of `domain/filters/conditions.py`. Case and character classes are those of the collation
pg_c_utf8 (PostgreSQL 17 and newer), so that they are the same on every system.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import singledispatch
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Numeric,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH
from sqlalchemy.sql.expression import collate
from sqlalchemy.types import UserDefinedType

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
    EARTH_RADIUS_METRES,
    MAX_LATITUDE,
    MAX_LONGITUDE,
    Area,
    Box,
    Circle,
    Place,
)
from shoald.domain.vocabulary import FilterOperator

Json = ColumnElement[Any]
Test = ColumnElement[bool]

COLLATION = "pg_c_utf8"


class _Polygon(UserDefinedType[str]):
    """PostgreSQL's own polygon."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "polygon"


@singledispatch
def filter_clause(condition: Condition, document: Json) -> Test:
    """Return the condition as SQL over `document`, a column or expression of type JSONB that is not null."""
    raise TypeError(f"no such condition: {condition!r} for {document!r}")


@filter_clause.register
def _(condition: AllOf, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    return and_(*(filter_clause(part, document) for part in condition.parts))


@filter_clause.register
def _(condition: AnyOf, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    return or_(*(filter_clause(part, document) for part in condition.parts))


@filter_clause.register
def _(condition: Not, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    return not_(filter_clause(condition.part, document))


@filter_clause.register
def _(condition: Equals, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    tests: list[Test] = []
    if None in condition.values:
        tests.append(not_(_any_value(document, condition.path, lambda _: literal(value=True))))
        tests.append(_any_value(document, condition.path, lambda value: _is(value, "null")))
    wanted = [value for value in condition.values if value is not None]
    if wanted:
        is_one = _equal_to(wanted, case_sensitive=condition.case_sensitive)
        tests.append(_any_element(document, condition.path, is_one))
    return or_(*tests) if tests else false()


@filter_clause.register
def _(condition: Ordered, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    if isinstance(condition.value, str):
        limit = _cased(literal(condition.value, Text), condition.case_sensitive)
        return _any_text(
            document, condition.path, condition.case_sensitive, lambda text: compared(text, condition.operator, limit)
        )
    number = _json(condition.value)
    return _any_element(
        document, condition.path, lambda value: and_(_is(value, "number"), compared(value, condition.operator, number))
    )


@filter_clause.register
def _(condition: Contains, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    is_part = _equal_to([condition.value], case_sensitive=condition.case_sensitive)
    in_list = _any_value(
        document, condition.path, lambda value: and_(_is(value, "array"), _any_element(value, (), is_part))
    )
    if not isinstance(condition.value, str):
        return in_list
    part = _cased(literal(condition.value, Text), condition.case_sensitive)
    in_text = _any_value(
        document,
        condition.path,
        lambda value: and_(
            _is(value, "string"), func.strpos(_cased(_as_text(value), condition.case_sensitive), part) > 0
        ),
    )
    return or_(in_list, in_text)


@filter_clause.register
def _(condition: Affix, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    part = _cased(literal(condition.value, Text), condition.case_sensitive)
    length = len(condition.value)

    def test(text: ColumnElement[str]) -> Test:
        return func.right(text, length) == part if condition.at_end else func.starts_with(text, part)

    return _any_text(document, condition.path, condition.case_sensitive, test)


@filter_clause.register
def _(condition: Matches, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    return _any_text(
        document, condition.path, True, lambda text: _found(text, condition.pattern.posix, condition.case_sensitive)
    )


@filter_clause.register
def _(condition: HasWords, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    def test(text: ColumnElement[str]) -> Test:
        # words hold no character that a pattern would take otherwise
        if condition.operator is FilterOperator.PHRASE:
            return _found(text, r"\m" + r"\M\W+\m".join(condition.words) + r"\M", condition.case_sensitive)
        tests = [_found(text, rf"\m{word}\M", condition.case_sensitive) for word in condition.words]
        return and_(*tests) if condition.operator is FilterOperator.TEXT else or_(*tests)

    return _any_text(document, condition.path, True, test)


@filter_clause.register
def _(condition: Exists, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    return _any_value(document, condition.path, lambda _: literal(value=True))


@filter_clause.register
def _(condition: Within, document: ColumnElement) -> Test:  # type: ignore[type-arg]
    def test(value: Json) -> Test:
        lat, lon = value["lat"], value["lon"]
        is_place = and_(_is(value, "object"), _is_degree(lat, MAX_LATITUDE), _is_degree(lon, MAX_LONGITUDE))
        # a CASE, because a cast of what is no number would end the statement
        return case((is_place, _in_area(condition.area, _degree(lat), _degree(lon))), else_=false())

    return _any_element(document, condition.path, test)


def _any_of(document: Json, jsonpath: str, test: Callable[[Json], Test]) -> Test:
    """Return whether one of the values at a path passes the test."""
    found = func.jsonb_path_query(document, cast(literal(jsonpath, Text), JSONPATH), type_=JSONB).column_valued()
    return exists(select(literal(1)).select_from(found.scalar_alias).where(test(found)))


def jsonpath_of(path: FieldPath) -> str:
    """Return the path in jsonpath's lax mode, which goes on in each object of a list."""
    return "$" + "".join(f".{json.dumps(name)}" for name in path)


def _any_value(document: Json, path: FieldPath, test: Callable[[Json], Test]) -> Test:
    return _any_of(document, jsonpath_of(path), test)


def _any_element(document: Json, path: FieldPath, test: Callable[[Json], Test]) -> Test:
    """Return whether a value passes the test, or, of a list, one of its elements."""
    return _any_of(document, jsonpath_of(path) + "[*]", test)


def _any_text(
    document: Json,
    path: FieldPath,
    case_sensitive: bool,  # noqa: FBT001
    test: Callable[[ColumnElement[str]], Test],
) -> Test:
    return _any_element(
        document, path, lambda value: and_(_is(value, "string"), test(_cased(_as_text(value), case_sensitive)))
    )


def _is(value: Json, kind: str) -> Test:
    return func.jsonb_typeof(value) == kind


def _as_text(value: Json) -> ColumnElement[str]:
    """Return a text without its quotes."""
    return value.op("#>>", return_type=Text())(cast(literal([], ARRAY(Text)), ARRAY(Text)))


def _cased(text: ColumnElement[str], case_sensitive: bool) -> ColumnElement[str]:  # noqa: FBT001
    collated = collate(text, COLLATION)
    return collated if case_sensitive else func.lower(collated, type_=Text)


def _json(value: Scalar) -> ColumnElement[Any]:
    return cast(literal(json.dumps(value), Text), JSONB)


def _equal_to(wanted: list[Any], *, case_sensitive: bool) -> Callable[[Json], Test]:
    texts = [value for value in wanted if isinstance(value, str)]
    others = [value for value in wanted if not isinstance(value, str)]

    def test(value: Json) -> Test:
        tests: list[Test] = []
        if texts:
            known = [_cased(literal(text, Text), case_sensitive) for text in texts]
            tests.append(and_(_is(value, "string"), _cased(_as_text(value), case_sensitive).in_(known)))
        if others:
            tests.append(value.in_([_json(other) for other in others]))
        return or_(*tests)

    return test


def compared(left: ColumnElement[Any], operator: FilterOperator, right: ColumnElement[Any]) -> Test:
    """Return the comparison that `gt`, `gte`, `lt` or `lte` means."""
    match operator:
        case FilterOperator.GT:
            return left > right
        case FilterOperator.GTE:
            return left >= right
        case FilterOperator.LT:
            return left < right
        case _:
            return left <= right


def _found(text: ColumnElement[str], pattern: str, case_sensitive: bool) -> Test:  # noqa: FBT001
    return text.op("~" if case_sensitive else "~*", is_comparison=True)(literal(pattern, Text))


def _is_degree(value: Json, limit: float) -> Test:
    number = cast(_as_text(value), Numeric)
    return case((_is(value, "number"), func.abs(number) <= cast(int(limit), Numeric)), else_=false())


def _degree(value: Json) -> ColumnElement[float]:
    """Return a number of degrees, rounded: PostgreSQL refuses to compute with numbers that are nearly zero."""
    return cast(func.round(cast(_as_text(value), Numeric), DECIMALS), Double)


def _in_area(area: Area, lat: ColumnElement[float], lon: ColumnElement[float]) -> Test:
    if isinstance(area, Circle):
        return _in_circle(area, lat, lon)
    if isinstance(area, Box):
        west, east = area.top_left.lon, area.bottom_right.lon
        between = lon.between(west, east) if west <= east else or_(lon >= west, lon <= east)
        return and_(between, lat.between(area.bottom_right.lat, area.top_left.lat))
    holes = [not_(_in_ring(hole, lat, lon)) for hole in area.interiors]
    return and_(_in_ring(area.exterior, lat, lon), *holes)


def _in_circle(area: Circle, lat: ColumnElement[float], lon: ColumnElement[float]) -> Test:
    center = literal(area.center.lat, Double)
    rise = func.power(func.sin(func.radians(lat - center) / 2), 2)
    turn = func.power(func.sin(func.radians(lon - literal(area.center.lon, Double)) / 2), 2)
    chord = rise + func.cos(func.radians(lat)) * func.cos(func.radians(center)) * turn
    return 2 * EARTH_RADIUS_METRES * func.asin(func.sqrt(func.least(1.0, chord))) <= literal(area.radius, Double)


def _in_ring(ring: tuple[Place, ...], lat: ColumnElement[float], lon: ColumnElement[float]) -> Test:
    points = "(" + ",".join(f"({place.lon!r},{place.lat!r})" for place in ring) + ")"
    return cast(literal(points, Text), _Polygon).op("@>", is_comparison=True)(func.point(lon, lat))
