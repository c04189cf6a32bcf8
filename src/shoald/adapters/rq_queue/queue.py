"""Offers job ids to workers through RQ; keeps the `JobQueue` promise also when Redis refuses, hangs or repeats."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer
from rq.utils import str_to_date
from rq.worker_registration import clean_worker_registry

from shoald.adapters.rq_queue.carried_job import LABEL, CarriedJob
from shoald.adapters.rq_queue.connecting import QUEUE_PREFIX, connect
from shoald.domain.failures import Unavailable

_CONNECT_SECONDS = 0.1
_ANSWER_SECONDS = 0.12
_REST_SECONDS = 1.0
_FAILED_ENTRY_SECONDS = 300
_STALE_AFTER = timedelta(minutes=5)
_SCAN_COUNT = 500


class RqJobQueue:
    """A `JobQueue` over RQ. After a failure it rests for a second, in which it refuses at once: calls that accept jobs
    must not wait for a Redis that is away.
    """

    def __init__(self, url: str, *, patience: float = 1.0) -> None:
        """`patience` stretches the time limits, for processes that may wait."""
        self._connection = connect(
            url, connect_seconds=_CONNECT_SECONDS * patience, answer_seconds=_ANSWER_SECONDS * patience
        )
        self._resting_until = 0.0

    def enqueue(self, queue: str, job_id: str, dispatch_no: int, *, ahead: bool = False) -> None:
        """Offer a job."""
        with self._answering(), contextlib.suppress(DuplicateJobError):
            self._queue(queue).enqueue(
                LABEL,
                job_id,
                job_id=_entry_id(job_id, dispatch_no),
                unique=True,
                at_front=ahead,
                job_timeout=-1,
                result_ttl=0,
                failure_ttl=_FAILED_ENTRY_SECONDS,
                description=LABEL,
            )

    def carries(self, queue: str, job_id: str, dispatch_no: int) -> bool:
        """Look for the entry in the waiting list, and for its content, without which it is passed over."""
        entry = _entry_id(job_id, dispatch_no)
        with self._answering():
            waiting = self._connection.lpos(self._queue(queue).key, entry) is not None
            return waiting and bool(self._connection.exists(CarriedJob.key_for(entry)))

    def stale(self, queues: Sequence[str]) -> list[tuple[str, int]]:
        """Return entries enqueued more than five minutes ago, in whatever state."""
        del queues  # entries of all queues lie side by side
        with self._answering(always=True):
            return [entry for key in self._entry_keys() if (entry := self._if_stale(key)) is not None]

    def _entry_keys(self) -> Iterator[bytes]:
        yield from self._connection.scan_iter(match=CarriedJob.key_for("*"), count=_SCAN_COUNT, _type="HASH")

    def _if_stale(self, key: bytes) -> tuple[str, int] | None:
        job_id, _, number = key.decode(errors="replace").rpartition(":")[2].rpartition("-")
        since: Any = self._connection.hget(key, "enqueued_at") or self._connection.hget(key, "created_at")
        if not number.isdecimal() or since is None:
            return None
        enqueued = str_to_date(since)
        return (job_id, int(number)) if enqueued < datetime.now(UTC) - _STALE_AFTER else None

    def forget(self, queues: Sequence[str], entries: Sequence[tuple[str, int]]) -> None:
        """Remove entries, and what dead workers left in RQ's registries."""
        ids = [_entry_id(*entry) for entry in entries]
        with self._answering(always=True):
            for name in queues:
                queue = self._queue(name)
                self._remove(queue, ids)
                clean_worker_registry(queue)

    def _remove(self, queue: Queue, ids: Sequence[str]) -> None:
        long_ago = time.time() - _STALE_AFTER.total_seconds()
        with self._connection.pipeline(transaction=False) as pipeline:
            for entry in ids:
                pipeline.lrem(queue.key, 0, entry)
                pipeline.lrem(queue.intermediate_queue_key, 0, entry)
                pipeline.zrem(queue.failed_job_registry.key, entry)
                pipeline.delete(CarriedJob.key_for(entry), f"rq:results:{entry}")
            pipeline.zremrangebyscore(queue.started_job_registry.key, 0, long_ago)
            pipeline.execute()

    def _queue(self, name: str) -> Queue:
        return Queue(
            QUEUE_PREFIX + name, connection=self._connection, serializer=JSONSerializer, job_class=CarriedJob
        )  # fmt: skip

    @contextlib.contextmanager
    def _answering(self, *, always: bool = False) -> Iterator[None]:
        if not always and time.monotonic() < self._resting_until:
            raise Unavailable("The queue is not available.")
        try:
            yield
        except (redis.RedisError, OSError) as error:
            self._resting_until = time.monotonic() + _REST_SECONDS
            raise Unavailable("The queue is not available.") from error

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()


def _entry_id(job_id: str, dispatch_no: int) -> str:
    return f"{job_id}-{dispatch_no}"
