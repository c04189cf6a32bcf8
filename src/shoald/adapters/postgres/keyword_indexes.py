"""The files of keyword indexes as rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from shoald.adapters.postgres.tables.rag import keyword_indexes
from shoald.application.ports.object_store import StoredObject
from shoald.application.ports.repositories.keyword_indexes import KeywordFiles

_KINDS = ("texts", "words")


class PostgresKeywordIndexes:
    """`KeywordIndexRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, set_id: str) -> KeywordFiles | None:
        """Read a row."""
        statement = select(keyword_indexes).where(keyword_indexes.c.set_id == set_id)
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            return None
        texts, words = (_stored(row._mapping, kind) for kind in _KINDS)  # noqa: SLF001 - SQLAlchemy's public name
        return KeywordFiles(set_id=set_id, texts=texts, words=words, created_at=row.created_at)

    def put(self, files: KeywordFiles) -> None:
        """Insert or replace a row."""
        row: dict[str, Any] = {"set_id": files.set_id, "created_at": files.created_at}
        for kind, stored in zip(_KINDS, (files.texts, files.words), strict=True):
            row |= {f"{kind}_key": stored.key, f"{kind}_sha256": stored.sha256, f"{kind}_bytes": stored.size}
        statement = insert(keyword_indexes).values(row)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["set_id"], set_=dict(statement.excluded))
        )


def _stored(row: Any, kind: str) -> StoredObject:
    return StoredObject(key=row[f"{kind}_key"], size=row[f"{kind}_bytes"], sha256=row[f"{kind}_sha256"])
