"""API keys as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from shoald.adapters.postgres.tables.api_keys import api_keys
from shoald.domain.records.api_key import ApiKey

# made once: it is asked for with every other call
_ONE = select(api_keys).where(api_keys.c.key_id == bindparam("key_id"))


class PostgresApiKeys:
    """`ApiKeyRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Insert a row."""
        self._connection.execute(
            insert(api_keys).values(
                key_id=key.key_id,
                name=key.name,
                secret_hash=key.secret_hash,
                scopes=sorted(key.scopes),
                namespace_ids=list(key.namespace_ids),
                project_ids=list(key.project_ids),
                created_at=key.created_at,
                expires_at=key.expires_at,
                revoked_at=key.revoked_at,
            )
        )

    def find(self, key_id: str) -> ApiKey | None:
        """Read a row."""
        row = self._connection.execute(_ONE, {"key_id": key_id}).one_or_none()
        return None if row is None else _record(row)

    def list(self) -> Sequence[ApiKey]:
        """Read all rows."""
        newest = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.key_id)
        return [_record(row) for row in self._connection.execute(newest)]

    def revoke(self, key_id: str, *, at: datetime) -> ApiKey | None:
        """Update a row."""
        statement = (
            update(api_keys)
            .where(api_keys.c.key_id == key_id)
            .values(revoked_at=func.coalesce(api_keys.c.revoked_at, at))
            .returning(api_keys)
        )
        row = self._connection.execute(statement).one_or_none()
        return None if row is None else _record(row)


def _record(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        name=row.name,
        secret_hash=bytes(row.secret_hash),
        scopes=frozenset(row.scopes),
        namespace_ids=tuple(row.namespace_ids),
        project_ids=tuple(row.project_ids),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
