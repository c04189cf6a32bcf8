"""Objects as files below one directory: written beside, synced, then linked to their name, so readers see all or
nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from obstore.store import LocalStore

from shoald.adapters.object_store.checking import check_file
from shoald.adapters.object_store.keys import blob_key, checked_key
from shoald.adapters.object_store.reading import ReadableStore
from shoald.adapters.object_store.spooling import Spool, full_storage_named, remove_stale
from shoald.application.ports.object_store import StoredObject
from shoald.domain.failures import ArtifactNotFound

_PARTIAL = ".partial"
_SWEEP_SECONDS = 600.0


class LocalObjectStore(ReadableStore):
    """An object store in a directory of this machine; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._root.mkdir(parents=True, exist_ok=True)
        self._partial = self._root / _PARTIAL
        self._swept_at = float("-inf")
        super().__init__(LocalStore(self._root), "shoal://objects")

    @contextmanager
    def open_writer(self) -> Iterator[LocalWriter]:
        """Start a new object in the folder of unfinished ones."""
        self._sweep()
        spool = Spool(self._partial)
        try:
            yield LocalWriter(self._root, spool)
        finally:
            spool.discard()

    def put(self, key: str, content: bytes) -> StoredObject:
        """Store a small object whole."""
        with self.open_writer() as writer:
            writer.write(content)
            return writer.publish(key)

    def _parts(self, key: str, part_size: int, start: int, stop: int) -> Iterator[bytes]:
        """Read the file itself: ten times as fast as through the client library."""
        try:
            file = (self._root / key).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise ArtifactNotFound from error
        with file:
            file.seek(start)
            while part := file.read(min(part_size, stop - start)):
                start += len(part)
                yield part

    @contextmanager
    def local_copy(self, key: str, sha256: str) -> Iterator[str]:
        """Lend the object's own file, after reading it once to compare its hash."""
        path = self._root / checked_key(key)
        if not path.is_file():
            raise ArtifactNotFound
        check_file(path, sha256)
        yield str(path)

    def signed_url(self, key: str, *, seconds: int, filename: str) -> str | None:  # noqa: ARG002 - the port's shape
        """Return None: Shoal serves a directory's objects itself."""
        return None

    def _sweep(self) -> None:
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            remove_stale(self._partial)


class LocalWriter:
    """Takes one object's bytes; see the port."""

    def __init__(self, root: Path, spool: Spool) -> None:
        self._root = root
        self._spool = spool
        self.write = spool.write

    def publish(self, key: str | None = None) -> StoredObject:
        """Sync the bytes, then give them their name, then sync the folder that holds the name."""
        self._spool.close(durable=True)
        key = checked_key(blob_key(self._spool.sha256) if key is None else key)
        target = self._root / key
        with full_storage_named():
            _make_folders(target.parent, self._root)
            self._give_name(target)
            _sync_folder(target.parent)
        return StoredObject(key=key, size=self._spool.size, sha256=self._spool.sha256)

    def _give_name(self, target: Path) -> None:
        try:
            os.link(self._spool.path, target)
        except FileExistsError:
            # A file of another size cannot be what was published here: the disk lost some of it.
            if target.stat().st_size != self._spool.size:
                self._spool.path.replace(target)
        except PermissionError:  # file systems without hard links (FAT, some network ones)
            if not target.exists():
                self._spool.path.replace(target)


def _make_folders(folder: Path, root: Path) -> None:
    """Make the folders down to this one, each durable in the one above it."""
    if folder.is_dir() or folder == root:
        return
    _make_folders(folder.parent, root)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
