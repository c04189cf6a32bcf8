"""A worker: the parent that keeps one child per slot alive."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from shoald.adapters.telemetry.setup import set_up_telemetry
from shoald.entrypoints.readiness import tell_ready
from shoald.entrypoints.telemetry import telemetry_of
from shoald.settings import Settings
from shoald.wiring import Adapters, build_job_handlers, build_worker_parent

CHILD_COMMAND = (sys.executable, "-u", "-m", "shoald.entrypoints.work_child")


def run(settings: Settings, *, child_command: Sequence[str] = CHILD_COMMAND) -> None:
    """Work until SIGTERM or SIGINT; a second one cuts the drain short."""
    set_up_telemetry("shoal-worker", telemetry_of(settings))
    adapters = Adapters(settings)
    try:
        build_job_handlers(adapters)
        build_worker_parent(adapters, child_command, lambda: tell_ready(settings.ready_file)).run()
    finally:
        adapters.close()
