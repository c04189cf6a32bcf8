"""What a worker consists of: the parent and its children."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.jobs import HEAVY_QUEUE, SHORT_QUEUE
from shoald.wiring.adapters import Adapters
from shoald.worker.child import TellParent, WorkerChild
from shoald.worker.parent import WorkerParent, WorkerPlan

if TYPE_CHECKING:
    from shoald.worker.control import ControlLine


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
        runner=adapters.job_runner(place.name, adapters.leisure.watched_by(TellParent(place.line))),
        dispatch=adapters.job_dispatch,
        deliveries=RqDeliveries(adapters.settings.redis_url, place.queue),
        warm=warm,
    )
