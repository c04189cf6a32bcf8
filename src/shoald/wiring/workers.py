"""What a worker consists of: the parent, its children, and what a child loads before and after it is ready."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.jobs import HEAVY_QUEUE, SHORT_QUEUE, queue_of
from shoald.domain.failures import MissingDependency
from shoald.domain.vocabulary import IndexProvider
from shoald.wiring.adapters import Adapters
from shoald.worker.child import TellParent, WorkerChild
from shoald.worker.parent import WorkerParent, WorkerPlan

if TYPE_CHECKING:
    from shoald.worker.control import ControlLine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChildPlace:
    """Where a worker's child stands: its queue, its name, and its line to the parent."""

    queue: str
    name: str
    line: ControlLine


def build_worker_parent(adapters: Adapters, child_command: Sequence[str], on_ready: Callable[[], None]) -> WorkerParent:
    """Build what keeps the children of a worker alive."""
    settings = adapters.settings
    slots = {SHORT_QUEUE: settings.worker_short_slots, HEAVY_QUEUE: settings.worker_heavy_slots}
    plan = WorkerPlan(
        slots={queue: n for queue, n in slots.items() if n > 0},
        child_command=child_command,
        drain_seconds=settings.worker_drain_seconds,
    )
    return WorkerParent(plan=plan, moves=adapters.job_moves, dispatch=adapters.job_dispatch, on_ready=on_ready)


def build_worker_child(adapters: Adapters, place: ChildPlace, warm: Callable[[], None]) -> WorkerChild:
    """Build one slot of a worker; `warm` runs before it says that it is ready."""
    from shoald.adapters.rq_queue.deliveries import RqDeliveries

    return WorkerChild(
        line=place.line,
        queue=place.queue,
        runner=adapters.job_runner(place.name, TellParent(place.line)),
        dispatch=adapters.job_dispatch,
        deliveries=RqDeliveries(adapters.settings.redis_url, place.queue),
        warm=warm,
    )


class Warming:
    """Loads what the jobs of a queue need, so that the first of them does not wait for it."""

    def __init__(self, adapters: Adapters, queue: str) -> None:
        self._adapters = adapters
        self._queue = queue
        self._rest = threading.Thread(target=self._load_rest, name="warming", daemon=True)

    def begin(self) -> None:
        """Load what short jobs or index builds need; what cluster runs need loads beside the first jobs."""
        for job_type in self._adapters.job_handlers:
            if queue_of(job_type) == self._queue:
                self._adapters.job_handlers[job_type]
        if self._queue != HEAVY_QUEUE:
            return
        with contextlib.suppress(MissingDependency):
            self._adapters.embedders.warm()
        with contextlib.suppress(MissingDependency):
            self._adapters.vector_indexes.get(IndexProvider.FAISS)
        self._adapters.warming = self._rest
        self._rest.start()

    def _load_rest(self) -> None:
        try:
            self._adapters.cluster_pipeline.warm()
            with contextlib.suppress(MissingDependency):
                self._adapters.vector_indexes.get(IndexProvider.QDRANT)
        except Exception:  # the first job that needs it says so to its user
            log.exception("warming up failed")
