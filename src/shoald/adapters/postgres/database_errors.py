"""What the driver raises goes in, the failure that a caller can act on comes out."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import psycopg.errors
import sqlalchemy.exc

from shoald.domain.failures import (
    Busy,
    Conflict,
    DeadlineExceeded,
    Failure,
    InvalidFields,
    NotFound,
    StorageFull,
    Unavailable,
)

_NUL = "text must not contain NUL characters"

# the first line whose errors contain the one at hand decides
_MEANINGS: tuple[tuple[tuple[type[psycopg.Error], ...], Callable[[], Failure]], ...] = (
    ((psycopg.errors.DiskFull,), lambda: StorageFull("The database has no room left.")),
    ((psycopg.errors.QueryCanceled,), lambda: DeadlineExceeded("The database did not answer in time.")),
    (
        (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable),
        lambda: Unavailable("Another call is changing the same thing; try again."),
    ),
    # row-level security refuses to write below what the caller cannot see, and to touch tables of the system
    ((psycopg.errors.InsufficientPrivilege,), lambda: NotFound("There is no such thing in this namespace.")),
    ((psycopg.errors.UniqueViolation,), lambda: Conflict("There is one of these already.")),
    ((psycopg.errors.ForeignKeyViolation,), lambda: Conflict("What this belongs to was removed in the meantime.")),
    (
        (psycopg.errors.UntranslatableCharacter, psycopg.errors.CharacterNotInRepertoire),
        lambda: InvalidFields.field("body", message=_NUL),
    ),
    # a server that went away, refuses to start a session, or is shutting down has no class of its own
    (
        (psycopg.OperationalError, psycopg.InterfaceError),
        lambda: Unavailable("The database is not available; try again."),
    ),
)


def failure_of(error: BaseException) -> Failure | None:
    """Return the failure that a database error means, or None for one that nobody foresaw (a fault of ours)."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return Busy("All database connections are in use; try again shortly.")
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    return _of_driver(cause) if isinstance(cause, psycopg.Error) else None


def _of_driver(error: psycopg.Error) -> Failure | None:
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return InvalidFields.field("body", message=_NUL)
    return next((failure() for kinds, failure in _MEANINGS if isinstance(error, kinds)), None)
