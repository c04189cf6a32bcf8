from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from shoald.adapters.redis_cache.result_cache import RedisResultCache
from shoald.supervisor.ports import free_port

pytestmark = pytest.mark.integration


def test_what_was_put_is_found_until_its_time_is_over(redis_url: str) -> None:
    cache = RedisResultCache(redis_url, keep_seconds=1)
    cache.put("a", b"1")
    assert cache.get("a") == b"1"
    assert cache.get("b") is None
    time.sleep(1.1)
    assert cache.get("a") is None
    cache.close()


def test_nobody_waits_until_redis_has_taken_a_result_in(redis_url: str) -> None:
    cache, administrator = RedisResultCache(redis_url), redis.Redis.from_url(redis_url)
    cache.put("a", b"1")
    administrator.client_pause(10_000, all=False)  # who writes waits, who reads does not
    try:
        cache.put("b", b"2")
        assert cache.get("a") == b"1"  # it was not given up
    finally:
        administrator.client_unpause()
    cache.put("c", b"3")
    assert [cache.get(key) for key in "abc"] == [b"1", b"2", b"3"]
    cache.close()
    administrator.close()


def test_a_connection_that_redis_closed_is_replaced(redis_url: str) -> None:
    cache = RedisResultCache(f"{redis_url}?client_name=to-be-closed")
    cache.put("a", b"1")
    administrator = redis.Redis.from_url(redis_url)
    while mine := [client for client in administrator.client_list() if client["name"] == "to-be-closed"]:
        for client in mine:
            administrator.client_kill_filter(_id=client["id"])
    for key in "bcd":
        cache.put(key, b"2")
        assert cache.get(key) == b"2"
    cache.close()
    administrator.close()


def test_a_redis_that_is_away_costs_nothing_after_the_first_try(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    connect: Callable[[redis.Connection], None] = redis.Connection.connect

    def counted(connection: redis.Connection) -> None:
        tried.append(connection)
        connect(connection)

    monkeypatch.setattr(redis.Connection, "connect", counted)
    cache = RedisResultCache(f"redis://127.0.0.1:{free_port()}/0")
    for _ in range(100):
        cache.put("a", b"1")
        assert cache.get("a") is None
    assert 1 <= len(tried) < 10, "one each time that it has been left alone for three seconds"
    cache.close()


def test_what_is_too_large_for_redis_is_remembered_here(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "shoald.adapters.redis_cache.result_cache"
    monkeypatch.setattr(f"{module}._LARGEST_SENT", 10)
    monkeypatch.setattr(f"{module}._MOST_REMEMBERED", 50)
    cache, other = RedisResultCache(redis_url, keep_seconds=1), RedisResultCache(redis_url)
    for key in "abc":
        cache.put(f"large {key}", key.encode() * 20)
    assert [cache.get(f"large {key}") for key in "abc"] == [None, b"b" * 20, b"c" * 20]
    assert other.get("large c") is None
    time.sleep(1.1)
    assert cache.get("large c") is None
    for one in (cache, other):
        one.close()
