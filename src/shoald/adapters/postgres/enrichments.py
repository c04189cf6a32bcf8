"""Enrichments in PostgreSQL: values are laid over payloads, and brought back, a batch a statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from shoald.adapters.postgres.document_selection import refuse_unseen
from shoald.adapters.postgres.set_items import driver_connection
from shoald.adapters.postgres.tables.clusters import collections
from shoald.adapters.postgres.tables.outputs import enriched_collections, enrichment_values, enrichments
from shoald.adapters.postgres.tables.rag import index_builds
from shoald.application.ports.repositories.enrichments import EnrichedFields, Written
from shoald.domain.json_types import JsonObject
from shoald.domain.records.enrichment import Enrichment, FieldMapping

_MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_values (document_id VARCHAR COLLATE "C" PRIMARY KEY, written JSONB)
ON COMMIT DROP;
TRUNCATE incoming_values
"""
# what stood there before the first batch that wrote a key is kept: members of several features come one after another
_LAY_OVER = """
WITH old AS MATERIALIZED (
    SELECT d.document_id, d.payload, i.written
    FROM collection_documents AS d JOIN incoming_values AS i USING (document_id)
    WHERE d.collection_id = %(target)s
), kept AS (
    INSERT INTO enrichment_values (enrichment_id, collection_id, document_id, namespace_id, former, written, written_at)
    SELECT %(enrichment_id)s, %(target)s, document_id, %(namespace_id)s,
        (SELECT coalesce(jsonb_object_agg(key, payload -> key), '{}') FROM jsonb_object_keys(written) AS key
         WHERE payload ? key), written, %(at)s
    FROM old
    ON CONFLICT (enrichment_id, collection_id, document_id) DO UPDATE SET
        former = EXCLUDED.former || enrichment_values.former, written = enrichment_values.written || EXCLUDED.written,
        written_at = EXCLUDED.written_at
)
UPDATE collection_documents AS d SET payload = d.payload || old.written, updated_at = %(at)s
FROM old WHERE d.collection_id = %(target)s AND d.document_id = old.document_id
"""
_MAKE_COPIES = """
WITH made AS (
    INSERT INTO collection_documents (collection_id, document_id, payload, created_at, updated_at)
    SELECT %(target)s, d.document_id, d.payload || i.written, %(at)s, %(at)s
    FROM collection_documents AS d JOIN incoming_values AS i USING (document_id) WHERE d.collection_id = %(source)s
    ON CONFLICT (collection_id, document_id) DO NOTHING RETURNING document_id
)
INSERT INTO enrichment_values (enrichment_id, collection_id, document_id, namespace_id, former, written, written_at)
SELECT %(enrichment_id)s, %(target)s, document_id, %(namespace_id)s, NULL, i.written, %(at)s
FROM made JOIN incoming_values AS i USING (document_id)
"""
# a key is brought back while it still holds what was written
_BRING_BACK = """
WITH taken AS (
    DELETE FROM enrichment_values WHERE enrichment_id = :enrichment_id AND (collection_id, document_id) IN (
        SELECT collection_id, document_id FROM enrichment_values WHERE enrichment_id = :enrichment_id
        ORDER BY collection_id, document_id LIMIT :limit
    ) RETURNING collection_id, document_id, former, written, written_at
), found AS (
    SELECT d.collection_id, d.document_id, d.payload, t.written, coalesce(t.former, '{}') AS former,
        t.former IS NULL AND d.updated_at = t.written_at AS goes
    FROM taken AS t JOIN collection_documents AS d USING (collection_id, document_id)
), restored AS (
    UPDATE collection_documents AS d
    SET payload = (d.payload - coalesce(k.keys, '{}')) || coalesce(k.former, '{}'), updated_at = :at
    FROM found CROSS JOIN LATERAL (
        SELECT array_agg(w.key) AS keys,
            jsonb_object_agg(w.key, found.former -> w.key) FILTER (WHERE found.former ? w.key) AS former
        FROM jsonb_each(found.written) AS w WHERE found.payload -> w.key = w.value
    ) AS k
    WHERE NOT found.goes AND d.collection_id = found.collection_id AND d.document_id = found.document_id
), removed AS (
    DELETE FROM collection_documents AS d USING found
    WHERE found.goes AND d.collection_id = found.collection_id AND d.document_id = found.document_id
    RETURNING d.collection_id
), counted AS (
    UPDATE collections AS c SET document_count = c.document_count - r.documents, revision = c.revision + 1
    FROM (SELECT collection_id, count(*) AS documents FROM removed GROUP BY collection_id) AS r
    WHERE c.collection_id = r.collection_id
)
SELECT count(*) FROM taken
"""
_NOTE_FIELDS = """
INSERT INTO enriched_collections (collection_id, namespace_id, fields, version)
VALUES (%(target)s, %(namespace_id)s, %(fields)s, 1)
ON CONFLICT (collection_id) DO UPDATE SET version = enriched_collections.version + 1, fields = (
    SELECT jsonb_agg(DISTINCT field)
    FROM jsonb_array_elements_text(enriched_collections.fields || EXCLUDED.fields) AS field
)
"""
_OVERTAKING = ("pending", "processing", "completed")
_UNDOABLE = ("completed", "failed", "canceled")


