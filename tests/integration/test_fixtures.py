from __future__ import annotations

import socket
import uuid

import psycopg
import pytest
import pytest_socket
import redis

from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration


def test_each_database_is_fresh_and_migrated(database_maker: DatabaseMaker) -> None:
    first, second = database_maker.make(), database_maker.make()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE only_here (n int)")
    with psycopg.connect(second) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert "alembic_version" in tables
    assert "only_here" not in tables
    database_maker.drop(first)
    database_maker.drop(second)


def test_redis_keeps_what_it_is_given(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    key = uuid.uuid4().hex
    client.set(key, "1")
    assert client.get(key) == b"1"
    client.close()


def test_the_network_is_out_of_reach() -> None:
    with (
        pytest.warns(UserWarning, match="tried to use socket"),
        pytest.raises(pytest_socket.SocketConnectBlockedError),
    ):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)
