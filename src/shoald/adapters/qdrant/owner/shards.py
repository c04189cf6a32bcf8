"""Keeps the shards below one directory: one collection each, opened when needed, closed when others are needed more."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qdrant_edge import CountRequest, Distance, EdgeConfig, EdgeShard, EdgeVectorParams

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_FLUSH_SECONDS = 5.0
# The engine writes into files mapped into memory: where the disk is full that ends the process, not the call.
_SPARE_BYTES = 128 << 20


class AlreadyOwnedError(Exception):
    """Another process owns this directory."""


class NoSuchCollectionError(Exception):
    """There is no collection of that name."""


class CollectionExistsError(Exception):
    """There is a collection of that name already."""


class BadCollectionNameError(Exception):
    """A collection cannot have that name."""


class NoRoomError(Exception):
    """The disk has too little room left to write."""


class _Open:
    """An open shard, who uses it now, and whether anything was written since its last flush."""

    def __init__(self, shard: EdgeShard) -> None:
        self.shard = shard
        self.users = 0
        self.is_dirty = False


class Shards:
    """The shards of one directory. Every method may be called from any thread.

    A shard is made beside and renamed when it is whole; it is removed by renaming it first. So a process that is
    killed leaves collections that are there or not there. Writes are in the shard's log before they are answered, and
    on the disk a few seconds later.
    """

    def __init__(self, root: Path, *, most_open: int = 64) -> None:
        self._root = root
        self._collections = root / "collections"
        self._new, self._trash = root / "new", root / "trash"
        self._most_open = most_open
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._removing: set[str] = set()
        self._collections.mkdir(parents=True, exist_ok=True)
        self._owning = _own(root / "owner.lock")
        for leftover in (self._new, self._trash):
            shutil.rmtree(leftover, ignore_errors=True)
            leftover.mkdir()
        self._closed = threading.Event()
        self._flusher = threading.Thread(target=self._flush_now_and_then, name="flush", daemon=True)
        self._flusher.start()

    def create(self, name: str, *, dimension: int, distance: Distance) -> None:
        """Make an empty collection."""
        self.check_room()
        path = self._path(name)
        draft = self._new / secrets.token_hex(8)
        EdgeShard.create(str(draft), EdgeConfig(vectors=EdgeVectorParams(size=dimension, distance=distance))).close()
        with self._lock:
            if path.exists() or name in self._removing:
                shutil.rmtree(draft)
                raise CollectionExistsError(name)
            draft.rename(path)
        _sync(self._collections)

    def remove(self, name: str) -> bool:
        """Remove a collection once those who use it now are done; says whether there was one."""
        path = self._path(name)
        with self._lock:
            if name in self._removing or not path.exists():
                return False
            self._removing.add(name)
            while (known := self._open.get(name)) and known.users:
                self._left.wait()
            self._close(name)
            trash = self._trash / secrets.token_hex(8)
            path.rename(trash)
            self._removing.discard(name)
        _sync(self._collections)
        shutil.rmtree(trash, ignore_errors=True)
        return True

    def exists(self, name: str) -> bool:
        """Say whether there is a collection of that name."""
        return name not in self._removing and self._path(name).exists()

    def names(self) -> list[str]:
        """Return the names of all collections."""
        return sorted(path.name for path in self._collections.iterdir() if path.name not in self._removing)

    @contextmanager
    def using(self, name: str, *, writing: bool = False) -> Iterator[EdgeShard]:
        """Lend a shard, which stays open meanwhile."""
        known = self._take(name)
        try:
            known.is_dirty |= writing
            yield known.shard
        finally:
            known.is_dirty |= writing
            self._leave(known)

    def check_room(self) -> None:
        """Raise `NoRoomError` when writing might fill the disk."""
        disk = os.statvfs(self._root)
        if disk.f_bavail * disk.f_frsize < _SPARE_BYTES:
            raise NoRoomError

    def close(self) -> None:
        """Flush and close everything, and give the directory up."""
        self._closed.set()
        self._flusher.join()
        with self._lock:
            while any(known.users for known in self._open.values()):
                self._left.wait()
            for name in list(self._open):
                self._close(name)
        os.close(self._owning)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadCollectionNameError(name)
        return self._collections / name

    def _take(self, name: str) -> _Open:
        path = self._path(name)
        with self._lock:
            if name in self._removing or not path.exists():
                raise NoSuchCollectionError(name)
            known = self._open.get(name)
            if known is None:
                self._make_room()
                known = self._open[name] = _Open(EdgeShard.load(str(path)))
            known.users += 1
            self._open.move_to_end(name)
            return known

    def _leave(self, known: _Open) -> None:
        with self._lock:
            known.users -= 1
            self._left.notify_all()

    def _make_room(self) -> None:
        idle = [name for name, known in self._open.items() if not known.users]
        for name in idle[: max(0, len(self._open) + 1 - self._most_open)]:
            self._close(name)

    def _close(self, name: str) -> None:
        known = self._open.pop(name, None)
        if known is not None:
            known.shard.close()  # flushes first

    def _flush_now_and_then(self) -> None:
        while not self._closed.wait(_FLUSH_SECONDS):
            with self._lock:
                dirty = [name for name, known in self._open.items() if known.is_dirty]
            for name in dirty:
                self._flush(name)

    def _flush(self, name: str) -> None:
        try:
            known = self._take(name)
        except NoSuchCollectionError:
            return
        try:
            known.is_dirty = False
            known.shard.flush()
        except Exception:  # noqa: BLE001 - the engine raises nothing else; the next round tries again
            known.is_dirty = True
            _log.exception("flush of %s failed", name)
        finally:
            self._leave(known)


def points_in(shard: EdgeShard) -> int:
    """Return the exact number of points."""
    return shard.count(CountRequest(exact=True))


def _own(path: Path) -> int:
    """Take the directory's lock for as long as this process lives; a restart waits a moment for a dying owner."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    ends = time.monotonic() + 2.0
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > ends:
                os.close(handle)
                raise AlreadyOwnedError(str(path.parent)) from error
            time.sleep(0.05)
        else:
            return handle


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
