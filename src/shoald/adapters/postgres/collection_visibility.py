"""Rows of collections go in; those that no deleted index hides come out.

What hides a collection is a long expression over the tables of indexes and of what they were made of: planning it costs
many times what reading a collection does. Most collections belong to no index, so that it is asked of those alone that
one keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from shoald.adapters.postgres.lineage import VISIBLE_COLLECTIONS
from shoald.adapters.postgres.tables.clusters import collections

KEPT_BY = (collections.c.collection_id, collections.c.index_id, collections.c.index_build_id)
"""The columns that rows must have."""

# made once: building the expression costs more than sending it
_VISIBLE_AMONG = select(collections.c.collection_id).where(
    collections.c.collection_id == func.any(bindparam("ids")), VISIBLE_COLLECTIONS
)


def not_hidden(connection: Connection, rows: Sequence[Any]) -> Sequence[Row[Any]]:
    """Return the rows that are not hidden, in their order; a second statement is sent where an index keeps one."""
    kept = {row.collection_id for row in rows if row.index_id is not None or row.index_build_id is not None}
    if not kept:
        return rows
    visible = set(connection.scalars(_VISIBLE_AMONG, {"ids": sorted(kept)}))
    return [row for row in rows if row.collection_id in visible or row.collection_id not in kept]


def collection_ids_of(connection: Connection, namespace_id: str, *, hidden: bool = False) -> list[str]:
    """Return the ids of all collections of a namespace, hidden ones too if asked."""
    rows = connection.execute(select(*KEPT_BY).where(collections.c.namespace_id == namespace_id)).all()
    return [row.collection_id for row in (rows if hidden else not_hidden(connection, rows))]
