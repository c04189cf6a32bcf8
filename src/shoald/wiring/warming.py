"""What a worker's child or a server loads before anybody needs it."""

from __future__ import annotations

import contextlib
import importlib
from functools import partial
from typing import TYPE_CHECKING

from shoald.application.jobs import HEAVY_QUEUE, queue_of
from shoald.domain.failures import MissingDependency
from shoald.domain.vocabulary import IndexProvider
from shoald.wiring.leisure import Leisure
from shoald.wiring.loading import Loading, Step

if TYPE_CHECKING:
    from shoald.wiring.adapters import Adapters

# what cluster runs import, tenths of a second each: one by one, so that a job that comes waits for one of them only
_CLUSTERING = ("scipy.sparse.csgraph", "scipy.spatial", "scipy.stats", "sklearn", "sklearn.neighbors", "numba")


class Warming:
    """Loads what the jobs of a queue need, so that the first of them does not wait for it."""

    def __init__(self, adapters: Adapters, queue: str) -> None:
        self._adapters = adapters
        self._queue = queue

    def begin(self) -> None:
        """Load what short jobs or index builds need; what Qdrant and cluster runs need loads between the first jobs.

        Not so the bundled model: a third of all that a worker would hold, loaded in a quarter of a second, for builds
        of many seconds.
        """
        for job_type in self._adapters.job_handlers:
            if queue_of(job_type) == self._queue:
                self._adapters.job_handlers[job_type]
        if self._queue != HEAVY_QUEUE:
            return
        with contextlib.suppress(MissingDependency):
            self._adapters.vector_indexes.get(IndexProvider.FAISS)
        indexes = self._adapters.vector_indexes
        imports = [partial(importlib.import_module, name) for name in _CLUSTERING]
        steps: list[Step] = [partial(indexes.get, IndexProvider.QDRANT), *imports, self._load_clustering]
        self._adapters.warming = Loading(steps, self._adapters.leisure)
        self._adapters.warming.start()

    def _load_clustering(self) -> None:
        self._adapters.cluster_pipeline.warm()


def warm_server(adapters: Adapters) -> Loading:
    """Begin to load what the first index build or search by vectors would wait for; returns who does it.

    Qdrant's client takes a second: it is imported and not asked for, so that nobody waits who wants another provider.
    """
    names = ["shoald.adapters.postgres.vector_copying"]
    if adapters.settings.qdrant_url is not None:
        names.append("shoald.adapters.qdrant.vector_index")
    imports = [partial(importlib.import_module, name) for name in names]
    steps: list[Step] = [partial(adapters.vector_indexes.get, IndexProvider.FAISS), *imports]
    loading = Loading(steps, Leisure(quiet_seconds=0.0))
    loading.start()
    return loading
