"""A namespace with vectors in a real PostgreSQL, and the use cases and jobs over it, without a queue or a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import SecretStr

from shoald.application.access import Caller
from shoald.application.collection_documents import Import
from shoald.application.use_cases import UseCases
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.records.job import Job
from shoald.settings import Settings
from shoald.wiring import Adapters, build_application

# nothing listens there: jobs are run by the tests themselves
NO_REDIS = "redis://127.0.0.1:1/0"


@dataclass
class ClusterWorld:
    """What a test of clusters needs."""

    adapters: Adapters
    use_cases: UseCases
    caller: Caller

    def store(
        self, vectors: npt.NDArray[np.float32], *, collection: str = "things", ids: list[str] | None = None
    ) -> str:
        """Store vectors as documents with a text each, and return the collection's id."""
        names = ids or [f"d{at:05d}" for at in range(len(vectors))]
        batch = DocumentBatch(
            ids=names,
            payloads=[{"title": f"text of {name}", "n": at} for at, name in enumerate(names)],
            vectors=[VectorColumn(name="v", values=np.ascontiguousarray(vectors, dtype=np.float32))],
        )
        stored = self.use_cases.collection_documents.import_batches(self.caller, Import(collection=collection), [batch])
        return stored.collection_id

    def define(self, **vector_config: object) -> str:
        """Make a cluster definition over the collection `things`, and return its id."""
        asked = {"collection_ids": ["things"], "vector_config": vector_config}
        return self.use_cases.clusters.create(self.caller, asked).cluster.cluster_id

    def start(self, cluster: str, changes: JsonObject | None = None) -> Job:
        """Accept a run."""
        return self.use_cases.executions.start(self.caller, cluster, changes or {})

    def run(self, job: Job) -> Job:
        """Do one attempt of a job here, and return how it stands."""
        self.use_cases.jobs.runner.run(job.job_id, dispatch=True)
        return self.use_cases.jobs.get(self.caller, job.job_id)


@contextlib.contextmanager
def cluster_world(database_url: str, data: Path, **changed: Any) -> Iterator[ClusterWorld]:
    """Build a world on a migrated database, some settings changed."""
    adapters = Adapters(
        Settings(
            database_url=database_url,
            redis_url=NO_REDIS,
            data_dir=data,
            signing_secret=SecretStr("s" * 32),
            **changed,
        )
    )
    try:
        use_cases = build_application(adapters)
        yield ClusterWorld(adapters=adapters, use_cases=use_cases, caller=use_cases.access.caller())
    finally:
        adapters.close()


def groups_of(*sizes: int, dimension: int = 16, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return well separated groups of vectors, one after another."""
    random = np.random.default_rng(seed)
    parts = []
    for at, size in enumerate(sizes):
        centre = np.zeros(dimension)
        centre[at % dimension] = 3.0
        parts.append(centre + random.normal(scale=0.2, size=(size, dimension)))
    return np.concatenate(parts).astype(np.float32)
