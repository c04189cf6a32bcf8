"""Object keys looked for in the rows that may name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, select

from shoald.adapters.postgres.tables.clusters import cluster_runs
from shoald.adapters.postgres.tables.jobs import jobs
from shoald.adapters.postgres.tables.rag import index_builds, keyword_indexes


class PostgresObjectReferences:
    """Reads what builds and runs name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_builds(self, build_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the build's manifest and URI."""
        named = func.concat_ws(" ", cast(index_builds.c.manifest, Text), index_builds.c.artifact_uri)
        return self._named(named, index_builds.c.build_id == build_id, {"build_id": build_id}, keys)

    def of_keyword_index(self, set_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the set's row."""
        named = func.concat_ws(" ", keyword_indexes.c.texts_key, keyword_indexes.c.words_key)
        return self._named(named, keyword_indexes.c.set_id == set_id, {"set_id": set_id}, keys)

    def of_runs(self, run_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the run's artifacts."""
        named = cast(cluster_runs.c.artifacts, Text)
        return self._named(named, cluster_runs.c.run_id == run_id, {"run_id": run_id}, keys)

    def _named(
        self, named: ColumnElement[Any], is_owner: ColumnElement[bool], payload: dict[str, str], keys: Sequence[str]
    ) -> set[str]:
        at_work = select(jobs.c.job_id).where(jobs.c.finished_at.is_(None), jobs.c.payload.contains(payload)).limit(1)
        if self._connection.execute(at_work).first() is not None:
            return set(keys)
        text = self._connection.scalar(select(named).where(is_owner)) or ""
        return {key for key in keys if key in text}
