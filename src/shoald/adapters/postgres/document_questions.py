"""What is asked of many stored documents at once: groups of them, figures, the values of a field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg.errors
import sqlalchemy.exc
from sqlalchemy import ColumnElement, Subquery, Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.expression import literal_column

from shoald.adapters.postgres.document_aggregation import (
    aggregate_statement,
    aggregated,
    distinct_statement,
    distinct_values,
    value_at,
)
from shoald.adapters.postgres.document_selection import WHOLE, document_of, in_collections, meets, order_of, selected
from shoald.adapters.postgres.engine import to_json_text
from shoald.adapters.postgres.payload_indexes import PayloadIndexRows
from shoald.adapters.postgres.tables.clusters import collection_documents
from shoald.application.listing import Selection
from shoald.domain.failures import DeadlineExceeded
from shoald.domain.filters import Condition
from shoald.domain.records.aggregation import Aggregated, Aggregation, DistinctValue, DocumentGroup, Path
from shoald.domain.records.collection import CollectionDocument

_SCANNED_TOGETHER = 1000
_OWN_TIMES = ("created_at", "updated_at")
_NO_VALUE: ColumnElement[Any] = literal_column("'null'::jsonb", JSONB)
# a plan for any values would serve few of them well: how many documents a value has differs by orders
_BOUND = text(
    "SELECT set_config('statement_timeout', :limit, true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)
_TOO_SLOW = (
    "The question took longer than {seconds:g} seconds and was given up. Conditions by eq, in, gt, gte, lt, lte and "
    "exists are quick on fields that the namespace declares as payload_indexes; others read every document."
)


class DocumentQuestionRows(PayloadIndexRows):
    """The part of the repository of collections that answers questions about many documents."""

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give up what the rest of the transaction asks of the database after so long a statement.

        Raises `DeadlineExceeded` that says what is quick.
        """
        self._connection.execute(_BOUND, {"limit": str(round(seconds * 1000))})
        try:
            yield
        except sqlalchemy.exc.OperationalError as error:
            if isinstance(error.orig, psycopg.errors.QueryCanceled):
                raise DeadlineExceeded(_TOO_SLOW.format(seconds=seconds), detail={"seconds": seconds}) from error
            raise

    def scanned(
        self, collection_id: str, condition: Condition | None, *, limit: int | None = None
    ) -> Iterator[Sequence[CollectionDocument]]:
        """Yield documents by a cursor of the database, which sees them as they were when it was opened."""
        chosen = select(collection_documents).where(in_collections([collection_id]))
        if condition is not None:
            chosen = chosen.where(meets(condition, [collection_id], self._ready_fields([collection_id], condition)))
        in_order = chosen.order_by(collection_documents.c.document_id).limit(limit)
        rows = self._connection.execute(in_order.execution_options(yield_per=_SCANNED_TOGETHER))
        for some in rows.partitions():
            yield [document_of(row) for row in some]

    def values(
        self, collection_ids: Sequence[str], document_ids: Sequence[str], path: Path
    ) -> dict[tuple[str, str], Any]:
        """Return the value at a path of these documents, by collection and id."""
        value = value_at(collection_documents.c.payload, path)
        if len(path) == 1 and path[0] in _OWN_TIMES:
            own = func.to_jsonb(collection_documents.c[path[0]], type_=JSONB)
            value = func.coalesce(value, own, type_=JSONB)
        columns = (collection_documents.c.collection_id, collection_documents.c.document_id)
        chosen = select(*columns, value.label("value")).where(
            in_collections(collection_ids), columns[1] == func.any(list(document_ids))
        )
        return {(row.collection_id, row.document_id): row.value for row in self._connection.execute(chosen)}

    def document_groups(
        self, collection_ids: Sequence[str], selection: Selection, path: Path, *, most: int
    ) -> tuple[list[DocumentGroup], int]:
        """Return groups of documents by the value at a path, the largest first, and how many groups there are.

        The selection's limits are those of groups; of each group the first `most` documents are returned.
        """
        key = func.coalesce(value_at(WHOLE, path), _NO_VALUE, type_=JSONB).label("group_key")
        ready = self._ready_fields(collection_ids, selection.condition)
        chosen = selected(collection_ids, replace(selection, after=None), ready)
        keyed = select(key).select_from(collection_documents).where(chosen).subquery("keyed")
        count = func.count().label("documents")
        counted = (
            select(keyed.c.group_key, count, func.count().over().label("groups"))
            .group_by(keyed.c.group_key)
            .order_by(count.desc(), keyed.c.group_key == _NO_VALUE, keyed.c.group_key)
            .limit(selection.limit)
            .offset(selection.offset)
        )
        rows = self._connection.execute(counted).all()
        place = func.row_number().over(partition_by=key, order_by=order_of(selection)).label("place")
        ranked = select(collection_documents, key, place).where(chosen).subquery("ranked")
        wanted = [to_json_text(row.group_key) for row in rows]
        first = select(ranked).where(ranked.c.place <= most, ranked.c.group_key == func.any(_jsonb_array(wanted)))
        members: dict[str, list[Any]] = {text_of: [] for text_of in wanted}
        for row in self._connection.execute(first.order_by(ranked.c.place)) if rows else ():
            members[to_json_text(row.group_key)].append(document_of(row))
        groups = [DocumentGroup(row.group_key, members[to_json_text(row.group_key)], row.documents) for row in rows]
        return groups, rows[0].groups if rows else 0

    def aggregate(self, collection_id: str, asked: Aggregation) -> Aggregated:
        """Return figures over groups of documents."""
        statement = aggregate_statement(asked, self._documents(collection_id, asked.condition))
        return aggregated(asked, self._connection.execute(statement).all())

    def distinct(
        self, collection_id: str, path: Path, *, condition: Condition | None, limit: int
    ) -> list[DistinctValue]:
        """Return the values of a field with the number of documents that have each, the most frequent first."""
        statement = distinct_statement(path, limit, self._documents(collection_id, condition))
        return distinct_values(self._connection.execute(statement).all())

    def _documents(self, collection_id: str, condition: Condition | None) -> Subquery:
        """Return documents as figures see them: as filters do, with their times."""
        times = func.jsonb_build_object(
            "created_at",
            collection_documents.c.created_at,
            "updated_at",
            collection_documents.c.updated_at,
            type_=JSONB,
        )
        chosen = select(collection_documents.c.document_id, WHOLE.op("||", return_type=JSONB)(times).label("whole"))
        chosen = chosen.where(in_collections([collection_id]))
        if condition is not None:
            chosen = chosen.where(meets(condition, [collection_id], self._ready_fields([collection_id], condition)))
        return chosen.subquery("documents")


def _jsonb_array(texts: Sequence[str]) -> ColumnElement[Any]:
    return cast(cast(list(texts), ARRAY(Text)), ARRAY(JSONB))
