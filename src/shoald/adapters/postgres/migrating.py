"""Brings a database to the newest schema; any number of processes may ask for it at once."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import alembic.command
import alembic.config
import psycopg
import sqlalchemy
from psycopg import sql

_LOCK_KEY = 0x53484F414C  # "SHOAL": the advisory lock that lets one process migrate at a time
_POLL_SECONDS = 0.1


class DatabaseOutOfReachError(RuntimeError):
    """PostgreSQL did not answer in time; the message says what it last said."""


def configuration(connection: sqlalchemy.Connection | None = None) -> alembic.config.Config:
    """Return Alembic's configuration, which lives in code: there is no ini file to lose."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def migrate(database_url: str, *, revision: str = "head", wait_seconds: float = 60.0) -> None:
    """Upgrade the database to `revision`, making it if need be and waiting for a server that is not up yet.

    An advisory lock makes concurrent calls queue up; the later ones find nothing to do.
    """
    _make_database(database_url, time.monotonic() + wait_seconds)
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection, connection.begin():
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        alembic.command.upgrade(configuration(connection), revision)
    engine.dispose()


def _make_database(database_url: str, deadline: float) -> None:
    """Connect to the database, and make it when the server says that there is none."""
    while True:
        try:
            psycopg.connect(database_url).close()
        except psycopg.OperationalError as error:
            if "does not exist" in str(error):
                _create(database_url)
            elif time.monotonic() > deadline:
                raise DatabaseOutOfReachError(f"PostgreSQL cannot be reached: {error}") from error
            else:
                time.sleep(_POLL_SECONDS)
        else:
            return


def _create(database_url: str) -> None:
    parts = urlsplit(database_url)
    name = unquote(parts.path.lstrip("/"))
    with (
        contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation),  # another was quicker
        psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection,
    ):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
