"""Connections to the PostgreSQL that holds vectors; what it refuses comes out as a failure with a name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy
from psycopg import errors
from sqlalchemy import Engine

from shoald.domain.failures import Broken, DataCorrupt, Failure, MissingDependency, StorageFull, Unavailable

SCHEMA = "shoal_vectors"
LEAST_VERSION = (0, 8)  # earlier ones stop looking before they have found as many as were asked for
Session = psycopg.Connection[Any]

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 60
_LOCK_SECONDS = 10
_CONNECTIONS = 8
_PREPARING_LOCK = 0x5601_1EC7
_MISSING = (
    "The PostgreSQL of SHOAL_PGVECTOR_URL has no extension `vector`, or this role may not create it: install pgvector"
    " and run CREATE EXTENSION vector there."
)


class Sessions:
    """A pool of connections to one database, which are opened when they are needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._is_prepared = False

    @contextmanager
    def searching(self) -> Iterator[Session]:
        """Lend a connection for one short transaction."""
        with _failures(), self._opened().connect() as connection:
            yield _driver(connection)

    @contextmanager
    def building(self) -> Iterator[Session]:
        """Lend a connection for a transaction that may last, committed at its end; the extension is there."""
        with _failures(), self._opened().connect() as connection:
            session = _driver(connection)
            self._prepare(session)
            session.execute("SET LOCAL statement_timeout = 0")
            yield session
            session.commit()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _prepare(self, session: Session) -> None:
        """Make the extension and our schema where they are missing; two who do it at once wait for each other."""
        if self._is_prepared:
            return
        session.execute("SELECT pg_advisory_xact_lock(%s)", (_PREPARING_LOCK,))
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        session.execute(f"CREATE EXTENSION IF NOT EXISTS vector SCHEMA {SCHEMA}")
        found = session.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        session.commit()
        _check_version(str(found[0]) if found else "")
        self._is_prepared = True

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = sqlalchemy.create_engine(
                    "postgresql+psycopg://",
                    creator=self._connect,
                    pool_size=_CONNECTIONS,
                    max_overflow=_CONNECTIONS,
                    pool_timeout=_CONNECT_SECONDS,
                    pool_pre_ping=True,
                    pool_use_lifo=True,
                )
            return self._engine

    def _connect(self) -> Session:
        options = {
            "search_path": f"{SCHEMA},public,extensions",  # where others may have put the extension
            "statement_timeout": f"{_STATEMENT_SECONDS}s",
            "lock_timeout": f"{_LOCK_SECONDS}s",
            "client_connection_check_interval": "500ms",  # whoever was killed computes no further
        }
        return psycopg.connect(
            self._url,
            connect_timeout=_CONNECT_SECONDS,
            application_name="shoal vectors",
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        )


def _check_version(found: str) -> None:
    numbers = tuple(int(part) for part in found.split(".") if part.isdecimal())
    if numbers < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        message = f"The extension `vector` is of version {found}, and {least} is needed: ALTER EXTENSION vector UPDATE."
        raise MissingDependency(message, detail={"extension": "vector", "found": found, "needed": least})


def _driver(connection: sqlalchemy.Connection) -> Session:
    session: Session = connection.connection.driver_connection  # type: ignore[assignment]
    return session


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Unavailable("The PostgreSQL of the vectors does not answer.") from error
    except psycopg.Error as error:
        raise _failure(error) from error


def _failure(error: psycopg.Error) -> Failure:
    if isinstance(error, errors.UndefinedTable):
        return DataCorrupt("The table of this build's vectors is gone: build the index again.")
    missing = (errors.FeatureNotSupported, errors.UndefinedFile, errors.InsufficientPrivilege, errors.UndefinedObject)
    if isinstance(error, missing):
        return MissingDependency(_MISSING, detail={"extension": "vector", "setting": "SHOAL_PGVECTOR_URL"})
    if isinstance(error, errors.DiskFull):
        return StorageFull("The disk of the PostgreSQL of the vectors is full.")
    if isinstance(error, psycopg.OperationalError):  # time-outs are of this kind too
        return Unavailable("The PostgreSQL of the vectors does not answer.")
    return Broken("PostgreSQL refuses.", detail={"sqlstate": error.sqlstate})
