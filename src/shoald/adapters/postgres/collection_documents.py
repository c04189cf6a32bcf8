"""Documents of collections and their vectors in PostgreSQL: written by COPY, read by pages and by id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import ColumnElement, Connection, delete, func, select, text, true
from sqlalchemy import update as change
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from shoald.adapters.postgres.collection_visibility import collection_ids_of
from shoald.adapters.postgres.document_narrowing import narrowed_page
from shoald.adapters.postgres.document_selection import (
    are_seen,
    document_of,
    in_collections,
    in_order,
    meets,
    refuse_unseen,
    selected,
)
from shoald.adapters.postgres.engine import to_json_text
from shoald.adapters.postgres.namespaces import read_vector_configs
from shoald.adapters.postgres.payload_indexes import PayloadIndexRows
from shoald.adapters.postgres.tables.clusters import collection_documents, collections, document_vectors, upsert_keys
from shoald.application.listing import Selection
from shoald.domain.failures import Unavailable
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import CollectionDocument, DocumentBatch, ItemBatch, VectorColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shoald.application.ports.repositories.collections import NamedVectors
    from shoald.domain.filters import Condition

_MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_documents (LIKE collection_documents) ON COMMIT DROP;
TRUNCATE incoming_documents
"""
# a document that is stored again loses the vectors that it does not bring any more
_REMOVE_VECTORS = """
DELETE FROM document_vectors AS old USING incoming_documents AS new
WHERE old.collection_id = new.collection_id AND old.document_id = new.document_id
"""
_MERGE_DOCUMENTS = """
WITH put AS (
    INSERT INTO collection_documents SELECT * FROM incoming_documents
    ON CONFLICT (collection_id, document_id) DO UPDATE SET payload = EXCLUDED.payload, updated_at = EXCLUDED.updated_at
    RETURNING (xmax = 0) AS is_new
)
SELECT count(*) FILTER (WHERE is_new) FROM put
"""

_INSERT_ITEMS = """
INSERT INTO collection_documents (collection_id, document_id, payload, created_at, updated_at)
SELECT %(collection_id)s, item_id,
    CASE WHEN metadata ?| %(hidden)s::text[] THEN (metadata - %(hidden)s::text[]) || (
        SELECT jsonb_object_agg('source_' || key, value) FROM jsonb_each(metadata) WHERE key = ANY(%(hidden)s::text[])
    ) ELSE metadata END || jsonb_build_object('content', content, 'position', position{own}),
    %(at)s, %(at)s
FROM {table}_items
WHERE EXISTS (SELECT FROM {table}_sets WHERE {table}_set_version_id = %(set_id)s)
    AND {table}_set_version_id = %(set_id)s AND position BETWEEN %(first)s AND %(last)s
    AND (%(only)s::int[] IS NULL OR position = ANY(%(only)s::int[]))
"""


