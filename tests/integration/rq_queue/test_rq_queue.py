"""RQ as a carrier: what travels, what is refused (R30), what is swept up. Against a real server."""

from __future__ import annotations

import json
import pickle
import statistics
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shoald.adapters.rq_queue.carried_job import LABEL, CarriedJob
from shoald.adapters.rq_queue.connecting import QUEUE_PREFIX
from shoald.adapters.rq_queue.deliveries import RqDeliveries
from shoald.adapters.rq_queue.queue import RqJobQueue
from shoald.domain.failures import Unavailable
from shoald.supervisor.ports import free_port

pytestmark = pytest.mark.integration

JOB_ID = "0d6f1c1e-0000-4000-8000-000000000001"
LAST = "0d6f1c1e-0000-4000-8000-00000000ffff"


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def queue(redis_url: str, connection: redis.Redis) -> Iterator[RqJobQueue]:
    del connection
    made = RqJobQueue(redis_url, patience=20.0)
    yield made
    made.close()


def received(redis_url: str, queue: RqJobQueue) -> list[str]:
    """Return the ids that arrive up to the last one, which this sends."""
    queue.enqueue("short", LAST, 1)
    deliveries = RqDeliveries(redis_url, "short")
    got: list[str] = []

    def handle(job_id: str) -> None:
        got.append(job_id)
        if job_id == LAST:
            deliveries.stop()

    deliveries.receive(handle)
    return got


def test_an_id_arrives_and_leaves_nothing_behind(redis_url: str, queue: RqJobQueue, connection: redis.Redis) -> None:
    queue.enqueue("short", JOB_ID, 1)
    assert queue.carries("short", JOB_ID, 1)
    assert not queue.carries("short", JOB_ID, 2)
    assert received(redis_url, queue) == [JOB_ID, LAST]
    assert not queue.carries("short", JOB_ID, 1)
    assert list(connection.scan_iter("rq:job:*")) == []


def test_a_repeated_dispatch_is_no_error_and_no_second_entry(redis_url: str, queue: RqJobQueue) -> None:
    for number in (1, 1, 2):
        queue.enqueue("short", JOB_ID, number)
    assert received(redis_url, queue) == [JOB_ID, JOB_ID, LAST]


def test_an_entry_is_one_id_as_json(queue: RqJobQueue, connection: redis.Redis) -> None:
    queue.enqueue("short", JOB_ID, 1)
    raw = connection.hget(CarriedJob.key_for(f"{JOB_ID}-1"), "data")
    assert isinstance(raw, bytes)
    assert json.loads(zlib.decompress(raw)) == [LABEL, None, [JOB_ID], {}]


class _Hostile:
    """Writes a file wherever it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def _push(connection: redis.Redis, name: str, data: bytes, **fields: str) -> None:
    """Put an entry into the queue as somebody would who can write to Redis."""
    key = CarriedJob.key_for(name)
    content: dict[str, bytes | str] = {"data": data, "origin": QUEUE_PREFIX + "short", "status": "queued", **fields}
    for field, value in content.items():
        connection.hset(key, field, value)
    connection.rpush(f"rq:queue:{QUEUE_PREFIX}short", name)


def test_nothing_that_others_put_into_redis_is_executed(
    redis_url: str,
    queue: RqJobQueue,
    connection: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R30: pickle, a function by name, callbacks, webhooks, dependencies, junk, and an entry of many megabytes."""
    mark = tmp_path / "executed"
    ours = json.dumps([LABEL, None, [JOB_ID], {}]).encode()
    _push(connection, "pickle", pickle.dumps(_Hostile(mark)))
    _push(connection, "system", json.dumps(["os.system", None, [f"touch {mark}"], {}]).encode())
    _push(connection, "instance", json.dumps([LABEL, "x", [JOB_ID], {}]).encode())
    _push(connection, "arguments", json.dumps([LABEL, None, [{"a": 1}], {}]).encode())
    for callback in ("success_callback_name", "failure_callback_name", "stopped_callback_name"):
        _push(connection, callback, ours, **{callback: "os.abort"})
    _push(connection, "webhooks", ours, webhooks='[{"url": "http://127.0.0.1:9/"}]')
    _push(connection, "junk", b"\xff\x00 no json")
    _push(connection, "huge", b"x" * (64 << 20))
    wrong = Queue(QUEUE_PREFIX + "short", connection=connection, serializer=JSONSerializer)
    wrong.enqueue("os.mkdir", str(mark), on_failure=None, retry=None)
    connection.rpush(f"rq:queue:{QUEUE_PREFIX}short", "no-such-entry")
    assert received(redis_url, queue) == [LAST]
    assert not mark.exists()
    assert sum("refused an entry" in message for message in caplog.messages) == 11


def test_a_plain_rq_worker_could_not_run_an_entry_either(queue: RqJobQueue, connection: redis.Redis) -> None:
    queue.enqueue("short", JOB_ID, 1)
    entry = Job.fetch(f"{JOB_ID}-1", connection=connection, serializer=JSONSerializer)
    with pytest.raises((ImportError, ValueError, AttributeError)):
        entry.perform()


def test_a_handler_that_raises_ends_nothing(redis_url: str, queue: RqJobQueue) -> None:
    queue.enqueue("short", JOB_ID, 1)
    queue.enqueue("short", LAST, 1)
    deliveries = RqDeliveries(redis_url, "short")
    got: list[str] = []

    def handle(job_id: str) -> None:
        got.append(job_id)
        if job_id == LAST:
            deliveries.stop()
        raise RuntimeError(job_id)

    deliveries.receive(handle)
    assert got == [JOB_ID, LAST]


def test_old_entries_are_found_and_forgotten(queue: RqJobQueue, connection: redis.Redis) -> None:
    for number in (1, 2):
        queue.enqueue("short", JOB_ID, number)
    key = CarriedJob.key_for(f"{JOB_ID}-1")
    connection.hset(key, "enqueued_at", "2020-01-01T00:00:00.000000Z")
    assert queue.stale(["short"]) == [(JOB_ID, 1)]
    queue.forget(["short"], [(JOB_ID, 1)])
    assert not connection.exists(key)
    assert connection.lrange(f"rq:queue:{QUEUE_PREFIX}short", 0, -1) == [f"{JOB_ID}-2".encode()]


def test_a_queue_that_refuses_says_so_at_once() -> None:
    nowhere = RqJobQueue(f"redis://127.0.0.1:{free_port()}/0")
    seconds = []
    for _ in range(20):
        began = time.monotonic()
        with pytest.raises(Unavailable):
            nowhere.enqueue("short", JOB_ID, 1)
        seconds.append(time.monotonic() - began)
    # the first meets the refusal, the others its rest; with the library's retries each would take seconds
    assert statistics.median(seconds) < 0.01
    assert max(seconds) < 0.5
