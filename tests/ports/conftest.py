"""What suites of several ports need."""

from __future__ import annotations

import http.client
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shoald.adapters.object_store.s3 import S3Location
from shoald.supervisor.ports import free_port

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


@pytest.fixture(scope="session")
def seaweed_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """A SeaweedFS of its own; it comes with the nightly dependencies."""
    folder = tmp_path_factory.mktemp("seaweed")
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    words = [f"-{name}.port={port}" for name, port in ports.items()]
    # without the last ones its ports for gRPC are these plus 10000, and two others are fixed
    words += [f"-{name}.port.grpc={free_port()}" for name in ports] + [f"-s3.port.iceberg={free_port()}"]
    weed = Path(sys.executable).with_name("weed")
    command = [str(weed), "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-volume.max=500"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, "-master.volumeSizeLimitMB=64", *words], stdout=log, stderr=log)
    try:
        _wait_for_buckets("127.0.0.1", ports["s3"])
        yield "127.0.0.1", ports["s3"]
    finally:
        server.kill()
        server.wait()


def _wait_for_buckets(host: str, port: int) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            _make_bucket(host, port, "ready")
        except (OSError, http.client.HTTPException, AssertionError):
            assert time.monotonic() < deadline, "the S3 server did not become ready"
            time.sleep(0.2)
        else:
            return


def _make_bucket(host: str, port: int, bucket: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        anybody = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/s3/c"}
        connection.request("PUT", f"/{bucket}", headers=anybody)
        assert connection.getresponse().status == 200
    finally:
        connection.close()


@pytest.fixture
def s3_location(s3_address: tuple[str, int]) -> S3Location:
    return _location(*s3_address)


@pytest.fixture
def seaweed_location(seaweed_address: tuple[str, int]) -> S3Location:
    return _location(*seaweed_address)


def _location(host: str, port: int) -> S3Location:
    bucket = f"test-{uuid4().hex}"
    _make_bucket(host, port, bucket)
    return S3Location(
        bucket=bucket,
        prefix="some/where",
        endpoint=f"http://{host}:{port}",
        access_key_id="key",
        secret_access_key="secret",
        most_retries=1,
        timeout_seconds=5,
    )
