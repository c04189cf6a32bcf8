"""The collections that runs write, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from shoald.adapters.postgres.document_selection import refuse_unseen
from shoald.adapters.postgres.tables.clusters import collections
from shoald.adapters.postgres.tables.outputs import cluster_outputs
from shoald.domain.json_types import JsonObject
from shoald.domain.records.output_collection import OutputCollection

# the first half of the locks of clusters whose output is written, so that they are no other lock's
_OUTPUTS = 4_713

_RELABEL = """
WITH given AS (SELECT key AS cluster_id, value AS label FROM jsonb_each(CAST(:labels AS jsonb)))
UPDATE collection_documents AS d SET payload = d.payload || jsonb_build_object('cluster_label', given.label)
FROM given
WHERE d.collection_id = :collection_id AND d.payload->>'cluster_id' = given.cluster_id
    AND d.payload->'cluster_label' IS DISTINCT FROM given.label
"""

_PLACE = """
UPDATE collection_documents AS d SET payload = d.payload || new.place::jsonb
FROM unnest(CAST(:ids AS text[]), CAST(:places AS text[])) AS new (document_id, place)
WHERE d.collection_id = :collection_id AND d.document_id = new.document_id
"""


class PostgresOutputCollections:
    """The output of clusters in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self, cluster_id: str) -> None:
        """Take a lock that ends with the transaction."""
        self._connection.execute(select(func.pg_advisory_xact_lock(_OUTPUTS, func.hashtext(cluster_id))))

    def of_clusters(self, cluster_ids: Sequence[str]) -> Mapping[str, Sequence[OutputCollection]]:
        """Look for those whose collection there still is."""
        statement = (
            select(cluster_outputs, collections.c.collection_name)
            .join(collections, collections.c.collection_id == cluster_outputs.c.collection_id)
            .where(cluster_outputs.c.cluster_id.in_(cluster_ids))
            .order_by(cluster_outputs.c.cluster_id, cluster_outputs.c.feature)
        )
        found: dict[str, list[OutputCollection]] = {}
        for row in self._connection.execute(statement).mappings():
            found.setdefault(row["cluster_id"], []).append(OutputCollection(**row))
        return found

    def put(self, output: OutputCollection) -> None:
        """Store a row in the place of the one before."""
        values = {column.name: getattr(output, column.name) for column in cluster_outputs.c}
        keys = {column.name for column in cluster_outputs.primary_key}
        changed = {name: value for name, value in values.items() if name not in keys}
        statement = upsert(cluster_outputs).values(values)
        self._connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed))

    def take(self, cluster_id: str) -> Sequence[str]:
        """Delete the rows."""
        taken = delete(cluster_outputs).where(cluster_outputs.c.cluster_id == cluster_id)
        return list(self._connection.scalars(taken.returning(cluster_outputs.c.collection_id)))

    def relabel(self, collection_id: str, labels: Mapping[str, str | None]) -> int:
        """Look at every document once."""
        refuse_unseen(self._connection, [collection_id])
        values = {"collection_id": collection_id, "labels": json.dumps(dict(labels))}
        return self._connection.execute(text(_RELABEL), values).rowcount

    def place(self, collection_id: str, places: Mapping[str, JsonObject]) -> None:
        """Write all of them by one statement."""
        refuse_unseen(self._connection, [collection_id])
        texts = [json.dumps(dict(place)) for place in places.values()]
        values = {"collection_id": collection_id, "ids": list(places), "places": texts}
        self._connection.execute(text(_PLACE), values)
