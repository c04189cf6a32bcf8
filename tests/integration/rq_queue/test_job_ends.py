"""The word that a job has ended, through a real server, and without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from shoald.adapters.rq_queue.job_ends import RedisJobEnds
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


def test_without_a_server_nobody_hears_and_nothing_is_raised() -> None:
    with closing(RedisJobEnds(f"redis://127.0.0.1:{free_port()}/0")) as ends, ends.awaited("mine") as wait:
        ends.tell("mine")
        assert not wait(0.01)
