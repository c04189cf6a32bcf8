"""What suites of several ports need."""

from __future__ import annotations

import http.client
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shoald.adapters.object_store.s3 import S3Location

_MEBIBYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB where we may mount one; else a limit of 4 MiB on the size of a file."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * _MEBIBYTE, limits[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    if not mounted.returncode:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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
