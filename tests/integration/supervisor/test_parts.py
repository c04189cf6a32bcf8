"""The servers' parts: what they keep through a crash, whom they obey, what they refuse."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from shoald.adapters.postgres.migrating import DatabaseOutOfReachError, migrate
from shoald.supervisor.parts import postgres as postgres_module
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.valkey import ValkeyServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import PartStartError
from support.servers import PASSWORD, running

pytestmark = pytest.mark.integration


def postgres_in(folder: Path) -> PostgresServer:
    return PostgresServer(data=folder / "postgres", port=free_port(), password=PASSWORD)


@pytest.fixture(scope="module")
def crashed_postgres(tmp_path_factory: pytest.TempPathFactory) -> PostgresServer:
    """A data directory with one committed row, whose server was killed."""
    folder = tmp_path_factory.mktemp("crashed")
    server = postgres_in(folder)
    with running(server.part(), folder) as started:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (1)")
        os.kill(started.pid, signal.SIGKILL)
        started.process.wait()
    return server


def test_postgres_keeps_what_was_committed_when_it_is_killed(crashed_postgres: PostgresServer) -> None:
    with (
        running(crashed_postgres.part(), crashed_postgres.data.parent),
        psycopg.connect(crashed_postgres.url("postgres")) as connection,
    ):
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)


def test_postgres_wants_the_password_and_keeps_its_files_to_itself(crashed_postgres: PostgresServer) -> None:
    assert stat.S_IMODE(crashed_postgres.data.stat().st_mode) == 0o700
    with running(crashed_postgres.part(), crashed_postgres.data.parent):
        wrong = crashed_postgres.url("postgres").replace(PASSWORD, "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_another_major_version_is_refused_in_words(tmp_path: Path) -> None:
    server = postgres_in(tmp_path)
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(PartStartError, match="made by PostgreSQL 12"):
        server.prepare()


def test_a_first_start_that_was_cut_short_starts_anew(tmp_path: Path) -> None:
    server = postgres_in(tmp_path)
    unfinished = tmp_path / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with running(server.part(), tmp_path), psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not unfinished.exists()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to be somebody else")
def test_where_namespaces_are_forbidden_root_runs_it_as_nobody(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "_way_of_not_being_root", lambda: ((), "nobody"))
    folder = open_folder / "installation"
    folder.mkdir(mode=0o700)
    server = postgres_in(folder)
    with pytest.raises(PartStartError, match="may not enter"):
        server.prepare()
    folder.chmod(0o711)
    with running(server.part(), folder) as started, psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert Path(f"/proc/{started.pid}").stat().st_uid == 65534


def test_valkey_keeps_what_it_was_given_when_it_is_killed(tmp_path: Path) -> None:
    server = ValkeyServer(data=tmp_path / "valkey", port=free_port(), password=PASSWORD)
    with running(server.part(), tmp_path) as started:
        with redis.Redis.from_url(server.url) as client:
            client.lpush("queue", *range(100))
        os.kill(started.pid, signal.SIGKILL)
        started.process.wait()
    with running(server.part(), tmp_path), redis.Redis.from_url(server.url) as client:
        assert client.llen("queue") == 100
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_valkey_wants_the_password_which_no_command_line_shows(tmp_path: Path) -> None:
    server = ValkeyServer(data=tmp_path / "valkey", port=free_port(), password=PASSWORD)
    with running(server.part(), tmp_path) as started:
        assert PASSWORD.encode() not in Path(f"/proc/{started.pid}/cmdline").read_bytes()
        with socket.create_connection(("127.0.0.1", server.port)) as stranger:
            stranger.sendall(b"GET secret\r\n")
            assert stranger.recv(64).startswith(b"-NOAUTH")


def test_many_may_migrate_at_once_and_the_database_is_made(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("migrated_at_once")
    errors: list[BaseException] = []

    def go() -> None:
        try:
            migrate(url)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with psycopg.connect(url) as connection:
        assert len(connection.execute("SELECT version_num FROM alembic_version").fetchall()) == 1


def test_a_database_that_never_comes_is_said_so() -> None:
    with pytest.raises(DatabaseOutOfReachError, match="cannot be reached"):
        migrate(f"postgresql://shoal@127.0.0.1:{free_port()}/shoal", wait_seconds=0.2)
