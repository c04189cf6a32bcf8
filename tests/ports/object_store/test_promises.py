"""What every object store promises."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from shoald.application.ports.object_store import ObjectStore
from shoald.domain.failures import ArtifactNotFound, DataCorrupt


def test_an_object_comes_back_as_it_was_put(store: ObjectStore) -> None:
    stored = store.put("runs/1/centroids.parquet", b"abc")
    assert (stored.key, stored.size, stored.sha256) == (
        "runs/1/centroids.parquet",
        3,
        hashlib.sha256(b"abc").hexdigest(),
    )
    assert store.get(stored.key) == b"abc"
    assert store.size(stored.key) == 3
    assert store.exists(stored.key)


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    stored = store.put("empty", b"")
    assert store.get("empty") == b""
    assert list(store.stream("empty")) == []
    with store.local_copy("empty", stored.sha256) as path:
        assert Path(path).read_bytes() == b""


def test_a_written_object_is_named_by_its_content(store: ObjectStore) -> None:
    content = os.urandom(700_001)
    with store.open_writer() as writer:
        for at in range(0, len(content), 65_536):
            writer.write(content[at : at + 65_536])
        stored = writer.publish()
    digest = hashlib.sha256(content).hexdigest()
    assert stored.key == f"blobs/{digest[:2]}/{digest}"
    assert store.get(stored.key) == content


def test_nothing_is_there_before_publish_nor_after_leaving_without_it(store: ObjectStore) -> None:
    with store.open_writer() as writer:
        writer.write(b"half")
        assert list(store.list("")) == []
    with pytest.raises(ZeroDivisionError):
        _give_up_halfway(store)
    assert list(store.list("")) == []


def _give_up_halfway(store: ObjectStore) -> None:
    with store.open_writer() as writer:
        writer.write(b"half")
        raise ZeroDivisionError


def test_an_object_is_never_replaced(store: ObjectStore) -> None:
    store.put("once", b"first")
    store.put("once", b"again")
    assert store.get("once") == b"first"


def test_a_stream_gives_parts_of_the_size_asked_for(store: ObjectStore) -> None:
    content = os.urandom(100_000)
    store.put("parts", content)
    parts = list(store.stream("parts", part_size=30_000))
    assert [len(part) for part in parts] == [30_000, 30_000, 30_000, 10_000]
    assert b"".join(parts) == content
    assert b"".join(store.stream("parts", part_size=7, start=99_990)) == content[99_990:]
    assert b"".join(store.stream("parts", start=10, end=25)) == content[10:25]
    assert b"".join(store.stream("parts", start=99_999, end=200_000)) == content[99_999:]
    assert b"".join(store.stream("parts", start=100_000)) == b""


def test_a_missing_object_is_told_at_once(store: ObjectStore) -> None:
    with pytest.raises(ArtifactNotFound):
        store.get("none")
    with pytest.raises(ArtifactNotFound):
        store.size("none")
    with pytest.raises(ArtifactNotFound):
        store.stream("none")
    with pytest.raises(ArtifactNotFound), store.local_copy("none", "0" * 64):
        pass
    assert not store.exists("none")
    store.delete("none")


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.put("a/b", b"x")
    store.delete("a/b")
    assert not store.exists("a/b")


def test_a_listing_holds_what_is_below_the_prefix_only(store: ObjectStore) -> None:
    for key in ("a/1", "a/b/2", "ab/3", "c"):
        store.put(key, key.encode())
    assert {(found.key, found.size) for found in store.list("a/")} == {("a/1", 3), ("a/b/2", 5)}
    assert {found.key for found in store.list("")} == {"a/1", "a/b/2", "ab/3", "c"}


@pytest.mark.parametrize(
    "key", ["", "/a", "a//b", "../a", "a/../b", "a/.", ".partial/x", "a\0b", "a b", "ä", "a" * 600]
)
def test_a_key_that_the_server_cannot_have_made_names_nothing(store: ObjectStore, key: str) -> None:
    for call in (store.get, store.size, store.stream, store.uri):
        with pytest.raises(ArtifactNotFound):
            call(key)
    assert not store.exists(key)
    store.delete(key)
    with pytest.raises(ArtifactNotFound):
        store.put(key, b"x")


def test_a_uri_names_its_object_and_no_other_stores(store: ObjectStore) -> None:
    uri = store.uri("runs/1/x.parquet")
    assert store.key_of(uri) == "runs/1/x.parquet"
    for foreign in ("s3://elsewhere/runs/1", uri.replace("runs", "../runs"), "file:///etc/passwd", ""):
        with pytest.raises(ArtifactNotFound):
            store.key_of(foreign)


def test_a_local_copy_is_checked(store: ObjectStore) -> None:
    stored = store.put("copy", b"content")
    with store.local_copy("copy", stored.sha256) as path:
        assert Path(path).read_bytes() == b"content"
    with pytest.raises(DataCorrupt), store.local_copy("copy", "0" * 64):
        pass
    with store.local_copy("copy", stored.sha256) as path:
        assert Path(path).read_bytes() == b"content"


def test_an_object_larger_than_one_request_is_whole(store: ObjectStore) -> None:
    piece = os.urandom(1 << 20)
    with store.open_writer() as writer:
        for _ in range(34):
            writer.write(piece)
        stored = writer.publish("large")
    assert store.size("large") == 34 << 20
    with store.local_copy("large", stored.sha256) as path:
        assert Path(path).stat().st_size == 34 << 20
