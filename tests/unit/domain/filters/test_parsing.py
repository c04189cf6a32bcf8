"""The filter language, as the documents and their clients write it."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.domain.failures import InvalidFields
from shoald.domain.filters import matches, parse_filter
from shoald.domain.vocabulary import FilterOperator

DOCUMENT = {
    "status": "Active",
    "age": 30,
    "price": 9.5,
    "is_new": True,
    "nothing": None,
    "tags": ["red", "Blue"],
    "empty": [],
    "title": "The quick brown fox",
    "metadata": {"lang": "en", "depth": {"x": 1}},
    "authors": [{"name": "Ada"}, {"name": "Grace"}],
    "place": {"lat": 52.52, "lon": 13.405},
}


def fulfils(filters: dict[str, Any]) -> bool:
    condition = parse_filter(filters)
    assert condition is not None
    return matches(condition, DOCUMENT)


def one(field: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (one("status", "eq", "active"), True),
        (one("status", "eq", "active", case_sensitive=True), False),
        (one("age", "eq", 30.0), True),
        (one("age", "eq", "30"), False),
        (one("is_new", "eq", True), True),
        (one("is_new", "eq", 1), False),
        (one("tags", "eq", "blue"), True),
        (one("nothing", "eq", None), True),
        (one("absent", "eq", None), True),
        (one("status", "ne", "active"), False),
        (one("absent", "ne", "active"), True),
        (one("age", "gt", 29), True),
        (one("age", "gt", 30), False),
        (one("age", "gte", 30), True),
        (one("price", "lt", 9.6), True),
        (one("price", "lte", 9.4), False),
        (one("status", "gt", "aaa"), True),
        (one("status", "gt", 5), False),
        (one("status", "in", ["idle", "ACTIVE"]), True),
        (one("status", "in", []), False),
        (one("status", "nin", ["idle"]), True),
        (one("absent", "in", [None]), True),
        (one("title", "contains", "QUICK"), True),
        (one("title", "contains", "QUICK", case_sensitive=True), False),
        (one("tags", "contains", "red"), True),
        (one("tags", "contains", "re"), False),
        (one("age", "contains", 30), False),
        (one("title", "starts_with", "the q"), True),
        (one("title", "ends_with", "FOX"), True),
        (one("tags", "ends_with", "ue"), True),
        (one("title", "regex", r"q.*b\w+n\b"), True),
        (one("title", "regex", "^quick"), False),
        (one("title", "regex", "^The", case_sensitive=True), True),
        (one("nothing", "exists", True), True),
        (one("absent", "exists", True), False),
        (one("absent", "exists", False), True),
        ({"field": "status", "operator": "exists"}, True),
        (one("nothing", "is_null", True), True),
        (one("absent", "is_null", True), True),
        (one("status", "is_null", False), True),
        (one("empty", "is_null", True), False),
        (one("title", "text", "fox brown"), True),
        (one("title", "text", "fox green"), False),
        (one("title", "words", "fox green"), True),
        (one("title", "words", ["green", "fox"]), True),
        (one("title", "words", "gree"), False),
        (one("title", "phrase", "brown fox"), True),
        (one("title", "phrase", "fox brown"), False),
        (one("metadata.lang", "eq", "EN"), True),
        (one("metadata.depth.x", "gte", 1), True),
        (one("authors.name", "eq", "grace"), True),
        (one("place", "geo_radius", {"center": {"lat": 52.5, "lon": 13.4}, "radius": 5000}), True),
        (one("place", "geo_radius", {"center": {"lat": 48.1, "lon": 11.6}, "radius": 5000}), False),
        (
            one(
                "place",
                "geo_bounding_box",
                {"top_left": {"lat": 53, "lon": 13}, "bottom_right": {"lat": 52, "lon": 14}},
            ),
            True,
        ),
        (
            one(
                "place",
                "geo_polygon",
                {
                    "exterior": {"points": [{"lat": 52, "lon": 13}, {"lat": 53, "lon": 13}, {"lat": 53, "lon": 14}]},
                    "interiors": [],
                },
            ),
            True,
        ),
    ],
)
def test_every_operator(filters: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert fulfils(filters) is expected


def test_every_operator_is_read() -> None:
    from shoald.domain.filters.parsing import _READERS

    assert set(_READERS) == set(FilterOperator)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "active"}, True),
        ({"status": "active", "age": 31}, False),
        ({"status": ["idle", "active"]}, True),
        ({"metadata.lang": "en"}, True),
        ({"AND": [one("status", "eq", "active"), one("age", "gte", 30)]}, True),
        ({"AND": [one("status", "eq", "active"), one("age", "gt", 30)]}, False),
        ({"OR": [one("status", "eq", "idle"), one("age", "eq", 30)]}, True),
        ({"NOT": [one("status", "eq", "idle"), one("age", "eq", 31)]}, True),
        ({"NOT": [one("status", "eq", "idle"), one("age", "eq", 30)]}, False),
        ({"NOT": one("status", "eq", "idle")}, True),
        ({"NOT": {"status": "active"}}, False),
        ({"AND": {"status": "active"}, "OR": None, "NOT": []}, True),
        ({"AND": [{"OR": [{"age": 1}, {"age": 30}]}, {"NOT": {"age": 2}}], "status": "active"}, True),
        ({"case_sensitive": True, "status": "active"}, False),
        ({"case_sensitive": True, "AND": [one("status", "eq", "active", case_sensitive=False)]}, False),
        ({"case_sensitive": None, "AND": [one("status", "eq", "active", case_sensitive=False)]}, True),
        ({"AND": [{"status": "active", "case_sensitive": True}, {"tags": "BLUE"}]}, False),
        ({"AND": None, "OR": None, "NOT": None, "case_sensitive": False, **one("status", "eq", "active")}, True),
        ({"field": "status", "value": "active"}, True),
    ],
)
def test_conditions_are_put_together(filters: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert fulfils(filters) is expected


@pytest.mark.parametrize(
    "filters", [None, {}, {"AND": []}, {"OR": []}, {"NOT": []}, {"AND": [{}]}, {"OR": None, "case_sensitive": True}]
)
def test_what_says_nothing_is_no_filter(filters: dict[str, Any] | None) -> None:
    assert parse_filter(filters) is None


@pytest.mark.parametrize(
    ("loc", "filters"),
    [
        (("operator",), one("a", "like", "x")),
        (("operator",), one("a", "EQ", "x")),
        (("value",), {"field": "a", "operator": "eq"}),
        (("field",), one("", "eq", 1)),
        (("field",), one("a..b", "eq", 1)),
        (("field",), {"field": 3, "value": 1}),
        (("value",), one("a", "in", "x")),
        (("value", 1), one("a", "in", ["x", {"b": 1}])),
        (("value",), one("a", "gt", None)),
        (("value",), one("a", "gt", True)),
        (("value",), one("a", "starts_with", 5)),
        (("value",), one("a", "exists", "yes")),
        (("value",), one("a", "text", "…")),
        (("value",), one("a", "eq", float("nan"))),
        (("value",), one("a", "eq", "\0")),
        (("value",), one("a", "regex", "(")),
        (("value",), one("a", "regex", r"(a)\1")),
        (("value",), one("a", "eq", {"b": 1})),
        (("value", "radius"), one("a", "geo_radius", {"center": {"lat": 1, "lon": 1}, "radius": -1})),
        (("value", "center", "lat"), one("a", "geo_radius", {"center": {"lat": 91, "lon": 1}, "radius": 1})),
        (("value", "exterior"), one("a", "geo_polygon", {"exterior": {"points": []}})),
        (("value",), one("a", "geo_radius", 5)),
        (("AND", 1, "operator"), {"AND": [{"a": 1}, one("a", "no", 1)]}),
        (("AND",), {"AND": "x"}),
        (("NOT", 0), {"NOT": ["x"]}),
        (("OR", 0, "NOT", "value"), {"OR": [{"NOT": one("a", "in", 1)}]}),
        (("case_sensitive",), {"case_sensitive": "yes"}),
        (("valeu",), {"field": "a", "valeu": 1}),
        (("AND",), {"field": "a", "value": 1, "AND": [{"b": 1}]}),
    ],
)
def test_what_is_wrong_is_named_by_its_path(loc: tuple[str | int, ...], filters: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields) as caught:
        parse_filter(filters)
    assert caught.value.problems[0].loc == ("body", "filters", *loc)


@pytest.mark.parametrize("operator", ["near", 5, True, [], ["eq"], {"eq": 1}])
def test_what_is_no_operator_is_refused_whatever_it_is(operator: object) -> None:
    with pytest.raises(InvalidFields, match="must be one of eq") as caught:
        parse_filter({"AND": [{"field": "status", "operator": operator, "value": 1}]})
    assert caught.value.problems[0].loc == ("body", "filters", "AND", 0, "operator")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "dynamic", "field": "inputs.user_id"},
        {"field": "inputs.user_id"},
        {"$input": "user"},
        "{{inputs.user_id}}",
        " ${user} ",
    ],
)
def test_a_dynamic_value_is_refused(value: object) -> None:
    for filters in ({"status": value}, {"AND": [one("status", "eq", value)]}):
        with pytest.raises(InvalidFields, match="dynamic value"):
            parse_filter(filters)


def test_a_filter_is_not_nested_without_end() -> None:
    filters: dict[str, Any] = {"a": 1}
    for _ in range(30):
        filters = {"NOT": filters}
    with pytest.raises(InvalidFields, match="nested"):
        parse_filter(filters)


def test_a_filter_does_not_grow_without_end() -> None:
    with pytest.raises(InvalidFields, match="500"):
        parse_filter({"AND": [{"a": 1}] * 501})


def test_the_place_of_the_filter_is_the_callers() -> None:
    with pytest.raises(InvalidFields) as caught:
        parse_filter({"AND": "x"}, "query", "filters")
    assert caught.value.problems[0].loc == ("query", "filters", "AND")
