"""Who a connection works for: a caller goes in, a session that sees that caller's rows and no others comes out."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import Connection

from shoald.application.access import Caller

TENANT = "shoal_tenant"
"""The role that row-level security binds; migration 0005 makes it."""
_ALL = "*"
_KEY = "identity"
_BECOME = (
    b"SELECT set_config('role', $1, false), set_config('shoal.namespace', $2, false),"
    b" set_config('shoal.reach', $3, false), set_config('shoal.projects', $4, false)"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a session is set to; migration 0005 says what the words mean."""

    role: str = TENANT
    namespace: str = ""
    reach: str = ""
    projects: str = ""


SYSTEM = Identity("none")
"""The login role, which owns the tables: migrations, workers, schedulers, and what is about all namespaces."""
NOBODY = Identity()
"""Sees nothing."""


def identity_of(caller: Caller) -> Identity:
    """Return the identity of a caller."""
    return Identity(
        namespace=caller.namespace_id,
        reach=",".join(caller.reach) or _ALL,
        projects=",".join(caller.project_ids) or _ALL,
    )


def become(connection: Connection, identity: Identity) -> None:
    """Set the session of a connection that is in no transaction; costs a round trip when it was somebody else's.

    Outside a transaction, so that no rollback takes it back, and reads that need no transaction need none for this.
    """
    if connection.info.get(_KEY, SYSTEM) == identity:
        return
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    connection.info.pop(_KEY, None)
    done = driver.pgconn.exec_params(_BECOME, [word.encode() for word in astuple(identity)])
    if done.status != ExecStatus.TUPLES_OK:
        connection.invalidate()
        raise psycopg.OperationalError(done.error_message.decode(errors="replace"))
    connection.info[_KEY] = identity
