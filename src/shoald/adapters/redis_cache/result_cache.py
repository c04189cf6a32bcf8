"""Search results in Redis, with short timeouts: a Redis that is away or slow is left alone for a while."""

from __future__ import annotations

import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PREFIX = "shoal:results:"
_PATIENCE_SECONDS = 0.1
_LEFT_ALONE_SECONDS = 3.0


class RedisResultCache:
    """`ResultCache` over one Redis."""

    def __init__(self, url: str, *, keep_seconds: int = 300) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._keep_seconds = keep_seconds
        self._alone_until = 0.0

    def get(self, key: str) -> bytes | None:
        """Ask Redis, unless it failed a moment ago."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            found = self._redis.get(_PREFIX + key)
        except redis.RedisError:
            self._leave_alone()
            return None
        return found if isinstance(found, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Tell Redis, unless it failed a moment ago."""
        if time.monotonic() < self._alone_until:
            return
        try:
            self._redis.set(_PREFIX + key, value, ex=self._keep_seconds)
        except redis.RedisError:
            self._leave_alone()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _leave_alone(self) -> None:
        self._alone_until = time.monotonic() + _LEFT_ALONE_SECONDS
