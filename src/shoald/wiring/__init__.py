"""The only place that picks concrete adapters and hands them to use cases.

Each process builds what it needs, and heavy libraries are imported where they are used, so that a worker's parent or
the scheduler stays small.
"""

from __future__ import annotations

from shoald.wiring.adapters import Adapters
from shoald.wiring.application import build_access, build_application
from shoald.wiring.jobs import build_job_handlers
from shoald.wiring.scheduling import build_scheduler
from shoald.wiring.warming import Warming, warm_server
from shoald.wiring.workers import ChildPlace, build_worker_child, build_worker_parent

__all__ = [
    "Adapters",
    "ChildPlace",
    "Warming",
    "build_access",
    "build_application",
    "build_job_handlers",
    "build_scheduler",
    "build_worker_child",
    "build_worker_parent",
    "warm_server",
]
