"""The client of Shoal: `with connect("http://127.0.0.1:8000") as shoal: ...`, and `connect_async` for asyncio.

What comes in and goes out are the messages of `shoal.rag.v1` and `shoal.clusters.v1`; failures are `ShoalError`s.
"""

from __future__ import annotations

from shoal.client.aio import AsyncConnection, connect_async
from shoal.client.columns import AsyncColumns, Columns, vectors_table
from shoal.client.connection import Connection, connect
from shoal.client.errors import (
    AlreadyExists,
    Busy,
    Canceled,
    Conflict,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    JobFailed,
    NotFound,
    PermissionDenied,
    ServerFailed,
    ShoalError,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from shoal.client.files import HashMismatch
from shoal.client.jobs import Progress
from shoal.client.settings import VERSION, Settings

__version__ = VERSION
__all__ = [
    "AlreadyExists",
    "AsyncColumns",
    "AsyncConnection",
    "Busy",
    "Canceled",
    "Columns",
    "Conflict",
    "Connection",
    "DeadlineExceeded",
    "FieldViolation",
    "HashMismatch",
    "InvalidRequest",
    "JobFailed",
    "NotFound",
    "PermissionDenied",
    "Progress",
    "ServerFailed",
    "Settings",
    "ShoalError",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "connect",
    "connect_async",
    "vectors_table",
]
