"""A Redis URL goes in, a client that gives up in time and never repeats a command by itself comes out."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE_PREFIX = "shoal-"


def connect(url: str, *, connect_seconds: float, answer_seconds: float) -> redis.Redis:
    """Return a client that connects at first use.

    redis-py repeats a command ten times by default: a repeated enqueue is a duplicate, and a hung server would hold a
    call for a minute.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=connect_seconds,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 0),
        client_name="shoal",
    )
