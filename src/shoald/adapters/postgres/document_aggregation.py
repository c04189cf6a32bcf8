"""Figures over groups of documents, and the values of one field, as SQL; whatever a caller sent is a bound parameter.

What groups have in common and what figures are made of is read below, under names of ours (`g0`, `v0`), and grouped
above: no alias becomes a part of a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    Subquery,
    Text,
    case,
    cast,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH, TIMESTAMP, aggregate_order_by
from sqlalchemy.sql.expression import literal_column, true

from shoald.adapters.postgres.filters import jsonpath_of
from shoald.domain.platform_words import DatePart, FigureFunction, FigureOperator
from shoald.domain.records.aggregation import (
    MOST_COLLECTED,
    Aggregated,
    Aggregation,
    DistinctValue,
    Figure,
    Group,
    GroupKey,
    Having,
    Path,
    Ranges,
)

Json = ColumnElement[Any]

_FIELDS_OF_PARTS: dict[str, str] = {DatePart.DAY_OF_WEEK: "dow", DatePart.DAY_OF_YEAR: "doy"}
_ELEMENT = "element"


def aggregate_statement(asked: Aggregation, documents: Subquery) -> Select[Any]:
    """Return the statement of the groups over `documents`, which has the columns `document_id` and `whole` (JSONB)."""
    read = _read(asked, documents).subquery("read")
    keys = [read.c[f"g{at}"] for at in range(len(asked.keys))]
    figures = [_figure(one, read, at).label(f"f{at}") for at, one in enumerate(asked.figures)]
    grouped = select(*keys, *figures).select_from(read).group_by(*keys).subquery("grouped")
    chosen = select(*grouped.c, func.count().over().label("total"))
    for one in asked.having:
        chosen = chosen.where(_passes(one, grouped.c[_name_of(asked, one.alias)]))
    return chosen.order_by(*_order(asked, grouped)).limit(asked.limit)


def aggregated(asked: Aggregation, rows: Sequence[Any]) -> Aggregated:
    """Return the rows of that statement as groups."""
    first = len(asked.keys)
    groups = [
        Group(
            {key.alias: row[at] for at, key in enumerate(asked.keys)},
            {one.alias: row[first + at] for at, one in enumerate(asked.figures)},
        )
        for row in rows
    ]
    return Aggregated(groups, rows[0].total if rows else 0)


def distinct_statement(path: Path, limit: int, documents: Subquery) -> Select[Any]:
    """Return the statement of the values at a path, the most frequent first; each element of a list is a value."""
    found = _elements(documents.c.whole, path)
    values = (
        select(documents.c.document_id, found.label("value"))
        .select_from(documents.join(found.scalar_alias, true()))
        .where(func.jsonb_typeof(found) != "null")
        .distinct()
        .subquery("found")
    )
    count = func.count().label("documents")
    return select(values.c.value, count).group_by(values.c.value).order_by(count.desc(), values.c.value).limit(limit)


def distinct_values(rows: Sequence[Any]) -> list[DistinctValue]:
    """Return the rows of that statement as values."""
    return [DistinctValue(row.value, row.documents) for row in rows]


def value_at(whole: Json, path: Path) -> Json:
    """Return the value at a path of keys, NULL where there is none or null."""
    found = whole.op("#>", return_type=JSONB)(cast(literal(list(path), ARRAY(Text)), ARRAY(Text)))
    return func.nullif(found, literal_column("'null'::jsonb"), type_=JSONB)


def _elements(whole: Json, path: Path) -> Any:
    steps = cast(literal(jsonpath_of(path) + "[*]", Text), JSONPATH)
    return func.jsonb_path_query(whole, steps, type_=JSONB).column_valued(_ELEMENT)


def _read(asked: Aggregation, documents: Subquery) -> Select[Any]:
    """Return what is grouped: a row for each document, or each element of the list that is unwound."""
    source: FromClause = documents
    element: Json | None = None
    if asked.unwind is not None:
        element = _elements(documents.c.whole, asked.unwind)
        source = documents.join(element.scalar_alias, true())

    def at(path: Path) -> Json:
        if element is None or asked.unwind is None or path[: len(asked.unwind)] != asked.unwind:
            return value_at(documents.c.whole, path)
        return value_at(element, path[len(asked.unwind) :])

    keys = [_ranged(key, at(key.path)) if isinstance(key, Ranges) else _keyed(key, at(key.path)) for key in asked.keys]
    values = [null() if one.path is None else at(one.path) for one in asked.figures]
    return select(
        documents.c.document_id,
        *(key.label(f"g{number}") for number, key in enumerate(keys)),
        *(value.label(f"v{number}") for number, value in enumerate(values)),
    ).select_from(source)


def _as_text(value: Json) -> ColumnElement[str]:
    return value.op("#>>", return_type=Text())(cast(literal([], ARRAY(Text)), ARRAY(Text)))


def _number(value: Json) -> ColumnElement[Any]:
    # a CASE, because a cast of what is no number would end the statement
    return case((func.jsonb_typeof(value) == "number", cast(_as_text(value), Numeric)), else_=null())


def _time(value: Json) -> ColumnElement[Any]:
    """Return the time that a text says, in UTC; NULL for what is none."""
    text = _as_text(value)
    moment = cast(cast(text, TIMESTAMP(timezone=True)).op("AT TIME ZONE")("UTC"), TIMESTAMP)
    return case((func.pg_input_is_valid(text, "timestamptz"), moment), else_=null())


def _keyed(key: GroupKey, value: Json) -> Json:
    if key.date_trunc is not None:
        cut = func.date_trunc(key.date_trunc, _time(value))
        return func.to_jsonb(func.to_char(cut, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), type_=JSONB)
    if key.date_part is not None:
        part = func.date_part(_FIELDS_OF_PARTS.get(key.date_part, key.date_part), _time(value))
        # the document counts the days of a week from Sunday as 1
        return func.to_jsonb(func.floor(part + 1 if key.date_part == DatePart.DAY_OF_WEEK else part), type_=JSONB)
    return value


def _ranged(ranges: Ranges, value: Json) -> Json:
    number, limits = _number(value), ranges.boundaries
    names = [f"<{limits[0]:g}", *(f"{low:g}-{high:g}" for low, high in pairwise(limits)), f">{limits[-1]:g}"]
    tests = [(number < limits[0], literal(names[0]))]
    tests += [(number <= high, literal(name)) for high, name in zip(limits[1:] or limits, names[1:], strict=False)]
    above = (number.is_not(None), literal(names[-1]))
    return func.to_jsonb(cast(case(*tests, above, else_=literal(ranges.default, Text)), Text), type_=JSONB)


def _figure(one: Figure, read: Subquery, at: int) -> Json:
    value, there = read.c[f"v{at}"], read.c[f"v{at}"].is_not(None)
    number = _number(value)
    in_order = aggregate_order_by(value, read.c.document_id)
    by_size = aggregate_order_by(value, value)
    made: dict[str, ColumnElement[Any]] = {
        FigureFunction.COUNT: func.count() if one.path is None else func.count(value),
        FigureFunction.COUNT_DISTINCT: func.count(value.distinct()),
        FigureFunction.SUM: func.coalesce(func.sum(number), 0),
        FigureFunction.AVG: func.avg(number),
        FigureFunction.MIN: _first(func.array_agg(by_size).filter(there)),
        FigureFunction.MAX: _first(func.array_agg(aggregate_order_by(value, value.desc())).filter(there)),
        FigureFunction.FIRST: _first(func.array_agg(in_order).filter(there)),
        FigureFunction.LAST: _first(func.array_agg(aggregate_order_by(value, read.c.document_id.desc())).filter(there)),
        FigureFunction.PUSH: _some(func.array_agg(in_order).filter(there)),
        FigureFunction.ADD_TO_SET: _some(func.array_agg(value.distinct()).filter(there)),
    }
    return func.to_jsonb(made[one.function], type_=JSONB)


def _first(values: Any) -> Json:
    return func.to_jsonb(values, type_=JSONB)[0]


def _some(values: Any) -> Json:
    first = cast(literal(f"$[0 to {MOST_COLLECTED - 1}]", Text), JSONPATH)
    found = func.jsonb_path_query_array(func.to_jsonb(values, type_=JSONB), first, type_=JSONB)
    return func.coalesce(found, literal_column("'[]'::jsonb", JSONB), type_=JSONB)


def _name_of(asked: Aggregation, alias: str) -> str:
    """Return our name of what a caller named; the use case has checked that there is one."""
    names = {key.alias: f"g{at}" for at, key in enumerate(asked.keys)}
    return {**names, **{one.alias: f"f{at}" for at, one in enumerate(asked.figures)}}[alias]


def _passes(one: Having, figure: Json) -> ColumnElement[bool]:
    value: Json = cast(literal(one.value, JSONB), JSONB)
    same_kind = func.jsonb_typeof(figure) == func.jsonb_typeof(value)
    tests: dict[str, ColumnElement[bool]] = {
        FigureOperator.GT: figure > value,
        FigureOperator.GTE: figure >= value,
        FigureOperator.LT: figure < value,
        FigureOperator.LTE: figure <= value,
        FigureOperator.EQ: figure == value,
        FigureOperator.NE: figure != value,
    }
    return tests[one.operator] if one.operator == FigureOperator.NE else same_kind & tests[one.operator]


def _order(asked: Aggregation, grouped: Subquery) -> list[Any]:
    keys = [grouped.c[f"g{at}"].asc().nulls_last() for at in range(len(asked.keys))]
    if asked.sort_by is None:
        return keys
    column = grouped.c[_name_of(asked, asked.sort_by)]
    return [(column.desc() if asked.descending else column.asc()).nulls_last(), *keys]
