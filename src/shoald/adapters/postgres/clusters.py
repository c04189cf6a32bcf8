"""Cluster definitions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.clusters import cluster_runs, clusters, kept_artifacts
from shoald.adapters.postgres.tables.jobs import jobs
from shoald.application.listing import Selection
from shoald.domain.failures import AlreadyExists
from shoald.domain.records.cluster import Cluster, ClusterListStats

_NEVER_RUN = "NEVER_RUN"
_VECTOR = clusters.c.definition["vector_config"]
_LAST_RUN = cluster_runs.alias("last_run")
_LAST_STATUS = (
    select(func.upper(_LAST_RUN.c.status))
    .where(_LAST_RUN.c.run_id == clusters.c.last_run_id)
    .correlate(clusters)
    .scalar_subquery()
)
# what lists print under names that no column has
_PRINTED = {
    "input_collections": clusters.c.collection_ids,
    "algorithm": _VECTOR["clustering_method"],
    "algorithm_params": _VECTOR["algorithm_params"],
    "feature_uris": _VECTOR["feature_uris"],
    "status": _LAST_STATUS,
}
_LISTED = ListedTable(
    table=clusters,
    id=clusters.c.cluster_id,
    sortable={
        name: clusters.c[name] for name in ("cluster_id", "cluster_name", "cluster_type", "created_at", "updated_at")
    },
    searched=(clusters.c.cluster_id, clusters.c.cluster_name, clusters.c.description),
    printed=_PRINTED,
)


def _cluster(row: Row[Any]) -> Cluster:
    return Cluster(
        cluster_id=row.cluster_id,
        namespace_id=row.namespace_id,
        cluster_name=row.cluster_name,
        description=row.description,
        cluster_type=row.cluster_type,
        collection_ids=tuple(row.collection_ids),
        definition=row.definition,
        metadata=row.metadata,
        last_run_id=row.last_run_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


class PostgresClusters:
    """Cluster definitions of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, cluster: Cluster) -> None:
        """Store a definition."""
        own = {
            "cluster_id": cluster.cluster_id,
            "namespace_id": cluster.namespace_id,
            "last_run_id": cluster.last_run_id,
            "created_at": cluster.created_at,
        }
        with _named_once(cluster):
            self._connection.execute(insert(clusters).values({**own, **_changeable(cluster)}))

    def find(self, namespace_id: str, id_or_name: str) -> Cluster | None:
        """Return the definition of the namespace with this id, else the one with this name."""
        row = self._connection.execute(_found(namespace_id, id_or_name)).first()
        return None if row is None else _cluster(row)

    def lock(self, namespace_id: str, id_or_name: str) -> Cluster | None:
        """Lock the row."""
        row = self._connection.execute(_found(namespace_id, id_or_name).with_for_update()).first()
        return None if row is None else _cluster(row)

    def update(self, cluster: Cluster) -> None:
        """Store what was changed."""
        with _named_once(cluster):
            self._connection.execute(
                update(clusters).where(clusters.c.cluster_id == cluster.cluster_id).values(_changeable(cluster))
            )

    def stats(self, namespace_id: str, selection: Selection) -> ClusterListStats:
        """Add up in the database."""
        status = func.coalesce(func.upper(cluster_runs.c.status), _NEVER_RUN).label("status")
        figures = [status, func.count().label("clusters"), func.coalesce(func.sum(cluster_runs.c.num_points), 0)]
        mine = (
            select(*figures)
            .select_from(clusters)
            .outerjoin(cluster_runs, cluster_runs.c.run_id == clusters.c.last_run_id)
            .where(clusters.c.namespace_id == namespace_id, _LISTED.conditions(selection))
            .group_by(text("1"))
        )
        rows = self._connection.execute(mine).all()
        return ClusterListStats(
            total_clusters=sum(count for _, count, _ in rows),
            total_documents=sum(int(points) for _, _, points in rows),
            by_status={status: count for status, count, _ in rows},
        )

    def list(self, namespace_id: str, selection: Selection) -> list[Cluster]:
        """Return definitions, newest first unless sorted."""
        statement = select(clusters).where(clusters.c.namespace_id == namespace_id)
        return [_cluster(row) for row in self._connection.execute(_LISTED.page(statement, selection))]

    def set_last_run(self, cluster_id: str, run_id: str, at: datetime) -> None:
        """Note the run that was started last."""
        changed = update(clusters).where(clusters.c.cluster_id == cluster_id).values(last_run_id=run_id, updated_at=at)
        self._connection.execute(changed)

    def hold_runs(self, cluster_id: str) -> None:
        """Lock the rows of the runs, which their publishing writes."""
        mine = select(cluster_runs.c.run_id).where(cluster_runs.c.cluster_id == cluster_id)
        self._connection.execute(mine.order_by(cluster_runs.c.run_id).with_for_update())

    def keep_artifacts(self, cluster_id: str, at: datetime) -> Sequence[str]:
        """Copy what the runs name."""
        named = ("run_id", "namespace_id", "cluster_id", "artifacts")
        completed = select(*(cluster_runs.c[name] for name in named), literal(at)).where(
            cluster_runs.c.cluster_id == cluster_id, cluster_runs.c.artifacts != {}
        )
        kept = insert(kept_artifacts).from_select([*named, "created_at"], completed)
        return sorted(self._connection.scalars(kept.returning(kept_artifacts.c.run_id)))

    def delete(self, cluster_id: str) -> None:
        """Remove a definition with its runs; jobs that end later are removed then."""
        row = self._connection.execute(
            delete(clusters).where(clusters.c.cluster_id == cluster_id).returning(clusters.c.namespace_id)
        ).first()
        if row is not None:
            ended = jobs.c.finished_at.is_not(None) & jobs.c.payload.contains({"cluster_id": cluster_id})
            self._connection.execute(delete(jobs).where(jobs.c.namespace_id == row.namespace_id, ended))


def _found(namespace_id: str, id_or_name: str) -> Select[Any]:
    return (
        select(clusters)
        .where(clusters.c.namespace_id == namespace_id)
        .where(or_(clusters.c.cluster_id == id_or_name, clusters.c.cluster_name == id_or_name))
        .order_by((clusters.c.cluster_id == id_or_name).desc())
        .limit(1)
    )


def _changeable(cluster: Cluster) -> dict[str, Any]:
    return {
        "cluster_name": cluster.cluster_name,
        "description": cluster.description,
        "cluster_type": cluster.cluster_type,
        "collection_ids": list(cluster.collection_ids),
        "definition": dict(cluster.definition),
        "metadata": dict(cluster.metadata),
        "updated_at": cluster.updated_at,
    }


@contextmanager
def _named_once(cluster: Cluster) -> Iterator[None]:
    """Say of a name that is taken that it is."""
    try:
        yield
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        message = f"There is a cluster {cluster.cluster_name!r} already."
        raise AlreadyExists(message, detail={"cluster_name": cluster.cluster_name}) from error
