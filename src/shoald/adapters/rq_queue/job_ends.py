"""Tells of ended jobs through Redis: whoever waits for one hears of it at once, and asks PostgreSQL how it ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from redis.client import PubSub

from shoald.adapters.rq_queue.connecting import connect

_CHANNEL = "shoal:ended:"
_CONNECT_SECONDS = 0.1
_ANSWER_SECONDS = 0.12


class RedisJobEnds:
    """`JobEnds` over one Redis; while that is away, or hangs, whoever waits hears nothing."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url, connect_seconds=_CONNECT_SECONDS, answer_seconds=_ANSWER_SECONDS)

    def tell(self, job_id: str) -> None:
        """Publish the id's own channel."""
        with contextlib.suppress(redis.RedisError, OSError):
            self._connection.publish(_CHANNEL + job_id, b"")

    @contextmanager
    def awaited(self, job_id: str) -> Iterator[Callable[[float], bool]]:
        """Listen on a connection of this wait's own."""
        with PubSub(self._connection.connection_pool, ignore_subscribe_messages=True) as channel:
            with contextlib.suppress(redis.RedisError, OSError):
                channel.subscribe(_CHANNEL + job_id)
                channel.get_message(timeout=_ANSWER_SECONDS)  # the word that it listens
            yield lambda seconds: _wait(channel, seconds)

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()


def _wait(channel: PubSub, seconds: float) -> bool:
    until = time.monotonic() + seconds
    with contextlib.suppress(redis.RedisError, OSError, RuntimeError):  # the last one says that it could not subscribe
        # also the word that it listens, late or after a new connection, wakes it
        while channel.subscribed and (left := until - time.monotonic()) > 0:
            if channel.get_message(timeout=left) is not None:
                return True
    time.sleep(max(0.0, until - time.monotonic()))
    return False
