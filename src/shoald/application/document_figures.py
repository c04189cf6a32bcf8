"""Figures over groups of a collection's documents, and the values of one field."""

from __future__ import annotations

from collections.abc import Sequence

from shoald.application.access import Caller
from shoald.application.collections import find_collection
from shoald.application.document_reading import QUERY_SECONDS
from shoald.application.listing import condition_of
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.aggregation import Aggregated, Aggregation, DistinctValue, Path


class DocumentFigures:
    """Asks about many documents at once; what takes longer than `query_seconds` raises `DeadlineExceeded`."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, query_seconds: float = QUERY_SECONDS) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._query_seconds = query_seconds

    def aggregate(self, caller: Caller, collection: str, asked: Aggregation) -> Aggregated:
        """Return figures over groups; raises `CollectionNotFound`, `InvalidFields` for what does not fit together."""
        _check(asked)
        with self._open_unit_of_work() as uow:
            collection_id = find_collection(uow, caller, collection).collection_id
            with uow.collections.within(self._query_seconds):
                return uow.collections.aggregate(collection_id, asked)

    def distinct(
        self, caller: Caller, collection: str, path: Path, filters: JsonObject | None, limit: int
    ) -> Sequence[DistinctValue]:
        """Return the values of a field, the most frequent first; raises `CollectionNotFound`."""
        condition = condition_of(filters)
        with self._open_unit_of_work() as uow:
            collection_id = find_collection(uow, caller, collection).collection_id
            with uow.collections.within(self._query_seconds):
                return uow.collections.distinct(collection_id, path, condition=condition, limit=limit)


def _check(asked: Aggregation) -> None:
    figures = [one.alias for one in asked.figures]
    aliases = [*(key.alias for key in asked.keys), *figures]
    again = next((alias for alias in aliases if aliases.count(alias) > 1), None)
    if again is not None:
        raise _refused("aggregations", "each alias must be there once", again)
    for at, one in enumerate(asked.figures):
        if one.path is None and one.function != "count":
            message = f"{one.function} needs a field"
            raise InvalidFields.field("body", "aggregations", at, "field", message=message, kind="missing")
    for condition in asked.having:
        if condition.alias not in figures:
            raise _refused("having", f"must name a figure, one of {', '.join(figures)}", condition.alias)
    if asked.sort_by is not None and asked.sort_by not in aliases:
        raise _refused("sort_by", f"must be one of {', '.join(aliases)}", asked.sort_by)


def _refused(name: str, message: str, value: str) -> InvalidFields:
    return InvalidFields.field("body", name, message=message, value=value)
