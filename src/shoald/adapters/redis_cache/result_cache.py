"""Search results in Redis, with short timeouts: a Redis that is away or slow is left alone for a while.

What is too large to go there and back in a moment is remembered by this process, which most often is asked again.
Nobody waits until Redis has taken a result in.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PREFIX = "shoal:results:"
_PATIENCE_SECONDS = 0.1
_LEFT_ALONE_SECONDS = 3.0
_LARGEST_SENT = 1 << 20
_MOST_REMEMBERED = 64 << 20


class RedisResultCache:
    """`ResultCache` over one Redis."""

    def __init__(self, url: str, *, keep_seconds: int = 300) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._telling = _Telling(self._redis)
        self._keep_seconds = keep_seconds
        self._alone_until = 0.0
        self._large = _LargeResults(keep_seconds)

    def get(self, key: str) -> bytes | None:
        """Look at what is remembered, then ask Redis, unless it failed a moment ago."""
        large = self._large.get(key)
        if large is not None:
            return large
        if time.monotonic() < self._alone_until:
            return None
        try:
            found = self._redis.get(_PREFIX + key)
        except redis.RedisError:
            self._leave_alone()
            return None
        return found if isinstance(found, bytes) else None

    def put(self, key: str, value: bytes) -> None:
        """Tell Redis, unless it failed a moment ago, or remember what is large."""
        if len(value) > _LARGEST_SENT:
            self._large.put(key, value)
            return
        if time.monotonic() < self._alone_until:
            return
        try:
            if not self._telling.tell("SET", _PREFIX + key, value, "EX", self._keep_seconds):
                self._redis.set(_PREFIX + key, value, ex=self._keep_seconds)
        except redis.RedisError:
            self._leave_alone()

    def close(self) -> None:
        """Close the connections."""
        self._telling.close()
        self._redis.close()

    def _leave_alone(self) -> None:
        self._alone_until = time.monotonic() + _LEFT_ALONE_SECONDS


class _Telling:
    """Sends commands on a connection of its own; the answer to one is read before the next is sent: it is there."""

    def __init__(self, client: redis.Redis) -> None:
        self._connection: Any = client.connection_pool.make_connection()
        self._lock = threading.Lock()
        self._is_owed_an_answer = False

    def tell(self, *command: str | bytes | int) -> bool:
        """Send a command; False where that was not possible at once, or the one before it failed."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._is_owed_an_answer:
                self._connection.read_response()
                if self._connection.can_read():  # nothing is owed any more: it is the end
                    self._forget()
                    return False
            self._connection.send_command(*command)
            self._is_owed_an_answer = True
        except redis.RedisError:
            self._forget()
            return False
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """Close the connection; what was sent may be lost."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._is_owed_an_answer = False
        self._connection.disconnect()


class _LargeResults:
    """The large results that were put last, up to 64 MiB together."""

    def __init__(self, keep_seconds: int) -> None:
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            until, value = self._kept.get(key, (0.0, b""))
        return value if time.monotonic() < until else None

    def put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (time.monotonic() + self._keep_seconds, value)
            while self._kept and sum(len(kept) for _, kept in self._kept.values()) > _MOST_REMEMBERED:
                self._kept.popitem(last=False)
