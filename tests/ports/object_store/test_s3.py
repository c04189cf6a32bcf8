"""What only S3 has: links that the bucket serves, copies on local disk, a server that may not answer."""

from __future__ import annotations

import dataclasses
import os
import socket
import urllib.request
from pathlib import Path

import pytest

from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore
from shoald.domain.failures import ArtifactNotFound, DataCorrupt, Unavailable


def test_a_signed_link_gives_the_object_without_credentials(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_location, tmp_path)
    store.put("runs/1/x.parquet", b"rows")
    url = store.signed_url("runs/1/x.parquet", seconds=60, filename="x.parquet")
    assert url is not None
    assert "X-Amz-Signature" in url
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own test server
        assert answer.read() == b"rows"


def test_the_prefix_is_part_of_the_uri_and_of_no_key(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_location, tmp_path)
    store.put("runs/1", b"x")
    assert store.uri("runs/1") == f"s3://{s3_location.bucket}/some/where/runs/1"
    assert [found.key for found in store.list("runs")] == ["runs/1"]
    elsewhere = S3ObjectStore(dataclasses.replace(s3_location, prefix="other"), tmp_path)
    assert not elsewhere.exists("runs/1")
    with pytest.raises(ArtifactNotFound):
        elsewhere.key_of(store.uri("runs/1"))


def test_a_copy_is_fetched_once_and_a_damaged_one_again(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_location, tmp_path)
    stored = store.put("x", b"content")
    with store.local_copy("x", stored.sha256) as path:
        first = Path(path)
    Path(first).write_bytes(b"CONTENT")
    with pytest.raises(DataCorrupt), store.local_copy("x", stored.sha256):
        pass
    with store.local_copy("x", stored.sha256) as path:
        assert Path(path).read_bytes() == b"content"


def test_copies_make_room_for_each_other_unless_they_are_in_use(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3ObjectStore(s3_location, tmp_path, most_cached_bytes=250_000)
    held, idle, new = (store.put(f"o{n}", os.urandom(100_000)) for n in range(3))
    with store.local_copy(held.key, held.sha256) as held_path:
        with store.local_copy(idle.key, idle.sha256) as idle_path:
            pass
        with store.local_copy(new.key, new.sha256) as new_path:
            assert [Path(path).exists() for path in (held_path, idle_path, new_path)] == [True, False, True]


def test_a_store_that_does_not_answer_is_unavailable(s3_location: S3Location, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    store = S3ObjectStore(dataclasses.replace(s3_location, endpoint=nobody, timeout_seconds=1), tmp_path)
    for call in (lambda: store.get("x"), lambda: store.put("x", b"x"), lambda: list(store.list(""))):
        with pytest.raises(Unavailable):
            call()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_bucket_that_is_not_there_is_no_empty_store(s3_location: S3Location, tmp_path: Path) -> None:
    store = S3ObjectStore(dataclasses.replace(s3_location, bucket="never-made"), tmp_path)
    with pytest.raises((Unavailable, ArtifactNotFound)):
        store.put("x", b"x")
