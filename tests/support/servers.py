"""Real servers for tests, started by the supervisor's own code, one each for a test session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from shoald.adapters.postgres.migrating import migrate
from shoald.supervisor.part import Part
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.valkey import ValkeyServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import RunningPart, start_part

# tests lose nothing when the machine loses power
_HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
_TEMPLATE = "template_shoal"
PASSWORD = "made-up"


@contextlib.contextmanager
def running(part: Part, folder: Path) -> Iterator[RunningPart]:
    """Run a part for as long as the block lasts; a part that does not start fails the test."""
    started = start_part(part, folder / f"{part.name}.log")
    try:
        started.wait_ready()
        yield started
    finally:
        started.stop()


@dataclass
class DatabaseMaker:
    """Makes fresh databases on one server, each a copy of a migrated template."""

    server: PostgresServer
    made: int = 0
    has_template: bool = False

    def make(self) -> str:
        """Return the URI of a fresh, migrated database."""
        if not self.has_template:
            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            migrate(self.server.url(_TEMPLATE))
            self.has_template = True
        self.made += 1
        name = f"test_{self.made}"
        # half the work of the default, which writes every page of the template to the log
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
        return self.server.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self._execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run a PostgreSQL in a folder."""
    server = PostgresServer(data=folder / "postgres", port=free_port(), password=PASSWORD, settings=_HASTY)
    with running(server.part(), folder):
        yield server


@contextlib.contextmanager
def valkey(folder: Path) -> Iterator[ValkeyServer]:
    """Run a Redis-compatible server in a folder."""
    server = ValkeyServer(data=folder / "valkey", port=free_port(), password=PASSWORD)
    with running(server.part(), folder):
        yield server
