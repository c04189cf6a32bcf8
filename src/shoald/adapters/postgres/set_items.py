"""Items of segment and chunk sets: COPY in, ranges of positions out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import Column, ColumnElement, Connection, FromClause, Table, exists, func, literal, select
from sqlalchemy.dialects.postgresql import BYTEA, JSONB, aggregate_order_by

from shoald.adapters.postgres.filters import filter_clause
from shoald.adapters.postgres.item_lines import COLUMNS, item_blocks
from shoald.adapters.postgres.tables.clusters import collection_documents
from shoald.domain.failures import NotFound
from shoald.domain.filters import Condition, roots_of
from shoald.domain.json_types import JsonObject, JsonText
from shoald.domain.records.segment_set import SetItem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shoald.application.ports.repositories.enrichments import EnrichedFields

# whoever reads a whole set hands the metadata on: taking them apart would be a quarter of the work
_AS_TEXT = COLUMNS.replace("metadata", "metadata::text")
# a few megabytes of text at a time
_IDS_AT_ONCE = 200_000
# the documented order of members
_IN_JSON = COLUMNS.replace("position, item_id", "item_id, position")


class PostgresSetItems:
    """`SetItemRepository` over one connection, for one of the two tables of items."""

    def __init__(self, connection: Connection, table: Table, set_column: str) -> None:
        self._connection = connection
        self._table = table
        self._set: Column[Any] = table.c[set_column]
        sets = set_column.removesuffix("_version_id") + "s"
        # the set's own table says whether the caller may see it: asked once for a statement, not for each item
        self._is_seen = f"EXISTS (SELECT FROM {sets} WHERE {set_column} = %s)"
        self._parent = _other_name_of(table.metadata.tables[sets]).c[set_column]
        # both ends are named: with LIMIT instead, PostgreSQL sorts the rest of a set of which it has no statistics yet
        self._in_range = f"{self._is_seen} AND {set_column} = %s AND position >= %s AND position < %s"

    def write_items(self, set_id: str, items: Iterable[SetItem]) -> None:
        """Append rows by COPY: the server takes in what waits in the socket while the next block is made."""
        self._refuse_unseen(set_id)
        copying = f"COPY {self._table.name} ({self._set.name}, {COLUMNS}) FROM STDIN".encode()
        with driver_connection(self._connection).cursor() as cursor, cursor.copy(copying) as copy:
            for block in item_blocks(set_id, items):
                copy.write(block)

    def items(self, set_id: str, *, start: int, limit: int) -> Sequence[SetItem]:
        """Read a range of positions."""
        query = f"SELECT {_AS_TEXT} FROM {self._table.name} WHERE {self._in_range} ORDER BY position"  # noqa: S608 - ours
        # a hundred thousand rows are read through here: the driver alone takes half the time
        with driver_connection(self._connection).cursor() as cursor:
            return [
                _record(*row)
                for row in cursor.execute(query.encode(), (set_id, set_id, start, start + limit)).fetchall()
            ]

    def items_as_json(self, set_id: str, *, start: int, limit: int, hidden: AbstractSet[int]) -> str:
        """Let PostgreSQL write the items, each as a row: of that it can make a gigabyte, but not of all together."""
        query = (
            f"SELECT row_to_json(item)::text FROM (SELECT {_IN_JSON} FROM {self._table.name}"  # noqa: S608 - ours
            f" WHERE {self._in_range} AND position <> ALL(%s) ORDER BY position) item"
        )
        # half a million positions may be hidden: each batch asks for its own, none goes through all
        within = [position for position in range(start, start + limit) if position in hidden] if hidden else []
        with driver_connection(self._connection).cursor() as cursor:
            rows = cursor.execute(query.encode(), (set_id, set_id, start, start + limit, within)).fetchall()
        return ",".join([text for (text,) in rows])

    def items_at(self, set_id: str, positions: Sequence[int]) -> dict[int, SetItem]:
        """Read single positions."""
        query = (
            f"SELECT {COLUMNS} FROM {self._table.name}"  # noqa: S608 - ours
            f" WHERE {self._is_seen} AND {self._set.name} = %s AND position = ANY(%s)"
        )
        with driver_connection(self._connection).cursor() as cursor:
            found = [_record(*row) for row in cursor.execute(query.encode(), (set_id, set_id, list(positions)))]
        return {item.position: item for item in found}

    def find_item(self, set_id: str, item_id: str) -> SetItem | None:
        """Read the rows of a set until the item comes."""
        query = (
            f"SELECT {COLUMNS} FROM {self._table.name}"  # noqa: S608 - ours
            f" WHERE {self._is_seen} AND {self._set.name} = %s AND item_id = %s LIMIT 1"
        )
        with driver_connection(self._connection).cursor() as cursor:
            row = cursor.execute(query.encode(), (set_id, set_id, item_id)).fetchone()
        return _record(*row) if row else None

    def known_ids(self, set_id: str, item_ids: Sequence[str]) -> set[str]:
        """Read the rows that have one of the ids, as their own or as their segment's."""
        source = "metadata->>'source_segment_item_id'"
        query = (
            f"SELECT item_id, {source} FROM {self._table.name}"  # noqa: S608 - ours
            f" WHERE {self._is_seen} AND {self._set.name} = %s AND (item_id = ANY(%s) OR {source} = ANY(%s))"
        )
        wanted = list(item_ids)
        with driver_connection(self._connection).cursor() as cursor:
            found = {one for row in cursor.execute(query.encode(), (set_id, set_id, wanted, wanted)) for one in row}
        return found.intersection(wanted)

    def clone_items(self, target_id: str, source_id: str, changed: SetItem) -> None:
        """Copy rows within PostgreSQL."""
        copying = (
            f"INSERT INTO {self._table.name} ({self._set.name}, {COLUMNS}) SELECT %s, {COLUMNS}"  # noqa: S608 - ours
            f" FROM {self._table.name} WHERE {self._is_seen} AND {self._set.name} = %s AND position <> %s"
        )
        with driver_connection(self._connection).cursor() as cursor:
            cursor.execute(copying.encode(), (target_id, source_id, source_id, changed.position))
        self.write_items(target_id, [changed])

    def texts(self, set_id: str, *, start: int, limit: int) -> Sequence[tuple[str, str]]:
        """Read ids and texts of a range of positions."""
        columns = self._table.c
        statement = (
            select(columns.item_id, columns.content)
            .where(self._seen(set_id), self._set == set_id, columns.position >= start, columns.position < start + limit)
            .order_by(columns.position)
        )
        return self._connection.execute(statement).all()

    def ids(self, set_id: str) -> npt.NDArray[np.bytes_]:
        """Let PostgreSQL write the ids one behind the other: no row is taken apart for each."""
        import numpy as np

        position = self._table.c.position
        packed = func.string_agg(self._table.c.item_id, aggregate_order_by(literal("\n"), position))
        mine = select(packed).where(self._seen(set_id), self._set == set_id)
        parts = [np.zeros(0, "S1")]
        start = 0
        while found := self._connection.scalar(mine.where(position >= start, position < start + _IDS_AT_ONCE)):
            parts.append(np.array(found.split("\n"), dtype=np.bytes_))
            start += _IDS_AT_ONCE
        return np.concatenate(parts)

    def positions_where(
        self, set_id: str, condition: Condition, *, laid_over: JsonObject, enriched: EnrichedFields | None = None
    ) -> npt.NDArray[np.int64]:
        """Let PostgreSQL test every item; the positions come in four bytes each."""
        import numpy as np

        position = self._table.c.position
        chosen = filter_clause(condition, self._filtered(condition, laid_over, enriched))
        packed = func.string_agg(func.int4send(position), aggregate_order_by(literal(b"", BYTEA), position))
        found = self._connection.scalar(select(packed).where(self._seen(set_id), self._set == set_id, chosen))
        return np.frombuffer(found or b"", ">i4").astype(np.int64)

    def _seen(self, set_id: str) -> ColumnElement[bool]:
        return exists().where(self._parent == set_id)

    def _refuse_unseen(self, set_id: str) -> None:
        """Raise `NotFound` unless the set is seen: items have no policy that would refuse what is written."""
        if not self._connection.scalar(select(self._seen(set_id))):
            raise NotFound("There is no such set.", detail={"set_id": set_id})

    def _filtered(
        self, condition: Condition, laid_over: JsonObject, enriched: EnrichedFields | None
    ) -> ColumnElement[Any]:
        """Return what a condition is about: the metadata, and what is laid over them where it looks at that."""
        columns = self._table.c
        document: ColumnElement[Any] = columns.metadata
        looks_at = roots_of(condition)
        if enriched is not None:
            document = document.op("||")(_written(columns.item_id, enriched))
        if looks_at & laid_over.keys():
            document = document.op("||")(literal(dict(laid_over), JSONB))
        if looks_at & {"item_id", "position"}:
            own = func.jsonb_build_object("item_id", columns.item_id, "position", columns.position)
            document = document.op("||")(own)
        return document


