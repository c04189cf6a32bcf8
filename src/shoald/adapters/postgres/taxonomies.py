"""Taxonomies in PostgreSQL."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.taxonomies import taxonomies, taxonomy_applications
from shoald.application.listing import Selection
from shoald.domain.failures import AlreadyExists
from shoald.domain.records.taxonomy import HIERARCHICAL, Taxonomy, TaxonomyApplication, TaxonomyListStats

_TYPE = taxonomies.c.config["taxonomy_type"].astext
_LISTED = ListedTable(
    table=taxonomies,
    id=taxonomies.c.taxonomy_id,
    sortable={name: taxonomies.c[name] for name in ("taxonomy_id", "taxonomy_name", "created_at", "updated_at")},
    searched=(taxonomies.c.taxonomy_id, taxonomies.c.taxonomy_name, taxonomies.c.description),
    printed={"enrichment_target_field": taxonomies.c.target_field, "taxonomy_type": _TYPE},
)
_CHANGEABLE = ("taxonomy_name", "description", "metadata", "updated_at")


def _taxonomy(row: RowMapping) -> Taxonomy:
    return Taxonomy(**{str(name): value for name, value in row.items()})


class PostgresTaxonomies:
    """Taxonomies of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, taxonomy: Taxonomy) -> None:
        """Insert a row."""
        values = {column.name: getattr(taxonomy, column.name) for column in taxonomies.c}
        with _named_once(taxonomy):
            self._connection.execute(insert(taxonomies).values(values))

    def find(self, namespace_id: str, id_or_name: str, *, lock: bool = False) -> Taxonomy | None:
        """Read one row."""
        statement = (
            select(taxonomies)
            .where(taxonomies.c.namespace_id == namespace_id)
            .where(or_(taxonomies.c.taxonomy_id == id_or_name, taxonomies.c.taxonomy_name == id_or_name))
            .order_by((taxonomies.c.taxonomy_id == id_or_name).desc())
            .limit(1)
        )
        row = self._connection.execute(statement.with_for_update() if lock else statement).mappings().first()
        return None if row is None else _taxonomy(row)

    def update(self, taxonomy: Taxonomy) -> None:
        """Update its row."""
        values = {name: getattr(taxonomy, name) for name in _CHANGEABLE}
        is_it = taxonomies.c.taxonomy_id == taxonomy.taxonomy_id
        with _named_once(taxonomy):
            self._connection.execute(update(taxonomies).where(is_it).values(values))

    def delete(self, taxonomy_id: str) -> None:
        """Delete its row; those of its applications go with it."""
        self._connection.execute(delete(taxonomies).where(taxonomies.c.taxonomy_id == taxonomy_id))

    def list(self, namespace_id: str, selection: Selection) -> Sequence[Taxonomy]:
        """Read a page."""
        statement = select(taxonomies).where(taxonomies.c.namespace_id == namespace_id)
        return [_taxonomy(row) for row in self._connection.execute(_LISTED.page(statement, selection)).mappings()]

    def stats(self, namespace_id: str, selection: Selection) -> TaxonomyListStats:
        """Count in the database."""
        mine = (taxonomies.c.namespace_id == namespace_id, _LISTED.conditions(selection))
        counts = (func.count(), func.count().filter(_TYPE == HIERARCHICAL))
        total, hierarchical = self._connection.execute(select(*counts).select_from(taxonomies).where(*mine)).one()
        return TaxonomyListStats(total=total, hierarchical=hierarchical)

    def attach(self, collection_id: str, applications: Sequence[TaxonomyApplication]) -> None:
        """Delete the rows that are there, and insert new ones."""
        mine = taxonomy_applications.c.collection_id == collection_id
        self._connection.execute(delete(taxonomy_applications).where(mine))
        rows = [{column.name: getattr(one, column.name) for column in taxonomy_applications.c} for one in applications]
        if rows:
            self._connection.execute(insert(taxonomy_applications), rows)

    def attached(self, collection_ids: Sequence[str]) -> Mapping[str, builtins.list[TaxonomyApplication]]:
        """Read the rows of all of them at once."""
        columns = taxonomy_applications.c
        statement = select(taxonomy_applications).where(columns.collection_id.in_(collection_ids))
        found: dict[str, builtins.list[TaxonomyApplication]] = {}
        for row in self._connection.execute(statement.order_by(columns.collection_id, columns.place)).mappings():
            one = TaxonomyApplication(**{str(name): value for name, value in row.items()})
            found.setdefault(one.collection_id, []).append(one)
        return found


@contextmanager
def _named_once(taxonomy: Taxonomy) -> Iterator[None]:
    """Say of a name that is taken that it is."""
    try:
        yield
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        message = f"There is a taxonomy {taxonomy.taxonomy_name!r} already."
        raise AlreadyExists(message, detail={"taxonomy_name": taxonomy.taxonomy_name}) from error
