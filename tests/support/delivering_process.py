"""A scheduler in a process of its own that may be killed at any moment: `python -m support.delivering_process URL DIR`.

Its leases are short, so that what it held when it was killed is soon tried by the next one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from shoald.application.event_telling import EventTelling
from shoald.scheduler.couriers import Couriers
from shoald.scheduler.rounds import Round, Scheduler
from shoald.settings import Settings
from shoald.wiring import Adapters
from support.cluster_world import NO_REDIS


def run(database_url: str, data_dir: Path) -> None:
    """Tell and deliver until killed."""
    settings = Settings(
        database_url=database_url,
        redis_url=NO_REDIS,
        data_dir=data_dir,
        signing_secret=SecretStr("s" * 32),
        outward_private_networks="127.0.0.0/8",
        reconcile_seconds=0.02,
    )
    adapters = Adapters(settings)
    delivering = replace(adapters.delivering, lease=timedelta(seconds=1))
    telling = EventTelling(open_unit_of_work=adapters.open_unit_of_work)
    couriers = Couriers(take=delivering.take, carry_out=delivering.carry_out, threads=settings.webhook_threads)
    told = Round(name="told", seconds=settings.reconcile_seconds, run=telling.run_pass)
    sent = Round(name="messages sent", seconds=settings.reconcile_seconds, run=couriers.run_pass)
    Scheduler(rounds=[told, sent]).run()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]))
