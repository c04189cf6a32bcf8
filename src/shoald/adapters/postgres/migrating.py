"""Brings a database to the newest schema; any number of processes may ask for it at once."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    import alembic.config
    import sqlalchemy

_LOCK_KEY = 0x53484F414C  # "SHOAL": the advisory lock that lets one process migrate at a time
_POLL_SECONDS = 0.1
_RIGHTS = (
    "This database user may not migrate: {said}. It must own the database, and either have CREATEROLE or be a member of"
    " the role shoal_tenant that an administrator made: CREATE ROLE shoal_tenant NOLOGIN; GRANT shoal_tenant TO USER;"
)
_SCRIPTS = Path(__file__).with_name("migrations")
_REVISION = re.compile(r"^(revision|down_revision)[^=\n]*= *['\"]([^'\"]+)['\"]", re.MULTILINE)


class DatabaseOutOfReachError(RuntimeError):
    """PostgreSQL did not answer in time; the message says what it last said."""


class MissingRightsError(RuntimeError):
    """The database user may not do what migrating needs; the message says what would help."""


def configuration(connection: sqlalchemy.Connection | None = None) -> alembic.config.Config:
    """Return Alembic's configuration, which lives in code: there is no ini file to lose."""
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """Return the revision that no other follows, read from the scripts' text: their imports take a second."""
    named: list[dict[str, str]] = [
        dict(_REVISION.findall(script.read_text())) for script in (_SCRIPTS / "versions").glob("*.py")
    ]
    followed = {found.get("down_revision") for found in named}
    (newest,) = {found["revision"] for found in named if "revision" in found} - followed
    return newest


def migrate(database_url: str, *, revision: str = "head", wait_seconds: float = 60.0) -> None:
    """Upgrade the database to `revision`, making it if need be and waiting for a server that is not up yet.

    An advisory lock makes concurrent calls queue up; the later ones find nothing to do. Raises
    `DatabaseOutOfReachError` and `MissingRightsError`.
    """
    _make_database(database_url, time.monotonic() + wait_seconds)
    if current_revision(database_url) != (newest_revision() if revision == "head" else revision):
        _upgrade(database_url, revision)


def current_revision(database_url: str) -> str | None:
    """Return the revision of the database's schema, or None when it has none."""
    with psycopg.connect(database_url) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return str(row[0]) if row else None


def _upgrade(database_url: str, revision: str) -> None:
    import alembic.command
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection, connection.begin():
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        with _rights_explained():
            alembic.command.upgrade(configuration(connection), revision)
    engine.dispose()


@contextlib.contextmanager
def _rights_explained() -> Iterator[None]:
    import sqlalchemy.exc

    try:
        yield
    except (psycopg.errors.InsufficientPrivilege, sqlalchemy.exc.ProgrammingError) as error:
        cause = error.orig if isinstance(error, sqlalchemy.exc.ProgrammingError) else error
        if not isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise
        raise MissingRightsError(_RIGHTS.format(said=cause.diag.message_primary)) from error


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
