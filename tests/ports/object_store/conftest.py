"""The object stores that keep the same promises: in memory, in a directory, in S3 (moto's server, over real HTTP)."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore
from shoald.application.ports.object_store import ObjectStore
from support.fakes.object_store import MemoryObjectStore


@pytest.fixture(scope="session")
def s3_address() -> Iterator[tuple[str, int]]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def s3_location(s3_address: tuple[str, int]) -> S3Location:
    host, port = s3_address
    bucket = f"test-{uuid4().hex}"
    connection = http.client.HTTPConnection(host, port)
    connection.request("PUT", f"/{bucket}", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/s3/c"})
    assert connection.getresponse().status == 200
    connection.close()
    return S3Location(
        bucket=bucket,
        prefix="some/where",
        endpoint=f"http://{host}:{port}",
        access_key_id="key",
        secret_access_key="secret",
        most_retries=1,
        timeout_seconds=5,
    )


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryObjectStore()
    if request.param == "local":
        return LocalObjectStore(tmp_path / "objects")
    return S3ObjectStore(request.getfixturevalue("s3_location"), tmp_path / "cache")
