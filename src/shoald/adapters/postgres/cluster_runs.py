"""Cluster runs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Text,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.clusters import cluster_runs
from shoald.application.listing import Selection
from shoald.domain.failures import ExecutionNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import REPLAY_OF, ClusterRun, RunFigures, RunListStats
from shoald.domain.vocabulary import ExecutionStatus

_SORTABLE = ("run_id", "run_name", "status", "num_clusters", "num_points", "created_at", "completed_at")
_LISTED = ListedTable(
    table=cluster_runs,
    id=cluster_runs.c.run_id,
    sortable={name: cluster_runs.c[name] for name in _SORTABLE},
    searched=(cluster_runs.c.run_id, cluster_runs.c.run_name, cluster_runs.c.error_message),
)
# the descriptions of the groups may be thousands; lists do without them
_LARGE = ("centroids", "lineage")
_WITHOUT_CENTROIDS = [column for column in cluster_runs.c if column.name not in _LARGE]
_NEWEST_FIRST = (cluster_runs.c.created_at.desc(), cluster_runs.c.run_id.desc())
# made once: building a statement costs more than sending it
_VERSION = select(literal_column("xmin::text", Text)).where(cluster_runs.c.run_id == bindparam("run_id"))
_OPEN = (ExecutionStatus.PENDING, ExecutionStatus.PROCESSING)
_SECONDS = func.extract("epoch", cluster_runs.c.completed_at - cluster_runs.c.started_at)


def _run(row: RowMapping) -> ClusterRun:
    values: dict[str, Any] = {str(name): value for name, value in row.items()}
    for name in _LARGE:
        values[name] = tuple(values.get(name, ()))
    return ClusterRun(**values)


def _values(run: ClusterRun) -> dict[str, Any]:
    return {
        "status": str(run.status),
        "mode": run.mode,
        "overrides": dict(run.overrides),
        "num_clusters": run.num_clusters,
        "num_points": run.num_points,
        "metrics": dict(run.metrics),
        "effective": dict(run.effective),
        "revisions": dict(run.revisions),
        "artifacts": dict(run.artifacts),
        "centroids": [dict(centroid) for centroid in run.centroids],
        "lineage": [dict(event) for event in run.lineage],
        "error_code": run.error_code,
        "error_message": run.error_message,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
    }


def _completed(cluster_id: str) -> list[ColumnElement[bool]]:
    is_completed = cluster_runs.c.status == ExecutionStatus.COMPLETED.value
    return [cluster_runs.c.cluster_id == cluster_id, is_completed, ~cluster_runs.c.overrides.has_key(REPLAY_OF)]


class PostgresClusterRuns:
    """Cluster runs of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, run: ClusterRun) -> None:
        """Store a pending run."""
        ids = {
            "run_id": run.run_id,
            "cluster_id": run.cluster_id,
            "namespace_id": run.namespace_id,
            "job_id": run.job_id,
        }
        self._connection.execute(insert(cluster_runs).values({**ids, **_values(run)}))

    def get(self, run_id: str) -> ClusterRun | None:
        """Return a run of any cluster."""
        row = self._connection.execute(select(cluster_runs).where(cluster_runs.c.run_id == run_id)).mappings().first()
        return None if row is None else _run(row)

    def version(self, run_id: str) -> str | None:
        """Return the transaction that wrote the row."""
        return self._connection.scalar(_VERSION, {"run_id": run_id})

    def get_many(self, run_ids: Sequence[str]) -> dict[str, ClusterRun]:
        """Return runs by id, without their centroids."""
        wanted = select(*_WITHOUT_CENTROIDS).where(cluster_runs.c.run_id.in_(run_ids))
        return {row["run_id"]: _run(row) for row in self._connection.execute(wanted).mappings()}

    def latest(self, cluster_id: str) -> ClusterRun | None:
        """Return the newest run of a cluster, whatever its state."""
        return self._newest(cluster_runs.c.cluster_id == cluster_id)

    def latest_completed(self, cluster_id: str, *, before: datetime | None = None) -> ClusterRun | None:
        """Return the newest completed run of a cluster that repeats no other, accepted before a time if asked."""
        conditions = _completed(cluster_id)
        if before is not None:
            conditions.append(cluster_runs.c.created_at < before)
        return self._newest(*conditions)

    def latest_completed_id(self, cluster_id: str) -> str | None:
        """Read one column."""
        newest = select(cluster_runs.c.run_id).where(*_completed(cluster_id)).order_by(*_NEWEST_FIRST).limit(1)
        return self._connection.scalar(newest)

    def _newest(self, *conditions: Any) -> ClusterRun | None:
        newest = select(cluster_runs).where(*conditions).order_by(*_NEWEST_FIRST).limit(1)
        row = self._connection.execute(newest).mappings().first()
        return None if row is None else _run(row)

    def all(self, cluster_id: str) -> list[ClusterRun]:
        """Return all runs of a cluster, without their centroids."""
        mine = select(*_WITHOUT_CENTROIDS).where(cluster_runs.c.cluster_id == cluster_id)
        return [_run(row) for row in self._connection.execute(mine).mappings()]

    def completed_after(self, cluster_id: str, after: tuple[datetime, str] | None, *, limit: int) -> list[ClusterRun]:
        """Return completed runs with their lineage, oldest first."""
        at = tuple_(cluster_runs.c.created_at, cluster_runs.c.run_id)
        is_completed = cluster_runs.c.status == ExecutionStatus.COMPLETED.value
        chosen = select(*_WITHOUT_CENTROIDS, cluster_runs.c.lineage).where(
            cluster_runs.c.cluster_id == cluster_id, is_completed, true() if after is None else at > after
        )
        ordered = chosen.order_by(cluster_runs.c.created_at, cluster_runs.c.run_id).limit(limit)
        return [_run(row) for row in self._connection.execute(ordered).mappings()]

    def accepted_since(
        self, cluster_id: str, since: datetime, *, limit: int, status: str | None = None
    ) -> list[ClusterRun]:
        """Return runs by the index of the newest."""
        is_asked = true() if status is None else cluster_runs.c.status == str(status)
        recent = select(*_WITHOUT_CENTROIDS).where(
            cluster_runs.c.cluster_id == cluster_id, cluster_runs.c.created_at >= since, is_asked
        )
        order = (cluster_runs.c.created_at.desc(), cluster_runs.c.run_id.desc())
        return [_run(row) for row in self._connection.execute(recent.order_by(*order).limit(limit)).mappings()]

    def stats(self, cluster_id: str, selection: Selection) -> RunListStats:
        """Add up in the database."""
        figures = [
            cluster_runs.c.status,
            func.count().label("runs"),
            func.coalesce(func.avg(_SECONDS), 0).label("seconds"),
            func.sum(cluster_runs.c.num_points).label("points"),
            func.avg(cluster_runs.c.num_clusters).label("groups"),
        ]
        mine = select(*figures).where(cluster_runs.c.cluster_id == cluster_id, _LISTED.conditions(selection))
        rows = {row.status: row for row in self._connection.execute(mine.group_by(cluster_runs.c.status))}
        done = rows.get(ExecutionStatus.COMPLETED.value)
        return RunListStats(
            total_executions=sum(row.runs for row in rows.values()),
            by_status={status: row.runs for status, row in rows.items()},
            avg_execution_time_ms=0.0 if done is None else float(done.seconds) * 1000,
            total_documents_clustered=0 if done is None else int(done.points),
            avg_num_clusters=0.0 if done is None else float(done.groups),
        )

    def list(self, cluster_id: str, selection: Selection) -> list[ClusterRun]:
        """Return runs without their centroids, newest first unless sorted."""
        statement = select(*_WITHOUT_CENTROIDS).where(cluster_runs.c.cluster_id == cluster_id)
        return [_run(row) for row in self._connection.execute(_LISTED.page(statement, selection)).mappings()]

    def move(
        self, run_id: str, status: str, at: datetime, *, error_code: str | None = None, error_message: str | None = None
    ) -> None:
        """Set the state of a run that has not ended."""
        values: dict[str, Any] = {"status": str(status), "error_code": error_code, "error_message": error_message}
        values["started_at" if status == ExecutionStatus.PROCESSING else "completed_at"] = at
        is_open = cluster_runs.c.status.in_([word.value for word in _OPEN])
        self._connection.execute(update(cluster_runs).where(cluster_runs.c.run_id == run_id, is_open).values(values))

    def note(self, run_id: str, effective: JsonObject) -> None:
        """Store what is known of a run that has not ended."""
        is_open = cluster_runs.c.status.in_([word.value for word in _OPEN])
        statement = update(cluster_runs).where(cluster_runs.c.run_id == run_id, is_open)
        self._connection.execute(statement.values(effective=dict(effective)))

    def hold(self, run_id: str) -> ClusterRun | None:
        """Lock the row against deletion and against those who keep runs from being published, not against changes."""
        statement = select(cluster_runs).where(cluster_runs.c.run_id == run_id)
        row = self._connection.execute(statement.with_for_update(read=True, key_share=True)).mappings().first()
        return None if row is None else _run(row)

    def publish(self, run: ClusterRun) -> None:
        """Store what a run found; one that its cluster's deletion took meanwhile is not published."""
        changed = update(cluster_runs).where(cluster_runs.c.run_id == run.run_id).values(_values(run))
        if self._connection.execute(changed).rowcount == 0:
            raise ExecutionNotFound(detail={"run_id": run.run_id})

    def rename(self, run_id: str, name: str | None) -> None:
        """Store what people call a run."""
        self._connection.execute(update(cluster_runs).where(cluster_runs.c.run_id == run_id).values(run_name=name))

    def relabel(self, run_id: str, names: Mapping[str, str], without: Sequence[str]) -> JsonObject:
        """Merge in one statement."""
        kept = cluster_runs.c.label_overrides.op("-", return_type=JSONB)(literal(list(without), ARRAY(TEXT)))
        merged = kept.op("||", return_type=JSONB)(literal(dict(names), JSONB))
        changed = update(cluster_runs).where(cluster_runs.c.run_id == run_id).values(label_overrides=merged)
        found: JsonObject = self._connection.execute(changed.returning(cluster_runs.c.label_overrides)).scalar_one()
        return found

    def figures_since(self, cluster_id: str, since: datetime) -> RunFigures:
        """Add up in the database."""
        figures = [cluster_runs.c.status, func.count().label("runs"), func.avg(_SECONDS).label("seconds")]
        recent = select(*figures, func.sum(cluster_runs.c.num_points).label("points")).where(
            cluster_runs.c.cluster_id == cluster_id, cluster_runs.c.created_at >= since
        )
        rows = {row.status: row for row in self._connection.execute(recent.group_by(cluster_runs.c.status))}
        done = rows.get(ExecutionStatus.COMPLETED.value)
        return RunFigures(
            by_status={status: row.runs for status, row in rows.items()},
            avg_seconds=None if done is None or done.seconds is None else float(done.seconds),
            documents=0 if done is None else int(done.points),
        )
