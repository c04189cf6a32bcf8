"""One slot of a worker; started by `work`, never by hand."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shoald.worker.child import die_with_parent, limit_memory
from shoald.worker.control import ControlLine

if TYPE_CHECKING:
    from shoald.wiring import Adapters


def main(arguments: Sequence[str] | None = None, add_handlers: Callable[[Adapters], None] | None = None) -> None:
    """Become a child: first tie our life to the parent's, then load what jobs need.

    Tests give other handlers, and their children load nothing beside.
    """
    options = _parser().parse_args(arguments)
    die_with_parent(options.parent)

    from shoald.adapters.telemetry.setup import set_up_telemetry
    from shoald.application.jobs import SHORT_QUEUE
    from shoald.entrypoints.left_out import has_rapids, leave_out_pandas
    from shoald.entrypoints.telemetry import telemetry_of
    from shoald.settings import read_settings
    from shoald.wiring import Adapters, ChildPlace, Warming, build_job_handlers, build_worker_child

    if options.queue == SHORT_QUEUE or not has_rapids():
        leave_out_pandas()
    settings = read_settings()
    set_up_telemetry("shoal-worker-child", telemetry_of(settings))
    limit_memory(settings.worker_memory_mib)
    adapters = Adapters(settings, is_worker=True)
    (add_handlers or build_job_handlers)(adapters)
    place = ChildPlace(options.queue, options.name, ControlLine(socket.socket(fileno=options.control)))

    def warm() -> None:
        if add_handlers is None:
            Warming(adapters, options.queue).begin()

    build_worker_child(adapters, place, warm).run()
    adapters.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
