"""Calls of each namespace in each second, counted in Redis; a Redis that is away counts nothing and refuses nobody."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PREFIX = "shoal:calls:"
_PATIENCE_SECONDS = 0.05
_LEFT_ALONE_SECONDS = 3.0
_KEPT_SECONDS = 5


class RedisCallLimits:
    """`CallLimits` over one Redis: one round trip a call."""

    def __init__(self, url: str, *, calls_per_second: float, clock: Callable[[], float] = time.time) -> None:
        """Less than one a second is counted over as many seconds as make one."""
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._window = max(1.0, 1.0 / calls_per_second)
        self._most = calls_per_second * self._window
        self._clock = clock
        self._alone_until = 0.0

    def is_too_much(self, namespace_id: str) -> bool:
        """Count a call, and compare."""
        if time.monotonic() < self._alone_until:
            return False
        key = f"{_PREFIX}{namespace_id}:{int(self._clock() / self._window)}"
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, int(self._window) + _KEPT_SECONDS)
                counted = int(pipeline.execute()[0])
        except redis.RedisError:
            self._alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
            return False
        return counted > self._most

    def close(self) -> None:
        """Close its connections."""
        self._redis.close()
