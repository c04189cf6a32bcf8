"""A libpq URI goes in, a pooled SQLAlchemy engine whose connections give up in time comes out."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import sqlalchemy
import sqlalchemy.event
from psycopg.types.json import set_json_loads
from sqlalchemy import Engine
from sqlalchemy.pool import ConnectionPoolEntry

_CONNECT_SECONDS = 5
_IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseLimits:
    """How many connections one process holds, and how long each thing may take.

    `statement_seconds` bounds one statement, `lock_seconds` the wait for another's lock, `idle_seconds` a transaction
    in which nothing happens, `checkout_seconds` the wait for a free connection. 0 means no bound.
    """

    pool_size: int = 8
    statement_seconds: float = 60.0
    lock_seconds: float = 10.0
    idle_seconds: float = 120.0
    checkout_seconds: float = 5.0


def make_engine(database_url: str, limits: DatabaseLimits | None = None, *, application_name: str = "shoal") -> Engine:
    """Return an engine that connects at first use; a connection that died is replaced before it is lent."""
    limits = limits or DatabaseLimits()

    def connect() -> psycopg.Connection[tuple[object, ...]]:
        connection = psycopg.connect(
            database_url,
            connect_timeout=_CONNECT_SECONDS,
            application_name=application_name,
            options=_session_options(limits),
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )
        # SQLAlchemy leaves the driver's slow reader in place
        set_json_loads(orjson.loads, connection)
        return connection

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=limits.pool_size,
        max_overflow=0,
        pool_timeout=limits.checkout_seconds,
        pool_use_lifo=True,
        json_serializer=to_json_text,
        json_deserializer=orjson.loads,
    )
    sqlalchemy.event.listen(engine, "checkin", _note_time)
    sqlalchemy.event.listen(engine, "checkout", _refuse_what_is_dead)
    return engine


def _note_time(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _refuse_what_is_dead(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Make the pool take another connection when this one is broken.

    A round trip before every use would cost a quick read a tenth of its time, so it is done only when there is a
    reason: the server has said something unasked (it ends, or has ended), or the connection was idle for long.
    """
    idle_seconds = time.monotonic() - record.info.get("idle_since", time.monotonic())
    if connection.closed or ((idle_seconds > _IDLE_SECONDS or _has_news(connection)) and not _answers(connection)):
        raise sqlalchemy.exc.DisconnectionError


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.autocommit = True
        connection.execute("")
        connection.autocommit = False
    except psycopg.Error:
        return False
    return True


def to_json_text(value: object) -> str:
    """Return a JSON value as text for a jsonb column; mappings of any kind are objects."""
    return orjson.dumps(value, default=dict).decode()


def _session_options(limits: DatabaseLimits) -> str:
    milliseconds = {
        "statement_timeout": limits.statement_seconds,
        "lock_timeout": limits.lock_seconds,
        "idle_in_transaction_session_timeout": limits.idle_seconds,
    }
    # the locks of a process that was killed are given up at once, not when its statement is done
    milliseconds["client_connection_check_interval"] = 0.5
    settings = [f"-c {name}={round(seconds * 1000)}" for name, seconds in milliseconds.items()]
    return " ".join([*settings, "-c TimeZone=UTC"])
