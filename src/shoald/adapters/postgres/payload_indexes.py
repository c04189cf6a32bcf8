"""Values of declared payload fields: built for what is stored already, and asked instead of the documents.

Triggers keep the values of documents that are written; see the migration that makes the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import singledispatch
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    update,
)

from shoald.adapters.postgres.filters import compared, filter_clause
from shoald.adapters.postgres.tables.clusters import collection_documents, collections
from shoald.adapters.postgres.tables.payload_indexes import payload_indexes, payload_values
from shoald.domain.filters.conditions import AllOf, AnyOf, Condition, Equals, Exists, Not, Ordered
from shoald.domain.filters.evaluation import fold
from shoald.domain.records.payload_index import READY, REMOVING, DeclaredIndex

Test = ColumnElement[bool]
ReadyFields = Mapping[str, bool]
"""The fields whose index can be asked, by name: whether a document may have several values of it."""

_LONGEST_TEXT = 100
"""Longest text that is asked for; what is stored is cut a little behind it, so that order and equality hold."""

_NOT_IN_PAYLOADS = frozenset({"document_id", "collection_id"})
"""What a filter sees in a document and no payload has, so that its index says nothing of it."""

_NEXT_COLLECTION = text(
    """
SELECT c.collection_id, CASE WHEN c.collection_id = i.done_collection THEN i.done_document ELSE '' END AS behind
FROM payload_indexes AS i
JOIN collections AS c ON c.namespace_id = i.namespace_id AND (
    c.collection_id > i.done_collection OR (c.collection_id = i.done_collection AND i.done_document IS NOT NULL)
)
WHERE i.namespace_id = :namespace_id AND i.field_name = :field_name AND i.state = :state AND i.created_at = :created_at
ORDER BY c.collection_id
LIMIT 1
FOR UPDATE OF c
"""
)
_NEXT_DOCUMENTS = text(
    """
SELECT count(*) AS documents, max(document_id) AS last
FROM (
    SELECT document_id FROM collection_documents
    WHERE collection_id = :collection_id AND document_id > :behind
    ORDER BY document_id
    LIMIT :most
) AS next
"""
)
_FORGET = text(
    """
DELETE FROM payload_values
WHERE collection_id = :collection_id AND field_name = :field_name AND document_id > :behind
    AND (CAST(:last AS varchar) IS NULL OR document_id <= :last)
"""
)
_BUILD = text(
    """
WITH stored AS (
    INSERT INTO payload_values (namespace_id, collection_id, field_name, document_id, text_value, number_value)
    SELECT i.namespace_id, d.collection_id, i.field_name, d.document_id, found.text_value, found.number_value
    FROM collection_documents AS d
    JOIN payload_indexes AS i ON i.namespace_id = :namespace_id AND i.field_name = :field_name AND i.state = 'building'
    CROSS JOIN LATERAL values_of_payload(d.payload, i.path::jsonpath) AS found
    WHERE d.collection_id = :collection_id AND d.document_id > :behind AND d.document_id <= :last
    RETURNING document_id
)
UPDATE payload_indexes SET has_several = true
WHERE namespace_id = :namespace_id AND field_name = :field_name AND NOT has_several
    AND EXISTS (SELECT FROM stored GROUP BY document_id HAVING count(*) > 1)
