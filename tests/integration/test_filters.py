"""SQL says the same of a document as the evaluator in memory, whatever the filter and the document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Text, column, create_engine, literal, select, values
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import JSONB

from shoald.adapters.postgres.filters import filter_clause
from shoald.domain.filters import matches, parse_filter

pytestmark = pytest.mark.integration

texts = st.text(alphabet="abAB _.-é%'\"\\\n9ß漢", max_size=6)
scalars = st.one_of(
    texts, st.integers(-3, 3), st.sampled_from([0.5, -1.5, 1e20, 123456789012345678]), st.booleans(), st.none()
)
keys = st.sampled_from(["a", "b", 'k"y', "é"])
degrees = st.one_of(
    st.integers(-90, 90), st.floats(-80, 80), st.sampled_from([0, 1e-300, 5e-324, -95.5, 1e300, "7", None])
)
places = st.fixed_dictionaries({"lat": degrees, "lon": degrees})
real_places = st.fixed_dictionaries({"lat": st.floats(-80, 80), "lon": st.floats(-170, 170)})
leaves = st.one_of(scalars, places, st.lists(scalars, max_size=3))
objects = st.dictionaries(keys, leaves, max_size=3)
documents = st.dictionaries(
    keys, st.one_of(leaves, objects, st.lists(objects, max_size=2), st.lists(places, max_size=2)), max_size=3
)

fields = st.one_of(keys, st.tuples(keys, keys).map(".".join))
patterns = st.sampled_from(
    ["a", "^a", "b$", "a.b", "(a|b)+", r"\bab", r"\w\s\w", "[^a]b", "A{2}", r"\.", "x*", r"\d", "é", r"^\W"]
)
wordy = texts.filter(lambda text: any(character.isalnum() or character == "_" for character in text))
squares = st.tuples(st.integers(-60, 0), st.integers(1, 60), st.integers(-160, 0), st.integers(1, 160))


def comparison(field: str, operator: str, value: Any, case_sensitive: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"field": field, "operator": operator, "value": value, "case_sensitive": case_sensitive}


def condition(operators: list[str], value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(comparison, fields, st.sampled_from(operators), value, st.booleans())


def polygon(square: tuple[int, int, int, int]) -> dict[str, Any]:
    south, north, west, east = square
    corners = [(south, west), (north, west), (north + 0.3, east + 0.7), (south, east)]
    return {"exterior": {"points": [{"lat": lat, "lon": lon} for lat, lon in corners]}}


def box(square: tuple[int, int, int, int]) -> dict[str, Any]:
    south, north, west, east = square
    return {"top_left": {"lat": north, "lon": east}, "bottom_right": {"lat": south, "lon": west}}


conditions = st.one_of(
    condition(["eq", "ne"], scalars),
    condition(["in", "nin"], st.lists(scalars, max_size=3)),
    condition(["gt", "lt", "gte", "lte"], st.one_of(texts, st.integers(-3, 3), st.just(0.5))),
    condition(["contains"], st.one_of(texts, st.integers(-3, 3), st.booleans())),
    condition(["starts_with", "ends_with"], texts),
    condition(["regex"], patterns),
    condition(["exists", "is_null"], st.booleans()),
    condition(["text", "phrase", "words"], wordy),
    condition(["geo_radius"], st.builds(lambda center: {"center": center, "radius": 3e6}, real_places)),
    condition(["geo_bounding_box"], squares.map(box)),
    condition(["geo_polygon"], squares.map(polygon)),
)
filters = st.recursive(
    conditions,
    lambda inner: st.dictionaries(
        st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, max_size=3), min_size=1, max_size=2
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[Connection]:
    engine = create_engine(
        postgres_url.replace("postgresql://", "postgresql+psycopg://", 1), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def chosen(connection: Connection, given_filter: dict[str, Any], found: list[dict[str, Any]]) -> list[int]:
    condition = parse_filter(given_filter)
    rows = values(column("at"), column("body", Text), name="documents").data(
        [(at, json.dumps(document)) for at, document in enumerate(found)]
    )
    parsed = select(rows.c.at, as_type(rows.c.body, JSONB).label("payload")).subquery()
    clause = filter_clause(condition, parsed.c.payload) if condition is not None else literal(value=True)
    return sorted(connection.execute(select(parsed.c.at).where(clause)).scalars())


_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def check(connection: Connection, given_filter: dict[str, Any], found: list[dict[str, Any]]) -> None:
    condition = parse_filter(given_filter)
    expected = [at for at, document in enumerate(found) if condition is None or matches(condition, document)]
    assert chosen(connection, given_filter, found) == expected


@settings(max_examples=120, deadline=None, suppress_health_check=_CHECKS)
@given(given_filter=filters, found=st.lists(documents, min_size=1, max_size=8))
def test_sql_is_the_evaluator(
    connection: Connection, given_filter: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    check(connection, given_filter, found)


@pytest.mark.nightly
@settings(max_examples=4000, deadline=None, suppress_health_check=_CHECKS)
@given(given_filter=filters, found=st.lists(documents, min_size=1, max_size=8))
def test_sql_is_the_evaluator_at_length(
    connection: Connection, given_filter: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    check(connection, given_filter, found)


def test_numbers_beyond_all_floats_do_no_harm(connection: Connection) -> None:
    # JSON carries them, PostgreSQL's jsonb too
    found: list[dict[str, Any]] = [
        {"a": {"lat": 10**400, "lon": 1}},
        {"a": {"lat": 10**-300, "lon": 1}},
        {"a": 10**400},
    ]
    area = {"center": {"lat": 0, "lon": 1}, "radius": 10}
    assert chosen(connection, comparison("a", "geo_radius", area, False), found) == [1]
    assert chosen(connection, comparison("a", "gt", 1e300, False), found) == [2]


HOSTILE = "x' OR '1'='1'; DROP TABLE x; -- \" \\ $1 %s :name {0}"


@pytest.mark.parametrize("operator", ["eq", "contains", "starts_with", "ends_with", "gt", "text", "words", "phrase"])
def test_a_value_is_a_value(connection: Connection, operator: str) -> None:
    given_filter = comparison("a", operator, HOSTILE, True)
    found = [{"a": HOSTILE}, {"a": ""}, {"b": HOSTILE}]
    assert chosen(connection, given_filter, found) == ([] if operator == "gt" else [0])


@pytest.mark.parametrize("name", [HOSTILE.replace(".", ""), '"', "\\", "a b", "$", "*", "[0]", "é\u2028"])
def test_a_name_is_a_name(connection: Connection, name: str) -> None:
    assert chosen(connection, comparison(name, "eq", 1, False), [{name: 1}, {"a": 1}]) == [0]


def test_case_is_that_of_unicode(connection: Connection) -> None:
    found = [{"a": "ÄÖÉ ΑΣ ЖЩ"}]
    assert chosen(connection, comparison("a", "eq", "äöé \u03b1\u03c3 жщ", False), found) == [0]
    assert chosen(connection, comparison("a", "text", "äöé жщ", False), found) == [0]
    assert chosen(connection, comparison("a", "regex", "^äö", False), found) == [0]
    assert chosen(connection, comparison("a", "eq", "äöé \u03b1\u03c3 жщ", True), found) == []