class CollectionDocumentRows(PayloadIndexRows):
    """The part of the repository of collections that deals with their documents."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put_documents(self, collection_id: str, batches: Iterable[DocumentBatch], *, at: datetime) -> int:
        """Store documents in bulk; one that is there is replaced with all of its vectors."""
        refuse_unseen(self._connection, [collection_id])
        stored = added = 0
        for batch in batches:
            self._connection.execute(text(_MAKE_INCOMING))
            self._copy_documents(collection_id, batch, at, into="incoming_documents")
            self._connection.execute(text(_REMOVE_VECTORS))
            self._copy_vectors(collection_id, batch)
            added += self._connection.execute(text(_MERGE_DOCUMENTS)).scalar_one()
            stored += len(batch.ids)
        self._note(collection_id, at, document_count=collections.c.document_count + added)
        return stored

    def replace_documents(
        self,
        collection_id: str,
        batches: Iterable[DocumentBatch | ItemBatch],
        *,
        at: datetime,
        index_build_id: str | None = None,
    ) -> int:
        """Put these documents in the place of all that there are."""
        refuse_unseen(self._connection, [collection_id])
        self._connection.execute(delete(document_vectors).where(document_vectors.c.collection_id == collection_id))
        self._connection.execute(delete(collection_documents).where(in_collections([collection_id])))
        stored = 0
        for batch in batches:
            if isinstance(batch, ItemBatch):
                self._insert_items(collection_id, batch, at)
            else:
                self._copy_documents(collection_id, batch, at, into="collection_documents")
            self._copy_vectors(collection_id, batch)
            stored += len(batch.ids)
        self._note(collection_id, at, document_count=stored, index_build_id=index_build_id)
        return stored

    def _note(self, collection_id: str, at: datetime, **values: Any) -> None:
        self._connection.execute(
            change(collections)
            .where(collections.c.collection_id == collection_id)
            .values(revision=collections.c.revision + 1, updated_at=at, **values)
        )

    def _copy_documents(self, collection_id: str, batch: DocumentBatch, at: datetime, *, into: str) -> None:
        columns = "(collection_id, document_id, payload, created_at, updated_at)"
        with self._driver.cursor() as cursor, cursor.copy(f"COPY {into} {columns} FROM STDIN") as copy:
            for document_id, payload in zip(batch.ids, batch.payloads, strict=True):
                body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
                copy.write_row((collection_id, document_id, body, at, at))

    def _insert_items(self, collection_id: str, batch: ItemBatch, at: datetime) -> None:
        table = "chunk" if batch.are_chunks else "segment"
        first, last = int(batch.positions[0]), int(batch.positions[-1])
        has_gaps = last - first + 1 > len(batch.positions)
        values = {
            "collection_id": collection_id,
            "set_id": batch.set_id,
            "first": first,
            "last": last,
            "only": batch.positions.tolist() if has_gaps else None,
            "hidden": list(batch.hidden),
            "at": at,
        }
        for number, (key, value) in enumerate(batch.own.items()):
            values |= {f"key_{number}": key, f"value_{number}": to_json_text(value)}
        # their own object laid over the other would be made of each row once more
        own = "".join(f", %(key_{number})s::text, %(value_{number})s::jsonb" for number in range(len(batch.own)))
        with self._driver.cursor() as cursor:
            cursor.execute(_INSERT_ITEMS.format(table=table, own=own).encode(), values)

    def _copy_vectors(self, collection_id: str, batch: DocumentBatch | ItemBatch) -> None:
        from shoald.adapters.postgres.vector_copying import copy_pieces, encoded_ids, ragged_pieces

        ids = encoded_ids(batch.ids)
        command = "COPY document_vectors (collection_id, vector_name, document_id, vector) FROM STDIN (FORMAT binary)"
        for column in batch.vectors:
            of_rows = ids if column.rows is None else ids[column.rows]
            leading = (collection_id, column.name)
            if isinstance(column, VectorColumn):
                pieces = copy_pieces(leading, of_rows, column.values)
            else:
                pieces = ragged_pieces(leading, of_rows, column)
            with self._driver.cursor() as cursor, cursor.copy(command) as copy:
                for piece in pieces:
                    copy.write(piece)

    @property
    def _driver(self) -> psycopg.Connection[Any]:
        driver: psycopg.Connection[Any] = self._connection.connection.driver_connection  # type: ignore[assignment]
        return driver

    def documents(self, collection_ids: Sequence[str], selection: Selection) -> list[CollectionDocument]:
        """Return documents in the order of collections and ids unless sorted by other keys."""
        ready = self._ready_fields(collection_ids, selection.condition)
        rows = narrowed_page(self._connection, collection_ids, selection, ready)
        if rows is None:
            statement = select(collection_documents).where(selected(collection_ids, selection, ready))
            chosen = in_order(statement, selection).limit(selection.limit).offset(selection.offset)
            rows = self._connection.execute(chosen).all()
        return [document_of(row) for row in rows]

    def count_documents(self, collection_ids: Sequence[str], selection: Selection) -> int:
        """Count what `documents` would return without limits."""
        ready = self._ready_fields(collection_ids, selection.condition)
        chosen = selected(collection_ids, selection, ready)
        return self._connection.execute(
            select(func.count()).select_from(collection_documents).where(chosen)
        ).scalar_one()

    def document(self, collection_id: str, document_id: str) -> CollectionDocument | None:
        """Return one document."""
        is_it = in_collections([collection_id]) & (collection_documents.c.document_id == document_id)
        row = self._connection.execute(select(collection_documents).where(is_it)).first()
        return None if row is None else document_of(row)

    def document_in_namespace(self, namespace_id: str, document_id: str) -> CollectionDocument | None:
        """Return the newest document of that id in any collection of the namespace."""
        return next(iter(self.documents_in_namespace(namespace_id, [document_id])), None)

    def documents_in_namespace(self, namespace_id: str, document_ids: Sequence[str]) -> list[CollectionDocument]:
        """Return the newest document of each of these ids in any collection of the namespace."""
        mine = collection_ids_of(self._connection, namespace_id)
        document_id = collection_documents.c.document_id
        statement = (
            select(collection_documents)
            .ext(distinct_on(document_id))
            .where(collection_documents.c.collection_id == func.any(mine), document_id == func.any(list(document_ids)))
            .order_by(document_id, collection_documents.c.updated_at.desc(), collection_documents.c.collection_id)
        )
        return [document_of(row) for row in self._connection.execute(statement)]

    def document_ids(self, collection_id: str, condition: Condition | None) -> npt.NDArray[np.bytes_]:
        """Return the ids of the documents that meet the condition, ascending by their bytes."""
        clause: ColumnElement[bool] = true()
        if condition is not None:
            clause = meets(condition, [collection_id], self._ready_fields([collection_id], condition))
        found = self._connection.scalars(
            select(collection_documents.c.document_id)
            .where(in_collections([collection_id]), clause)
            .order_by(collection_documents.c.document_id)
        )
        from shoald.adapters.postgres.vector_copying import encoded_ids

        return encoded_ids(list(found))

    def payloads(self, collection_id: str, document_ids: Sequence[str]) -> dict[str, JsonObject]:
        """Return the payloads of these documents, by id."""
        statement = select(collection_documents.c.document_id, collection_documents.c.payload).where(
            in_collections([collection_id]), collection_documents.c.document_id == func.any(list(document_ids))
        )
        return {row.document_id: row.payload for row in self._connection.execute(statement)}

    def vectors(
        self, collection_id: str, document_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, NamedVectors]:
        """Return the vectors of a few documents, by document id and name."""
        statement = select(document_vectors).where(
            are_seen([collection_id]),
            document_vectors.c.collection_id == collection_id,
            document_vectors.c.document_id == func.any(list(document_ids)),
        )
        if names is not None:
            statement = statement.where(document_vectors.c.vector_name.in_(names))
        from shoald.adapters.postgres.vector_copying import vector_of

        stored = select(collections.c.vector_configs).where(collections.c.collection_id == collection_id)
        configs = {one.name: one for one in read_vector_configs(self._connection.scalar(stored) or ())}
        found: dict[str, NamedVectors] = {one: {} for one in document_ids}
        for row in self._connection.execute(statement):
            config = configs[row.vector_name]
            found[row.document_id][row.vector_name] = vector_of(row.vector, config.kind, config.dimension)
        return found

    def answered_under(self, namespace_id: str, key: str) -> tuple[bytes, JsonObject] | None:
        """Return the request hash and the answer stored under an idempotency key."""
        is_it = (upsert_keys.c.namespace_id == namespace_id) & (upsert_keys.c.key == key)
        row = self._connection.execute(select(upsert_keys).where(is_it)).first()
        return None if row is None else (row.request_hash, row.answer)

    def keep_answer(self, namespace_id: str, key: str, request_hash: bytes, answer: JsonObject, at: datetime) -> None:
        """Store an answer under an idempotency key."""
        values = {
            "namespace_id": namespace_id,
            "key": key,
            "request_hash": request_hash,
            "answer": dict(answer),
            "created_at": at,
        }
        stored = self._connection.execute(upsert(upsert_keys).values(values).on_conflict_do_nothing())
        if stored.rowcount == 0:
            raise Unavailable("Another call with this idempotency key is being answered; try again.")
