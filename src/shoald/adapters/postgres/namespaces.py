"""Namespaces in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.clusters import collections, namespaces
from shoald.adapters.postgres.tables.jobs import jobs
from shoald.adapters.postgres.tables.rag import projects
from shoald.application.access import acting
from shoald.application.listing import Selection
from shoald.domain.failures import AlreadyExists
from shoald.domain.records.collection import Namespace, NamespaceCounts, PayloadIndex, VectorConfig

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
        payload_indexes=tuple(PayloadIndex(**one) for one in row.payload_indexes),
    )


def _changeable(namespace: Namespace) -> dict[str, Any]:
    return {
        "namespace_name": namespace.namespace_name,
        "description": namespace.description,
        "payload_indexes": [asdict(one) for one in namespace.payload_indexes],
        "updated_at": namespace.updated_at,
    }


@contextmanager
def _named_once(namespace: Namespace) -> Iterator[None]:
    """Say of a name or id that is taken that it is."""
    try:
        yield
    except IntegrityError as error:
        message = f"There is a namespace {namespace.namespace_name!r} already."
        raise AlreadyExists(message, detail={"namespace_name": namespace.namespace_name}) from error


def _reached() -> ColumnElement[bool]:
    """Return the condition that the key of the call at hand may name a namespace: the system sees no others for it."""
    caller = acting()
    return true() if caller is None or not caller.reach else namespaces.c.namespace_id.in_(caller.reach)


def _found(id_or_name: str) -> Select[Any]:
    is_it = or_(namespaces.c.namespace_id == id_or_name, namespaces.c.namespace_name == id_or_name)
    return (
        select(namespaces).where(is_it, _reached()).order_by((namespaces.c.namespace_id == id_or_name).desc()).limit(1)
    )


class PostgresNamespaces:
    """Namespaces of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, namespace: Namespace) -> None:
        """Store a namespace."""
        own = {
            "namespace_id": namespace.namespace_id,
            "mode": namespace.mode,
            "vector_configs": stored_vector_configs(namespace.vector_configs),
            "created_at": namespace.created_at,
        }
        with _named_once(namespace):
            self._connection.execute(insert(namespaces).values({**own, **_changeable(namespace)}))

    def find(self, id_or_name: str) -> Namespace | None:
        """Return the namespace with this id, else the one with this name."""
        row = self._connection.execute(_found(id_or_name)).first()
        return None if row is None else _namespace(row)

    def lock(self, id_or_name: str) -> Namespace | None:
        """Lock the row."""
        row = self._connection.execute(_found(id_or_name).with_for_update()).first()
        return None if row is None else _namespace(row)

    def update(self, namespace: Namespace) -> None:
        """Store what was changed."""
        with _named_once(namespace):
            is_it = namespaces.c.namespace_id == namespace.namespace_id
            self._connection.execute(update(namespaces).where(is_it).values(_changeable(namespace)))

    def delete(self, namespace_id: str) -> None:
        """Remove the namespace's rows of every table, those first that name rows of others."""
        for table in reversed(namespaces.metadata.sorted_tables):
            if "namespace_id" in table.c:
                self._connection.execute(delete(table).where(table.c.namespace_id == namespace_id))

    def counts(self, namespace_id: str) -> NamespaceCounts:
        """Ask three tables."""
        documents = func.coalesce(func.sum(collections.c.document_count), 0)
        held = self._connection.execute(
            select(documents, func.count()).where(collections.c.namespace_id == namespace_id)
        ).one()
        open_jobs = select(jobs.c.job_id).where(jobs.c.namespace_id == namespace_id, jobs.c.finished_at.is_(None))
        mine = select(func.count()).select_from(projects).where(projects.c.namespace_id == namespace_id)
        return NamespaceCounts(
            documents=int(held[0]),
            collections=held[1],
            projects=self._connection.scalar(mine) or 0,
            open_job_ids=tuple(self._connection.scalars(open_jobs)),
        )

    def list(self, selection: Selection) -> list[Namespace]:
        """Return namespaces, newest first unless sorted."""
        return [
            _namespace(row)
            for row in self._connection.execute(_LISTED.page(select(namespaces).where(_reached()), selection))
        ]

    def count(self, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        return self._connection.execute(_LISTED.count(_reached(), selection)).scalar_one()

    def document_counts(self, namespace_ids: Sequence[str]) -> dict[str, int]:
        """Return the documents in all collections of each namespace."""
        counted = (
            select(collections.c.namespace_id, func.sum(collections.c.document_count))
            .where(collections.c.namespace_id.in_(namespace_ids))
            .group_by(collections.c.namespace_id)
        )
        found = {row[0]: int(row[1]) for row in self._connection.execute(counted)}
        return {namespace_id: found.get(namespace_id, 0) for namespace_id in namespace_ids}
