"""Brings a database to the newest schema; any number of processes may ask for it at once."""

from __future__ import annotations

import time
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

_LOCK_KEY = 0x53484F414C  # "SHOAL": the advisory lock that lets one process migrate at a time
_POLL_SECONDS = 0.1


def alchemy_url(database_url: str) -> str:
    """Turn a libpq URI into SQLAlchemy's form, which names the driver.

    >>> alchemy_url("postgresql://shoal@127.0.0.1:5432/shoal")
    'postgresql+psycopg://shoal@127.0.0.1:5432/shoal'
    """
    scheme, separator, rest = database_url.partition("://")
    if scheme in {"postgres", "postgresql"}:
        scheme = "postgresql+psycopg"
    return scheme + separator + rest


def configuration(connection: Connection | None = None) -> alembic.config.Config:
    """Return Alembic's configuration, which lives in code: there is no ini file to lose."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def migrate(database_url: str, *, revision: str = "head", wait_seconds: float = 60.0) -> None:
    """Upgrade the database to `revision`, waiting for a server that is not up yet.

    An advisory lock makes concurrent calls queue up; the later ones find nothing to do.
    """
    engine = sqlalchemy.create_engine(alchemy_url(database_url), poolclass=sqlalchemy.NullPool)
    with _connect(engine, wait_seconds) as connection, connection.begin():
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        alembic.command.upgrade(configuration(connection), revision)
    engine.dispose()


def _connect(engine: Engine, wait_seconds: float) -> Connection:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return engine.connect()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
