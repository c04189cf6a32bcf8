"""Takes an object's bytes into a file of its own, hashing while it writes; nobody sees the file before it is moved."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shoald.domain.failures import StorageFull

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STALE_SECONDS = 3600.0


@contextmanager
def full_storage_named() -> Iterator[None]:
    """Turn the system's ways of saying "no room" into `StorageFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull from error
        raise


class Spool:
    """One file being written; `close` makes it durable, `discard` removes it if it is still there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self._hash = hashlib.sha256()
        with full_storage_named():
            self._file = self.path.open("xb")

    @property
    def sha256(self) -> str:
        """The hash of what has been written so far."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        with full_storage_named():
            self._file.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    def close(self, *, durable: bool) -> None:
        """Write out what is buffered; with `durable`, wait until it is on the disk."""
        with full_storage_named():
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Remove the file, whatever state it is in."""
        with suppress(OSError):  # a full disk may refuse the last flush; the bytes are unwanted anyway
            self._file.close()
        self.path.unlink(missing_ok=True)


def remove_stale(folder: Path, *, older_than: float = _STALE_SECONDS) -> int:
    """Remove files that killed processes left in the folder; returns how many.

    A file still being written is touched by every write, so only a writer that paused for an hour could lose its own.
    """
    removed = 0
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > older_than:
                path.unlink()
                removed += 1
    return removed
