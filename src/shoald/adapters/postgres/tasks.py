"""Jobs in PostgreSQL as the tasks that clients list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select, true

from shoald.adapters.postgres.jobs import read_job
from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.clusters import cluster_runs
from shoald.adapters.postgres.tables.jobs import jobs
from shoald.application.listing import Selection
from shoald.domain.records.job import Job

_CLUSTER_ID, _RUN_ID = jobs.c.payload["cluster_id"].astext, jobs.c.payload["run_id"].astext
_HAS_RUN = select(cluster_runs.c.run_id).where(cluster_runs.c.run_id == _RUN_ID).correlate(jobs).exists()
_IS_THERE = or_(_RUN_ID.is_(None), _HAS_RUN)
_SORTABLE = {
    "task_id": jobs.c.job_id,
    "task_type": jobs.c.job_type,
    "status": jobs.c.state,
    "created_at": jobs.c.created_at,
    "updated_at": jobs.c.updated_at,
}


def _listed(words: Mapping[str, str]) -> ListedTable:
    """Return how tasks are listed; filters see them as they are shown."""
    additional = func.jsonb_build_object(
        *(literal("cluster_id"), jobs.c.payload["cluster_id"]),
        *(literal("run_id"), jobs.c.payload["run_id"]),
        *(literal("job_id"), jobs.c.job_id),
        *(literal("error"), jobs.c.error_message),
        *(literal("error_code"), jobs.c.error_code),
    )
    shown = {
        "task_id": jobs.c.job_id,
        "task_type": case(dict(words), value=jobs.c.job_type),
        "status": jobs.c.state,
        "inputs": jobs.c.payload["collection_ids"],
        "additional_data": additional,
        "error": jobs.c.error_message,
    }
    return ListedTable(
        table=jobs,
        id=jobs.c.job_id,
        sortable=_SORTABLE,
        searched=(jobs.c.job_id, _CLUSTER_ID, _RUN_ID, jobs.c.error_message),
        printed=shown,
    )


class PostgresTasks:
    """Tasks of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, task_id: str, words: Mapping[str, str]) -> Job | None:
        """Return a task of any namespace."""
        found = select(jobs).where(jobs.c.job_id == task_id, jobs.c.job_type.in_(list(words)), _IS_THERE)
        row: Any = self._connection.execute(found).first()
        return None if row is None else read_job(row)

    def count(self, namespace_ids: Sequence[str], words: Mapping[str, str], selection: Selection) -> int:
        """Count what `list` would return without limits."""
        counted = _listed(words).count(_mine(namespace_ids, words), selection)
        return self._connection.execute(counted).scalar_one()

    def list(self, namespace_ids: Sequence[str], words: Mapping[str, str], selection: Selection) -> list[Job]:
        """Return tasks, newest first unless sorted."""
        statement = select(jobs).where(_mine(namespace_ids, words))
        return [read_job(row) for row in self._connection.execute(_listed(words).page(statement, selection))]


def _mine(namespace_ids: Sequence[str], words: Mapping[str, str]) -> ColumnElement[bool]:
    is_mine = jobs.c.namespace_id.in_(namespace_ids) if namespace_ids else true()
    return and_(is_mine, jobs.c.job_type.in_(list(words)), _IS_THERE)
