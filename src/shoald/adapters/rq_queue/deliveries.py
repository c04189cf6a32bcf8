"""Brings job ids from RQ to the process that asks, one at a time, through every failure of Redis.

RQ's worker is kept to its loop: no maintenance (which runs callbacks of strangers), no command channel (by which
anybody in Redis could stop it), no signal handlers (the parent decides), no fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from shoald.adapters.rq_queue.carried_job import CarriedJob
from shoald.adapters.rq_queue.connecting import QUEUE_PREFIX, connect

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 15.0
_BLOCKING_PART = 15  # RQ blocks for its worker_ttl less fifteen seconds
_POLL_SECONDS = 2
_PAUSE_SECONDS = 0.5


class _Carrier(SimpleWorker):
    """RQ's loop, and nothing else of it."""

    max_connection_wait_time = 1.0

    def __init__(self, *args: Any, stopping: threading.Event, **kwargs: Any) -> None:
        self._stopping = stopping
        super().__init__(*args, **kwargs)

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Never: the scheduler sweeps."""
        return False

    def bootstrap(self, *_args: Any, **_kwargs: Any) -> None:
        """Register, without touching the process's logging."""
        self.register_birth()  # type: ignore[no-untyped-call] # RQ's, as are those below
        self.set_state("started")

    def subscribe(self) -> None:
        """Listen to nobody's commands."""

    def unsubscribe(self) -> None:
        """Nothing to undo."""

    def _install_signal_handlers(self) -> None:
        """Leave signals to the parent."""

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Look, once a round, whether to stop."""
        if self._stopping.is_set() and not kwargs.get("pipeline"):
            raise StopRequested
        super().heartbeat(*args, **kwargs)


class RqDeliveries:
    """`JobDeliveries` from one queue."""

    def __init__(self, url: str, queue: str) -> None:
        self._connection = connect(url, connect_seconds=_CONNECT_SECONDS, answer_seconds=_ANSWER_SECONDS)
        self._name = QUEUE_PREFIX + queue
        self._stopping = threading.Event()

    def receive(self, handle: Callable[[str], None]) -> None:
        """Call `handle` for each id, until `stop`."""
        for name in ("rq.worker", "rq.job", "rq.queue"):
            logging.getLogger(name).setLevel(logging.WARNING)
        job_class = type("HandledJob", (CarriedJob,), {"handle": staticmethod(handle)})
        while not self._stopping.is_set():
            try:
                self._carrier(job_class).work()
            except (redis.RedisError, OSError) as error:
                log.warning("Redis is away: %s", error)
            self._stopping.wait(_PAUSE_SECONDS)

    def _carrier(self, job_class: type[CarriedJob]) -> _Carrier:
        queue = Queue(self._name, connection=self._connection, serializer=JSONSerializer, job_class=job_class)
        return _Carrier(
            [queue],
            connection=self._connection,
            serializer=JSONSerializer,
            job_class=job_class,
            worker_ttl=_BLOCKING_PART + _POLL_SECONDS,
            stopping=self._stopping,
        )

    def stop(self) -> None:
        """Take no further id; the loop sees it within two seconds, or after the job at hand."""
        self._stopping.set()
