"""Calls of each namespace are counted over all servers; a Redis that is away refuses nobody."""

from __future__ import annotations

import pytest

from shoald.adapters.redis_limits.call_limits import RedisCallLimits
from shoald.application.access import Access, Caller
from shoald.domain.failures import Busy
from shoald.supervisor.ports import free_port
from support.open_access import OPEN_ACCESS

pytestmark = pytest.mark.integration


def test_what_two_servers_let_in_together_is_limited(redis_url: str) -> None:
    servers = [RedisCallLimits(redis_url, calls_per_second=3, clock=lambda: 1000.5) for _ in range(2)]
    assert [servers[at % 2].is_too_much("ns_a") for at in range(5)] == [False, False, False, True, True]
    assert not servers[0].is_too_much("ns_b")
    for server in servers:
        server.close()


def test_the_next_second_counts_anew(redis_url: str) -> None:
    times = iter([2000.9, 2000.99, 2001.0])
    limits = RedisCallLimits(redis_url, calls_per_second=1, clock=lambda: next(times))
    assert [limits.is_too_much("ns_a") for _ in range(3)] == [False, True, False]
    limits.close()


def test_less_than_one_call_a_second_is_counted_over_longer(redis_url: str) -> None:
    times = iter([3000.0, 3009.9, 3010.0])
    limits = RedisCallLimits(redis_url, calls_per_second=0.1, clock=lambda: next(times))
    assert [limits.is_too_much("ns_a") for _ in range(3)] == [False, True, False]
    limits.close()


def test_a_redis_that_is_away_refuses_nobody() -> None:
    limits = RedisCallLimits(f"redis://127.0.0.1:{free_port()}/0", calls_per_second=1)
    assert not any(limits.is_too_much("ns_a") for _ in range(1000))
    limits.close()


def test_one_call_too_many_hears_when_to_come_again(redis_url: str) -> None:
    limits = RedisCallLimits(redis_url, calls_per_second=1, clock=lambda: 4000.0)
    access, caller = (
        Access(open_unit_of_work=OPEN_ACCESS._open_unit_of_work, limits=limits),
        Caller(namespace_id="ns_a"),
    )
    access.count(caller)
    with pytest.raises(Busy) as met:
        access.count(caller)
    assert met.value.retry_after_seconds > 0
    limits.close()
