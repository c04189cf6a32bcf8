"""The scheduler: reconciler, outbox relay, sweeps; any number of these may run."""

from __future__ import annotations

import signal

from shoald.adapters.telemetry.setup import set_up_telemetry
from shoald.entrypoints.readiness import tell_ready
from shoald.entrypoints.telemetry import telemetry_of
from shoald.settings import Settings
from shoald.wiring import Adapters, build_job_handlers, build_scheduler


def run(settings: Settings) -> None:
    """Go round until SIGTERM or SIGINT."""
    set_up_telemetry("shoal-scheduler", telemetry_of(settings))
    adapters = Adapters(settings)
    try:
        build_job_handlers(adapters)
        scheduler = build_scheduler(adapters)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: scheduler.stop())
        tell_ready(settings.ready_file)
        scheduler.run()
    finally:
        adapters.close()