@cache
def _other_name_of(table: Table) -> FromClause:
    """Return an alias of a table, made once: it copies every column, and each unit of work wants two of them."""
    return table.alias()


def _written(item_id: ColumnElement[Any], enriched: EnrichedFields) -> ColumnElement[Any]:
    """Return what runs wrote into the document that an index made of an item."""
    documents = collection_documents.c
    payload = (
        select(documents.payload)
        .where(documents.collection_id == enriched.collection_id, documents.document_id == item_id)
        .correlate_except(collection_documents)
    )
    chosen = func.jsonb_each(payload.scalar_subquery()).table_valued("key", "value")
    kept = select(func.jsonb_object_agg(chosen.c.key, chosen.c.value)).where(chosen.c.key.in_(sorted(enriched.fields)))
    return func.coalesce(kept.scalar_subquery(), literal({}, JSONB))


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection, for COPY within the same transaction, and for reading without any."""
    is_reading = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    if not is_reading and not connection.in_transaction():
        connection.begin()  # SQLAlchemy commits only what it knows to have begun
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(type(driver))
    return driver


def _record(  # noqa: PLR0913, PLR0917 - a row, in the order of COLUMNS
    position: int,
    item_id: str,
    content: str,
    metadata: dict[str, Any] | str,
    parent_id: str | None,
    level: int,
    path: list[str],
    kind: str,
    original_format: str,
) -> SetItem:
    return SetItem(
        item_id=item_id,
        position=position,
        content=content,
        metadata=JsonText(metadata) if isinstance(metadata, str) else metadata,
        parent_id=parent_id,
        level=level,
        path=tuple(path),
        type=kind,
        original_format=original_format,
    )
