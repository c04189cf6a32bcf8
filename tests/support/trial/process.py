"""Worker, child and scheduler that also know trial jobs: `python process.py worker|child|scheduler`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.trial.handlers import add_handlers
from support.trial.wrong_clock import set_wrong_clock

COMMAND = (sys.executable, "-u", __file__)


def worker() -> None:
    from shoald.entrypoints.readiness import tell_ready
    from shoald.settings import read_settings
    from shoald.wiring import Adapters, build_worker_parent

    settings = read_settings()
    adapters = Adapters(settings)
    add_handlers(adapters)
    build_worker_parent(adapters, (*COMMAND, "child"), lambda: tell_ready(settings.ready_file)).run()
    adapters.close()


def child() -> None:
    from shoald.entrypoints import work_child

    work_child.main(sys.argv[2:], add_handlers)


def scheduler() -> None:
    from shoald.entrypoints.readiness import tell_ready
    from shoald.settings import read_settings
    from shoald.wiring import Adapters, build_scheduler

    settings = read_settings()
    adapters = Adapters(settings)
    add_handlers(adapters)
    built = build_scheduler(adapters)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: built.stop())
    tell_ready(settings.ready_file)
    built.run()
    adapters.close()


if __name__ == "__main__":
    set_wrong_clock()

    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
    {"worker": worker, "child": child, "scheduler": scheduler}[sys.argv[1]]()
