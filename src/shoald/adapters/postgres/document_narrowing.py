"""Pages of documents that meet conditions which the index of payload fields can answer.

How many values of a field lie in a range, and how many documents meet two conditions at once, PostgreSQL cannot know
of rows that hold the values of all fields; what it guesses is wrong by the number of fields, or more, and of documents
that were just stored it knows nothing. So the way is looked up: a condition that few documents meet is asked first;
where many documents meet each, a page is usually full after a few hundred in their order; and where that fails, the ids
that meet each condition are intersected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Select, func, intersect, select, true
from sqlalchemy.sql.util import ClauseAdapter

from shoald.adapters.postgres.document_selection import in_order, selected
from shoald.adapters.postgres.payload_indexes import ReadyFields, value_tests
from shoald.adapters.postgres.tables.clusters import collection_documents
from shoald.adapters.postgres.tables.payload_indexes import payload_values
from shoald.application.listing import Selection
from shoald.domain.filters.conditions import AllOf

Test = ColumnElement[bool]

FEW = 2000
"""So many documents are looked at one by one in a few milliseconds."""
WALKED = 1000
"""Documents, in their order, among which a page is looked for before ids are intersected."""
_FURTHER = 4
"""So many times as far a page is looked for that seems to end there."""

# made once: an alias copies every column of its table
_FOLLOWING = collection_documents.alias()
_LAST_ID = "\U0010ffff"
"""Behind every id, by its bytes."""


def narrowed_page(
    connection: Connection, collection_ids: Sequence[str], selection: Selection, ready: ReadyFields
) -> Sequence[Row[Any]] | None:
    """Return the rows of a page, None where the statement that says all at once does as well.

    That is where no condition is asked of the index, one before documents are sorted, or several collections. Costs two
    to four statements; the dearest takes as long as reading the ids that meet each condition from the index.
    """
    if len(collection_ids) != 1 or selection.condition is None:
        return None
    tests, others = value_tests(selection.condition, ready)
    if len(tests) < (2 if selection.sort else 1):
        return None
    rest = replace(selection, condition=AllOf(tuple(others)) if others else None)
    narrowing = _Narrowing(collection_ids[0], tests, rest, ready)
    return narrowing.rows(connection)


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """A page of one collection: `tests` is what stored values must be, `rest` the selection without those."""

    collection_id: str
    tests: Sequence[Test]
    rest: Selection
    ready: ReadyFields

    def rows(self, connection: Connection) -> Sequence[Row[Any]]:
        counts = connection.execute(select(*map(self._count, self.tests))).one()
        rarest = min(range(len(counts)), key=counts.__getitem__)
        if counts[rarest] <= FEW:
            others = [self._has(test) for at, test in enumerate(self.tests) if at != rarest]
            return connection.execute(self._among(self._ids(self.tests[rarest]), *others)).all()
        return self._walked(connection) or connection.execute(self._among(self._in_all())).all()

    def _walked(self, connection: Connection) -> Sequence[Row[Any]] | None:
        """Return a full page of the next documents; None where it is sorted, or not full after a few of them."""
        if self.rest.sort:
            return None
        rows = connection.execute(self._walk(WALKED)).all()
        if self.rest.limit > len(rows) >= self.rest.limit / _FURTHER:
            rows = connection.execute(self._walk(_FURTHER * WALKED)).all()
        return rows if len(rows) == self.rest.limit else None

    def _count(self, test: Test) -> ScalarSelect[int]:
        """Return how many values pass a test, as far as it is of interest."""
        some = self._ids(test).limit(FEW + 1).subquery()
        return select(func.count()).select_from(some).scalar_subquery()

    def _ids(self, test: Test) -> Select[Any]:
        value = payload_values.c
        return select(value.document_id).where(
            value.collection_id == self.collection_id, test, self._is_behind(value.document_id)
        )

    def _is_behind(self, document_id: ColumnElement[str]) -> Test:
        after = self.rest.after
        return true() if after is None else document_id > after.partition("/")[2]

    def _page(self, *conditions: Test) -> Select[Any]:
        chosen = selected([self.collection_id], self.rest, self.ready)
        page = in_order(select(collection_documents).where(chosen, *conditions), self.rest)
        return page.limit(self.rest.limit).offset(self.rest.offset)

    def _among(self, ids: Any, *conditions: Test) -> Select[Any]:
        """Return the page of these documents; an array of ids is no table whose size would be guessed."""
        known = func.array(ids.scalar_subquery())
        return self._page(collection_documents.c.document_id == func.any(known), *conditions)

    def _walk(self, steps: int) -> Select[Any]:
        """Return the page of the next so many documents in their order."""
        row, following = collection_documents.c, _FOLLOWING.c
        in_them = (following.collection_id == self.collection_id) & self._is_behind(following.document_id)
        last = select(following.document_id).where(in_them).order_by(following.document_id)
        bound = func.coalesce(last.offset(steps - 1).limit(1).scalar_subquery(), _LAST_ID)
        return self._page(row.document_id <= bound, *map(self._has, self.tests))

    def _has(self, test: Test) -> Test:
        """Return that a document has a value that passes, looked for among the values of that document alone.

        OFFSET 0 and LIMIT keep PostgreSQL from looking by the value instead, or for all documents at once: before it
        has figures of new documents, that costs as much and is slow.
        """
        row, value = collection_documents.c, payload_values.c
        is_its = (value.collection_id == self.collection_id) & (value.document_id == row.document_id)
        its = select(value.field_name, value.text_value, value.number_value).where(is_its).offset(0)
        values = its.correlate(collection_documents).subquery("of_document")
        passes = select(true()).where(ClauseAdapter(values).traverse(test)).select_from(values)
        return passes.limit(1).correlate(collection_documents).scalar_subquery()

    def _in_all(self) -> Any:
        """Return the ids that pass all tests; the first of them where nothing else is asked."""
        several = [self._ids(test) for test in self.tests]
        ids = intersect(*several) if len(several) > 1 else several[0].distinct()
        rest = self.rest
        if rest.sort or rest.search or rest.condition is not None or rest.partition is not None:
            return ids
        return ids.order_by("document_id").limit(rest.offset + rest.limit)
