"""Stored documents changed and removed, by id or by condition, in one transaction and in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, bindparam, delete, func, select, text, update

from shoald.adapters.postgres.document_selection import in_collections, meets
from shoald.adapters.postgres.engine import to_json_text
from shoald.adapters.postgres.payload_indexes import PayloadIndexRows
from shoald.adapters.postgres.tables.clusters import collection_documents, collections, document_vectors
from shoald.domain.filters import Condition
from shoald.domain.json_types import JsonObject

_TOGETHER = 1000
_WRITE = text(
    """
UPDATE collection_documents AS old SET payload = new.payload::jsonb, updated_at = :at
FROM unnest(CAST(:ids AS text[]), CAST(:payloads AS text[])) AS new (document_id, payload)
WHERE old.collection_id = :collection_id AND old.document_id = new.document_id
"""
)
Change = Callable[[JsonObject], JsonObject]


class DocumentChangeRows(PayloadIndexRows):
    """The part of the repository of collections that changes and removes their documents."""

    def change_documents(self, collection_id: str, changes: Mapping[str, Change], *, at: datetime) -> list[str]:
        """Change documents by id, and return the ids of those that there are."""
        is_one = collection_documents.c.document_id == func.any(list(changes))
        found = self._connection.execute(
            select(collection_documents.c.document_id, collection_documents.c.payload)
            .where(in_collections([collection_id]), is_one)
            .with_for_update()
        ).all()
        self._write(collection_id, {row.document_id: changes[row.document_id](row.payload) for row in found}, at)
        self._note_documents(collection_id, at, changed=len(found))
        return [row.document_id for row in found]

    def change_matching(self, collection_id: str, condition: Condition | None, change: Change, *, at: datetime) -> int:
        """Change all documents that meet the condition, and say how many."""
        count = 0
        for rows in self._matching(collection_id, condition):
            self._write(collection_id, {row.document_id: change(row.payload) for row in rows}, at)
            count += len(rows)
        self._note_documents(collection_id, at, changed=count)
        return count

    def delete_documents(self, collection_id: str, document_ids: Sequence[str], *, at: datetime) -> list[str]:
        """Remove documents with their vectors, and return the ids of those that there were."""
        gone, vectors = _removal(collection_id, collection_documents.c.document_id == func.any(list(document_ids)))
        removed = self._connection.scalars(select(gone.c.document_id).add_cte(vectors)).all()
        self._note_documents(collection_id, at, changed=len(removed), removed=len(removed))
        return list(removed)

    def delete_matching(self, collection_id: str, condition: Condition, *, at: datetime) -> int:
        """Remove all documents that meet the condition with their vectors, and say how many."""
        ready = self._ready_fields([collection_id], condition)
        gone, vectors = _removal(collection_id, meets(condition, [collection_id], ready))
        removed = self._connection.execute(select(func.count()).select_from(gone).add_cte(vectors)).scalar_one()
        self._note_documents(collection_id, at, changed=removed, removed=removed)
        return removed

    def _matching(self, collection_id: str, condition: Condition | None) -> Iterator[Sequence[Any]]:
        """Yield the documents that meet the condition, some at a time, in the order of their ids."""
        wanted = (
            select(collection_documents.c.document_id, collection_documents.c.payload)
            .where(in_collections([collection_id]), collection_documents.c.document_id > bindparam("behind"))
            .order_by(collection_documents.c.document_id)
            .limit(_TOGETHER)
            .with_for_update()
        )
        if condition is not None:
            wanted = wanted.where(meets(condition, [collection_id], self._ready_fields([collection_id], condition)))
        behind = ""
        while rows := self._connection.execute(wanted, {"behind": behind}).all():
            behind = rows[-1].document_id
            yield rows

    def _write(self, collection_id: str, payloads: Mapping[str, JsonObject], at: datetime) -> None:
        if payloads:
            texts = [to_json_text(payload) for payload in payloads.values()]
            values = {"ids": list(payloads), "payloads": texts, "collection_id": collection_id, "at": at}
            self._connection.execute(_WRITE, values)

    def _note_documents(self, collection_id: str, at: datetime, *, changed: int, removed: int = 0) -> None:
        """Raise the collection's revision, so that runs that read it are known to be of an older state."""
        if changed:
            self._connection.execute(
                update(collections)
                .where(collections.c.collection_id == collection_id)
                .values(
                    revision=collections.c.revision + 1,
                    document_count=collections.c.document_count - removed,
                    updated_at=at,
                )
            )


def _removal(collection_id: str, condition: ColumnElement[bool]) -> tuple[CTE, CTE]:
    """Return what removes documents, with the column `document_id`, and what removes their vectors."""
    gone = (
        delete(collection_documents)
        .where(in_collections([collection_id]), condition)
        .returning(collection_documents.c.document_id)
        .cte("gone")
    )
    of_gone = document_vectors.c.document_id.in_(select(gone.c.document_id))
    vectors = delete(document_vectors).where(document_vectors.c.collection_id == collection_id, of_gone).cte("vectors")
    return gone, vectors
