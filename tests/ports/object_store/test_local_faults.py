"""A directory as object store under what disks and processes do: no room, kills, lost bytes."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shoald.adapters.object_store.local import LocalObjectStore
from shoald.domain.failures import DataCorrupt, StorageFull

_MEBIBYTE = 1 << 20

_WRITER = """
import sys
from pathlib import Path
from shoald.adapters.object_store.local import LocalObjectStore
store = LocalObjectStore(Path(sys.argv[1]))
for number in range(10_000):
    store.put(f"runs/{number}", bytes([number % 251]) * 300_000)
    if number == 0:
        print("ready", flush=True)
"""


def test_a_full_disk_is_named_and_leaves_what_was_there(small_disk: Path) -> None:
    store = LocalObjectStore(small_disk / "objects")
    store.put("old", b"o" * _MEBIBYTE)
    with pytest.raises(StorageFull):
        _write(store, "new", mebibytes=8)
    assert store.get("old") == b"o" * _MEBIBYTE
    assert [found.key for found in store.list("")] == ["old"]
    assert list((small_disk / "objects" / ".partial").iterdir()) == []
    store.put("small", b"there is room for this one")


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.nightly)])
def test_a_killed_writer_leaves_whole_objects_only(tmp_path: Path, kills: int) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store = LocalObjectStore(tmp_path)
    seen = 0
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.02, 0.15))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        for found in store.list("runs/"):
            number = int(found.key.removeprefix("runs/"))
            assert store.get(found.key) == bytes([number % 251]) * 300_000
            seen += 1
    assert seen > 0


def test_what_killed_writers_left_is_removed_an_hour_later(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path).put("a", b"a")
    fresh, stale = tmp_path / ".partial" / "fresh", tmp_path / ".partial" / "stale"
    for path in (fresh, stale):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 3700, time.time() - 3700))
    LocalObjectStore(tmp_path).put("b", b"b")
    assert fresh.exists()
    assert not stale.exists()


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    stored = store.put("rot", random.Random(1).randbytes(10_000))
    chance = random.Random(2)
    for _ in range(60):
        at, bit = chance.randrange(10_000), 1 << chance.randrange(8)
        _flip(tmp_path / "rot", at, bit)
        with pytest.raises(DataCorrupt), store.local_copy("rot", stored.sha256):
            pass
        _flip(tmp_path / "rot", at, bit)
    with store.local_copy("rot", stored.sha256):
        pass


def test_content_that_lost_its_end_is_healed_by_storing_it_again(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    with store.open_writer() as writer:
        writer.write(b"content")
        key = writer.publish().key
    os.truncate(tmp_path / key, 3)
    with store.open_writer() as writer:
        writer.write(b"content")
        writer.publish()
    with store.local_copy(key, hashlib.sha256(b"content").hexdigest()) as path:
        assert Path(path).read_bytes() == b"content"


def test_two_writers_of_the_same_content_agree(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    with store.open_writer() as first, store.open_writer() as second:
        first.write(b"same")
        second.write(b"same")
        assert first.publish() == second.publish()
    assert len(list(store.list(""))) == 1


def _write(store: LocalObjectStore, key: str, *, mebibytes: int) -> None:
    with store.open_writer() as writer:
        for _ in range(mebibytes):
            writer.write(os.urandom(_MEBIBYTE))
        writer.publish(key)


def _flip(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([old ^ bit]))
