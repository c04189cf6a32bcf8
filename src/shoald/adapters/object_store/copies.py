"""Keeps checked copies of remote objects on this machine's disk, least recently used out first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shoald.adapters.object_store.checking import check_file
from shoald.adapters.object_store.spooling import Spool, full_storage_named, remove_stale
from shoald.domain.failures import DataCorrupt

_MADE_TWICE = 3


class LocalCopies:
    """Files named by their SHA-256 below one folder, which several processes may share.

    A lent file is held with a shared lock, and only files that nobody holds are removed. (A reader that has mapped a
    file may let go of it at once: the mapping outlives the name.)
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._partial = folder / ".partial"
        self._most_bytes = most_bytes

    @contextmanager
    def lend(self, sha256: str, pieces: Iterator[bytes]) -> Iterator[str]:
        """Lend the file with this hash, made from `pieces` when it is not there; raises `DataCorrupt`."""
        path = self._folder / sha256
        handle = self._open(path, sha256, pieces)
        try:
            check_file(path, sha256)
            os.utime(path)
            yield str(path)
        except DataCorrupt:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)

    def _open(self, path: Path, sha256: str, pieces: Iterator[bytes]) -> int:
        for _ in range(_MADE_TWICE):
            if not path.exists():
                self._make(path, sha256, pieces)
            with suppress(FileNotFoundError):  # another process removed it meanwhile
                handle = os.open(path, os.O_RDONLY)
                fcntl.flock(handle, fcntl.LOCK_SH)
                return handle
        raise DataCorrupt("A local copy vanished while it was opened.", detail={"object": sha256})

    def _make(self, path: Path, sha256: str, pieces: Iterable[bytes]) -> None:
        remove_stale(self._partial)
        spool = Spool(self._partial)
        try:
            for piece in pieces:
                spool.write(piece)
            spool.close(durable=False)
            if spool.sha256 != sha256:
                raise DataCorrupt(detail={"expected_sha256": sha256, "found_sha256": spool.sha256})
            self._make_room(spool.size)
            with full_storage_named():
                spool.path.replace(path)
        finally:
            spool.discard()

    def _make_room(self, size: int) -> None:
        kept = sorted((entry for entry in self._folder.iterdir() if entry.is_file()), key=lambda e: e.stat().st_mtime)
        total = size + sum(entry.stat().st_size for entry in kept)
        for entry in kept:
            if total <= self._most_bytes:
                return
            total -= _removed_bytes(entry)


def _removed_bytes(path: Path) -> int:
    """Remove a copy that nobody holds; returns how many bytes that freed."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(handle).st_size
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return 0
    finally:
        os.close(handle)
    return size
