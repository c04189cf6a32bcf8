"""Object keys looked for in the rows that may name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, any_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from shoald.adapters.postgres.tables.clusters import cluster_runs, kept_artifacts
from shoald.adapters.postgres.tables.evaluations import evaluations
from shoald.adapters.postgres.tables.jobs import jobs
from shoald.adapters.postgres.tables.rag import document_versions, index_builds, keyword_indexes, segment_items
from shoald.domain.vocabulary import JobType

# the first half of the locks of uploaded objects, so that they are no other lock's
_UPLOADS = 4_711
# jobs that store objects and name them when they end
_STORING = (JobType.SEGMENTS, JobType.SEGMENTS_BATCH, JobType.PIPELINE)


class PostgresObjectReferences:
    """Reads what builds and runs name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hold(self, key: str) -> None:
        """Take a lock that many can hold."""
        self._connection.execute(select(func.pg_advisory_xact_lock_shared(_UPLOADS, func.hashtext(key))))

    def of_uploads(self, uris: Sequence[str]) -> set[str]:
        """Look among the versions and, by an index of their own, the pictures."""
        wanted = cast(list(uris), ARRAY(Text))
        places = (document_versions.c.artifact_uri, segment_items.c.metadata["object_uri"].astext)
        return {uri for place in places for uri in self._connection.scalars(select(place).where(place == any_(wanted)))}

    def seize(self, key: str, uri: str) -> bool:
        """Take the lock alone, then look again."""
        self._connection.execute(select(func.pg_advisory_xact_lock(_UPLOADS, func.hashtext(key))))
        return not self.of_uploads([uri]) and not self._may_be_named(key)

    def _may_be_named(self, key: str) -> bool:
        names = cast(jobs.c.payload, Text).contains(key, autoescape=True)
        at_work = select(jobs.c.job_id).where(jobs.c.finished_at.is_(None), names | jobs.c.job_type.in_(_STORING))
        return self._connection.execute(at_work.limit(1)).first() is not None

    def of_builds(self, build_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the build's manifest and URI."""
        named = func.concat_ws(" ", cast(index_builds.c.manifest, Text), index_builds.c.artifact_uri)
        return self._named(named, index_builds.c.build_id == build_id, {"build_id": build_id}, keys)

    def of_keyword_index(self, set_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the set's row."""
        named = func.concat_ws(" ", keyword_indexes.c.texts_key, keyword_indexes.c.words_key)
        return self._named(named, keyword_indexes.c.set_id == set_id, {"set_id": set_id}, keys)

    def of_evaluation(self, evaluation_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the evaluation's URI; what was deleted names nothing."""
        is_owner = evaluations.c.evaluation_id == evaluation_id
        return self._named(evaluations.c.artifact_uri, is_owner, {"evaluation_id": evaluation_id}, keys)

    def of_runs(self, run_id: str, keys: Sequence[str]) -> set[str]:
        """Look into the run's artifacts, and what is kept of runs that are gone."""
        found: set[str] = set()
        for table in (cluster_runs, kept_artifacts):
            named = cast(table.c.artifacts, Text)
            found |= self._named(named, table.c.run_id == run_id, {"run_id": run_id}, keys)
        return found

    def _named(
        self, named: ColumnElement[Any], is_owner: ColumnElement[bool], payload: dict[str, str], keys: Sequence[str]
    ) -> set[str]:
        at_work = select(jobs.c.job_id).where(jobs.c.finished_at.is_(None), jobs.c.payload.contains(payload)).limit(1)
        if self._connection.execute(at_work).first() is not None:
            return set(keys)
        text = self._connection.scalar(select(named).where(is_owner)) or ""
        return {key for key in keys if key in text}
