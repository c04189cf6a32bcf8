"""Fixtures and rules for all tests: real servers where a server is needed, no network but loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from shoald.supervisor.parts.postgres import PostgresServer
from support import servers
from support.servers import DatabaseMaker
from support.stack import Stack, running_stack

# how long an example takes says something of the machine, not of what is tested
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the long forms too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--nightly"):
        _leave_out_long_forms(config, items)
    # what stops and kills servers comes last
    items.sort(key=lambda item: item.path.is_relative_to(_ACCEPTANCE))


_ACCEPTANCE = Path(__file__).with_name("acceptance")


@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal tests so that servers start once, but long forms one by one: a group of them would go on for an hour."""
    if config.getvalue("dist") != "loadgroup" or config.getoption("--nightly"):
        return None
    from support.dealing import SharedServers

    return SharedServers(config, log)


def _leave_out_long_forms(config: pytest.Config, items: list[pytest.Item]) -> None:
    long = [item for item in items if item.get_closest_marker("nightly")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real PostgreSQL for the session."""
    with servers.postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The libpq URI of an empty database on the session's server."""
    return postgres_server.url("postgres")


@pytest.fixture(scope="session")
def database_maker(postgres_server: PostgresServer) -> DatabaseMaker:
    """Makes as many databases as a test needs."""
    return DatabaseMaker(postgres_server)


@pytest.fixture
def postgres_database(database_maker: DatabaseMaker) -> Iterator[str]:
    """The libpq URI of a fresh database with all migrations applied; gone after the test."""
    url = database_maker.make()
    yield url
    database_maker.drop(url)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis-compatible server for the session."""
    with servers.valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory of an installation."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session")
def shoal_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole running installation for the session, shared by golden and acceptance tests: use your own namespace."""
    with running_stack(tmp_path_factory.mktemp("shoal") / "data") as stack:
        yield stack
