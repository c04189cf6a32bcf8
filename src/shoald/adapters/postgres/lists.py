"""A selection goes in, a statement with its conditions, order and limits comes out: the same for every listed noun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import literal_column

from shoald.application.listing import Selection
from shoald.domain.failures import InvalidFields


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTable:
    """How one table is listed: what can be sorted by, what a search looks at, and the id that breaks ties.

    `printed` holds what the resource shows under names that are no columns; filters see it beside the columns.
    """

    table: Table
    id: ColumnElement[str]
    sortable: Mapping[str, ColumnElement[Any]]
    searched: Sequence[ColumnElement[str]]
    printed: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def conditions(self, selection: Selection) -> ColumnElement[bool]:
        """Return what rows must meet."""
        parts: list[ColumnElement[bool]] = [true()]
        if selection.search:
            parts.append(or_(*(column.icontains(selection.search, autoescape=True) for column in self.searched)))
        if selection.condition is not None:
            from shoald.adapters.postgres.filters import filter_clause

            parts.append(filter_clause(selection.condition, self._as_json()))
        return and_(*parts)

    def ordered(self, statement: Select[Any], selection: Selection) -> Select[Any]:
        """Add the order: what was asked for, then newest first."""
        order: list[ColumnElement[Any]] = []
        for key in selection.sort:
            column = self.sortable.get(key.field)
            if column is None:
                raise unknown_sort(key.field, self.sortable)
            order.append(column.desc() if key.descending else column.asc())
        return statement.order_by(*order, self.table.c.created_at.desc(), self.id.desc())

    def page(self, statement: Select[Any], selection: Selection) -> Select[Any]:
        """Add conditions, order and limits."""
        chosen = self.ordered(statement.where(self.conditions(selection)), selection)
        return chosen.limit(selection.limit).offset(selection.offset)

    def count(self, where: ColumnElement[bool], selection: Selection) -> Select[int]:
        """Return the statement that counts the whole list."""
        return select(func.count()).select_from(self.table).where(where, self.conditions(selection))

    def _as_json(self) -> ColumnElement[Any]:
        # a row as JSON lets the filter language see every column under its own name
        row = func.to_jsonb(literal_column(self.table.name), type_=JSONB)
        if not self.printed:
            return row
        pairs = [part for name, value in self.printed.items() for part in (literal(name), value)]
        return row.op("||", return_type=JSONB)(func.jsonb_build_object(*pairs, type_=JSONB))


def unknown_sort(field: str, known: Mapping[str, Any]) -> InvalidFields:
    """Return the failure for a field that cannot be sorted by."""
    message = f"cannot sort by {field!r}; there are {', '.join(sorted(known))}"
    return InvalidFields.field("body", "sort", "field", message=message, value=field)
