"""The word that a job has ended, through a real server, and without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from shoald.adapters.rq_queue.job_ends import _CHANNEL, RedisJobEnds
from shoald.supervisor.ports import free_port

pytestmark = pytest.mark.integration
_AT_MOST = 20.0


@pytest.fixture
def ends(redis_url: str) -> Iterator[RedisJobEnds]:
    with closing(RedisJobEnds(redis_url)) as made:
        yield made


def test_who_waits_hears_of_the_end_once_for_each_word(ends: RedisJobEnds) -> None:
    with ends.awaited("mine") as wait:
        ends.tell("mine")
        ends.tell("mine")
        assert [wait(_AT_MOST), wait(_AT_MOST), wait(0.01)] == [True, True, False]


def test_another_jobs_end_wakes_nobody(ends: RedisJobEnds) -> None:
    with ends.awaited("mine") as wait:
        ends.tell("another")
        assert not wait(0.05)


def test_who_lost_the_connection_listens_again(ends: RedisJobEnds, redis_url: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as server, ends.awaited("mine") as wait:
        server.client_kill_filter(_type="pubsub")
        assert not wait(0.01)  # it finds the connection lost
        teller = threading.Thread(target=_tell_once_heard, args=(ends, redis_url), daemon=True)
        teller.start()
        assert wait(_AT_MOST)
        teller.join(_AT_MOST)


def _tell_once_heard(ends: RedisJobEnds, redis_url: str) -> None:
    with closing(redis.Redis.from_url(redis_url)) as server:
        while not server.pubsub_channels(_CHANNEL + "mine"):
            time.sleep(0.005)
    ends.tell("mine")


def test_without_a_server_nobody_hears_and_nothing_is_raised() -> None:
    with closing(RedisJobEnds(f"redis://127.0.0.1:{free_port()}/0")) as ends, ends.awaited("mine") as wait:
        ends.tell("mine")
        assert not wait(0.01)