def _enrichment(row: RowMapping) -> Enrichment:
    values: dict[str, Any] = {str(name): value for name, value in row.items()}
    values["source_collection_ids"] = tuple(values["source_collection_ids"])
    values["mappings"] = tuple(FieldMapping(**one) for one in values["mappings"])
    return Enrichment(**values)


class PostgresEnrichments:
    """Enrichments of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, enrichment: Enrichment) -> None:
        """Store a pending enrichment."""
        values = {column.name: getattr(enrichment, column.name) for column in enrichments.c}
        values["source_collection_ids"] = list(enrichment.source_collection_ids)
        values["mappings"] = [{"source": one.source, "target": one.target} for one in enrichment.mappings]
        self._connection.execute(insert(enrichments).values(values))

    def get(self, enrichment_id: str, *, lock: bool = False) -> Enrichment | None:
        """Return an enrichment."""
        statement = select(enrichments).where(enrichments.c.enrichment_id == enrichment_id)
        row = self._connection.execute(statement.with_for_update() if lock else statement).mappings().first()
        return None if row is None else _enrichment(row)

    def newest(self, cluster_ids: Sequence[str]) -> Mapping[str, Enrichment]:
        """Return the newest of each cluster."""
        statement = (
            select(enrichments)
            .where(enrichments.c.cluster_id.in_(cluster_ids))
            .order_by(enrichments.c.cluster_id, enrichments.c.created_at.desc(), enrichments.c.enrichment_id)
            .ext(distinct_on(enrichments.c.cluster_id))
        )
        return {row["cluster_id"]: _enrichment(row) for row in self._connection.execute(statement).mappings()}

    def change(self, enrichment_id: str, **values: Any) -> None:
        """Store new values of some fields."""
        is_it = enrichments.c.enrichment_id == enrichment_id
        self._connection.execute(update(enrichments).where(is_it).values(values))

    def write(
        self, enrichment: Enrichment, collection_id: str, values: Mapping[str, JsonObject], *, at: datetime
    ) -> Written:
        """Lay values over, then make what is not there."""
        target = enrichment.target_collection_id or collection_id
        refuse_unseen(self._connection, [collection_id, target])
        about = {
            "enrichment_id": enrichment.enrichment_id,
            "namespace_id": enrichment.namespace_id,
            "source": collection_id,
            "target": target,
            "at": at,
            "fields": json.dumps(sorted({key for one in values.values() for key in one})),
        }
        with driver_connection(self._connection).cursor() as cursor:
            cursor.execute(_MAKE_INCOMING)
            with cursor.copy("COPY incoming_values (document_id, written) FROM STDIN") as copy:
                for document_id, written in values.items():
                    copy.write_row((document_id, json.dumps(written, ensure_ascii=False, allow_nan=False)))
            enriched = cursor.execute(_LAY_OVER, about).rowcount
            made = cursor.execute(_MAKE_COPIES, about).rowcount if target != collection_id else 0
            cursor.execute(_NOTE_FIELDS, about)
        if made:
            self._count(target, made, at)
        return Written(enriched=enriched + made, made=made)

    def _count(self, collection_id: str, made: int, at: datetime) -> None:
        counts = {"document_count": collections.c.document_count + made, "revision": collections.c.revision + 1}
        is_it = collections.c.collection_id == collection_id
        self._connection.execute(update(collections).where(is_it).values(updated_at=at, **counts))

    def restore(self, enrichment: Enrichment, *, limit: int, at: datetime) -> int:
        """Take what was kept, and bring it back."""
        values = {"enrichment_id": enrichment.enrichment_id, "limit": limit, "at": at}
        restored: int = self._connection.execute(text(_BRING_BACK), values).scalar_one()
        raised = update(enriched_collections).values(version=enriched_collections.c.version + 1)
        written = enrichment.written_collection_ids
        self._connection.execute(raised.where(enriched_collections.c.collection_id.in_(written)))
        return restored

    def is_overtaken(self, enrichment: Enrichment) -> bool:
        """Look among the few newer ones of the cluster."""
        newer = enrichments.c.created_at > enrichment.created_at
        return any(
            _covers(one, enrichment) for one in self._alike(enrichment, newer, enrichments.c.status.in_(_OVERTAKING))
        )

    def replace_older(self, enrichment: Enrichment) -> None:
        """Look among the older ones of the cluster that could still be undone."""
        older = enrichments.c.created_at < enrichment.created_at
        for one in self._alike(enrichment, older, enrichments.c.status.in_(_UNDOABLE)):
            if _covers(enrichment, one):
                self.forget(one.enrichment_id)
                self.change(one.enrichment_id, status="replaced")

    def forget(self, enrichment_id: str) -> None:
        """Delete what was kept."""
        mine = enrichment_values.c.enrichment_id == enrichment_id
        self._connection.execute(delete(enrichment_values).where(mine))

    def _alike(self, enrichment: Enrichment, *conditions: Any) -> list[Enrichment]:
        statement = select(enrichments).where(
            enrichments.c.cluster_id == enrichment.cluster_id,
            enrichments.c.partition == enrichment.partition,
            *conditions,
        )
        return [_enrichment(row) for row in self._connection.execute(statement).mappings()]

    def delete(self, cluster_id: str) -> Sequence[str]:
        """Remove the rows and what they kept."""
        mine = select(enrichments.c.enrichment_id).where(enrichments.c.cluster_id == cluster_id)
        self._connection.execute(delete(enrichment_values).where(enrichment_values.c.enrichment_id.in_(mine)))
        gone = delete(enrichments).where(enrichments.c.cluster_id == cluster_id)
        return list(self._connection.scalars(gone.returning(enrichments.c.job_id)))

    def fields_version(self, collection_id: str) -> int:
        """Read one number; 0 where nothing was written."""
        is_it = enriched_collections.c.collection_id == collection_id
        return self._connection.scalar(select(enriched_collections.c.version).where(is_it)) or 0

    def fields_of_items(self, set_id: str, build_id: str | None = None) -> EnrichedFields | None:
        """Look for collections of the build, or of builds of the set."""
        version = (enriched_collections.c.version + func.coalesce(collections.c.revision, 0)).label("version")
        statement = (
            select(enriched_collections.c.collection_id, enriched_collections.c.fields, version)
            .join(collections, collections.c.collection_id == enriched_collections.c.collection_id)
            .join(index_builds, index_builds.c.build_id == collections.c.index_build_id)
            .where((index_builds.c.chunk_set_version_id == set_id) | (index_builds.c.build_id == build_id))
            .order_by(collections.c.updated_at.desc(), collections.c.collection_id)
            .limit(1)
        )
        row = self._connection.execute(statement).first()
        return (
            None
            if row is None
            else EnrichedFields(collection_id=row.collection_id, fields=frozenset(row.fields), version=row.version)
        )


def _covers(one: Enrichment, other: Enrichment) -> bool:
    """Say whether one writes every key that another writes, into the same documents."""
    targets = {mapping.target for mapping in one.mappings}
    return (
        targets >= {mapping.target for mapping in other.mappings}
        and one.target_collection_id == other.target_collection_id
        and set(one.source_collection_ids) >= set(other.source_collection_ids)
    )
