"""Namespaces in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, true
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.clusters import collections, namespaces
from shoald.application.listing import Selection
from shoald.domain.failures import AlreadyExists
from shoald.domain.records.collection import Namespace, VectorConfig

_LISTED = ListedTable(
    table=namespaces,
    id=namespaces.c.namespace_id,
    sortable={name: namespaces.c[name] for name in ("namespace_id", "namespace_name", "created_at", "updated_at")},
    searched=(namespaces.c.namespace_id, namespaces.c.namespace_name, namespaces.c.description),
)


def stored_vector_configs(configs: Iterable[VectorConfig]) -> list[dict[str, Any]]:
    """Return vector configurations as they are stored."""
    return [asdict(config) for config in configs]


def read_vector_configs(stored: Sequence[Mapping[str, Any]]) -> tuple[VectorConfig, ...]:
    """Return stored vector configurations as records."""
    return tuple(VectorConfig(**one) for one in stored)


def _namespace(row: Row[Any]) -> Namespace:
    return Namespace(
        namespace_id=row.namespace_id,
        namespace_name=row.namespace_name,
        description=row.description,
        mode=row.mode,
        vector_configs=read_vector_configs(row.vector_configs),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


class PostgresNamespaces:
    """Namespaces of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, namespace: Namespace) -> None:
        """Store a namespace."""
        values = {
            "namespace_id": namespace.namespace_id,
            "namespace_name": namespace.namespace_name,
            "description": namespace.description,
            "mode": namespace.mode,
            "vector_configs": stored_vector_configs(namespace.vector_configs),
            "created_at": namespace.created_at,
            "updated_at": namespace.updated_at,
        }
        try:
            self._connection.execute(insert(namespaces).values(values))
        except IntegrityError as error:
            message = f"There is a namespace {namespace.namespace_name!r} already."
            raise AlreadyExists(message, detail={"namespace_name": namespace.namespace_name}) from error

    def find(self, id_or_name: str) -> Namespace | None:
        """Return the namespace with this id, else the one with this name."""
        is_it = or_(namespaces.c.namespace_id == id_or_name, namespaces.c.namespace_name == id_or_name)
        by_id_first = (namespaces.c.namespace_id == id_or_name).desc()
        row = self._connection.execute(select(namespaces).where(is_it).order_by(by_id_first).limit(1)).first()
        return None if row is None else _namespace(row)

    def list(self, selection: Selection) -> list[Namespace]:
        """Return namespaces, newest first unless sorted."""
        return [_namespace(row) for row in self._connection.execute(_LISTED.page(select(namespaces), selection))]

    def count(self, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        return self._connection.execute(_LISTED.count(true(), selection)).scalar_one()

    def document_counts(self, namespace_ids: Sequence[str]) -> dict[str, int]:
        """Return the documents in all collections of each namespace."""
        counted = (
            select(collections.c.namespace_id, func.sum(collections.c.document_count))
            .where(collections.c.namespace_id.in_(namespace_ids))
            .group_by(collections.c.namespace_id)
        )
        found = {row[0]: int(row[1]) for row in self._connection.execute(counted)}
        return {namespace_id: found.get(namespace_id, 0) for namespace_id in namespace_ids}