"""
)


class PayloadIndexRows:
    """The part of the repository of collections that deals with indexes of payload fields."""

    _connection: Connection

    def declared_indexes(self, namespace_id: str) -> list[DeclaredIndex]:
        """Return the indexes that a namespace declares, by field."""
        declared = (payload_indexes.c.namespace_id == namespace_id) & (payload_indexes.c.state != REMOVING)
        rows = select(payload_indexes).where(declared).order_by(payload_indexes.c.field_name)
        return [_declared(row) for row in self._connection.execute(rows)]

    def unfinished_indexes(self) -> list[DeclaredIndex]:
        """Return the indexes of all namespaces that are building or removing."""
        rows = (
            select(payload_indexes)
            .where(payload_indexes.c.state != READY)
            .order_by(payload_indexes.c.namespace_id, payload_indexes.c.field_name)
        )
        return [_declared(row) for row in self._connection.execute(rows)]

    def advance_index(self, index: DeclaredIndex, most: int) -> int | None:
        """Do the next documents of the collection that is not done yet; its place is stored beside them.

        What is written behind or before that place is kept by the triggers.
        """
        values: dict[str, Any] = asdict(index)
        place = self._connection.execute(_NEXT_COLLECTION, values).first()
        if place is None:
            return None
        values |= {"collection_id": place.collection_id, "behind": place.behind, "most": most}
        next_ones = self._connection.execute(_NEXT_DOCUMENTS, values).one()
        values["last"] = next_ones.last
        self._connection.execute(_FORGET, values)
        self._connection.execute(_BUILD, values)
        done = {"done_collection": place.collection_id, "done_document": next_ones.last}
        moved = self._connection.execute(update(payload_indexes).where(_is_as_it_was(index)).values(done))
        return next_ones.documents if moved.rowcount else None

    def finish_index(self, index: DeclaredIndex) -> None:
        """Let pages ask a built index from now on, or forget a removed one."""
        is_it = _is_as_it_was(index)
        if index.state == REMOVING:
            self._connection.execute(delete(payload_indexes).where(is_it))
        else:
            self._connection.execute(update(payload_indexes).where(is_it).values(state=READY))

    def _ready_fields(self, collection_ids: Sequence[str], condition: Condition | None) -> ReadyFields:
        """Return the fields that can be asked for documents of these collections, of one namespace."""
        if condition is None or not collection_ids:
            return {}
        namespace = select(collections.c.namespace_id).where(collections.c.collection_id == collection_ids[0])
        ready = select(payload_indexes.c.field_name, payload_indexes.c.has_several).where(
            payload_indexes.c.namespace_id == namespace.scalar_subquery(), payload_indexes.c.state == READY
        )
        rows = self._connection.execute(ready)
        return {row.field_name: row.has_several for row in rows if row.field_name not in _NOT_IN_PAYLOADS}


def _declared(row: Row[Any]) -> DeclaredIndex:
    return DeclaredIndex(row.namespace_id, row.field_name, row.state, row.created_at)


def _is_as_it_was(index: DeclaredIndex) -> Test:
    row = payload_indexes.c
    is_it = (row.namespace_id == index.namespace_id) & (row.field_name == index.field_name)
    return is_it & (row.state == index.state) & (row.created_at == index.created_at)


def indexed_clause(
    condition: Condition, document: ColumnElement[Any], collection_ids: Sequence[str], ready: ReadyFields
) -> Test:
    """Return the condition over rows of documents: by the index where it can say, else over `document`."""
    if isinstance(condition, AllOf):
        tests, others = value_tests(condition, ready)
        asked = (has_value(collection_ids, test) for test in tests)
        return and_(true(), *asked, *(indexed_clause(part, document, collection_ids, ready) for part in others))
    if isinstance(condition, AnyOf):
        return _any_of(condition, document, collection_ids, ready)
    if isinstance(condition, Not):
        return not_(indexed_clause(condition.part, document, collection_ids, ready))
    test = _value_test(condition, ready)
    return filter_clause(condition, document) if test is None else has_value(collection_ids, test)


def _any_of(condition: AnyOf, document: ColumnElement[Any], collection_ids: Sequence[str], ready: ReadyFields) -> Test:
    """Ask the index once for all that it can say: each part by itself would be no join, and cost a look at each row."""
    tests = [_value_test(part, ready) for part in condition.parts]
    others = [part for part, test in zip(condition.parts, tests, strict=True) if test is None]
    asked = [test for test in tests if test is not None]
    clauses = [indexed_clause(part, document, collection_ids, ready) for part in others]
    return or_(*([has_value(collection_ids, or_(*asked))] if asked else []), *clauses)


def value_tests(condition: Condition, ready: ReadyFields) -> tuple[list[Test], list[Condition]]:
    """Return the parts of a condition that all must hold: what a stored value of a document must be for each that the
    index can say, and the others.

    Where no document has several values of a field, all that is said of it must hold for one value, asked once.
    """
    tests: list[Test] = []
    of_single: dict[str, list[Test]] = {}
    others: list[Condition] = []
    for part in parts_of(condition):
        test = _value_test(part, ready)
        if test is None:
            others.append(part)
        elif isinstance(part, AnyOf) or ready[_name(part)]:
            tests.append(test)
        else:
            of_single.setdefault(_name(part), []).append(test)
    return [*tests, *(and_(*said) for said in of_single.values())], others


def parts_of(condition: Condition) -> list[Condition]:
    """Return the conditions that all must hold, none of which says so of others again."""
    if isinstance(condition, AllOf):
        return [one for part in condition.parts for one in parts_of(part)]
    return [condition]


def _name(condition: Any) -> str:
    return ".".join(condition.path)


def _value_test(condition: Condition, ready: ReadyFields) -> Test | None:
    """Return what a stored value of a document must be, its field included; None where the index cannot say it."""
    if isinstance(condition, AnyOf):
        tests = [_value_test(part, ready) for part in condition.parts]
        known = [test for test in tests if test is not None]
        return or_(*known) if known and len(known) == len(tests) else None
    if isinstance(condition, AllOf | Not):
        return None
    name = _name(condition)
    test = _test(condition) if name in ready else None
    return None if test is None else and_(payload_values.c.field_name == name, test)


def has_value(collection_ids: Sequence[str], test: Test) -> Test:
    """Return that a document has a stored value that passes the test."""
    value, row = payload_values.c, collection_documents.c
    within = value.collection_id == func.any(list(collection_ids))
    if len(collection_ids) == 1:
        within = value.collection_id == collection_ids[0]
    same = (value.collection_id == row.collection_id) & (value.document_id == row.document_id)
    return exists(select(literal(1)).select_from(payload_values).where(within, same, test))


@singledispatch
def _test(condition: Condition) -> Test | None:
    """Return what a stored value must be, None where the index cannot say it."""
    del condition
    return None


@_test.register
def _(condition: Exists) -> Test | None:
    del condition
    return payload_values.c.text_value >= ""


@_test.register
def _(condition: Equals) -> Test | None:
    texts = [value for value in condition.values if isinstance(value, str)]
    if None in condition.values or not condition.values or not _can_ask(texts, condition.case_sensitive):
        return None
    wanted = [_stored(value) for value in condition.values if isinstance(value, str | bool)]
    numbers = [float(v) for v in condition.values if isinstance(v, int | float) and not isinstance(v, bool)]
    tests: list[Test] = [payload_values.c.text_value.in_(wanted)] if wanted else []
    if numbers:
        tests.append((payload_values.c.text_value == "n") & payload_values.c.number_value.in_(numbers))
    return or_(*tests)


@_test.register
def _(condition: Ordered) -> Test | None:
    if isinstance(condition.value, str):
        return _text_order(condition)
    stored = payload_values.c.number_value
    return and_(
        payload_values.c.text_value == "n", compared(stored, condition.operator, literal(float(condition.value)))
    )


def _text_order(condition: Ordered) -> Test | None:
    value = str(condition.value)
    if not _can_ask([value], condition.case_sensitive):
        return None
    stored = payload_values.c.text_value
    return and_(stored >= "s", stored < "t", compared(stored, condition.operator, literal(_stored(value))))


def _can_ask(texts: Sequence[str], case_sensitive: bool) -> bool:  # noqa: FBT001
    return not texts or (not case_sensitive and all(len(one) <= _LONGEST_TEXT for one in texts))


def _stored(value: str | bool) -> str:  # noqa: FBT001
    if isinstance(value, bool):
        return "btrue" if value else "bfalse"
    return "s" + fold(value)
