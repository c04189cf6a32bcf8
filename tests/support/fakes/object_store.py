"""An object store in memory that keeps the port's promises, for use cases that are tested without a disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from shoald.adapters.object_store.keys import blob_key, checked_key, checked_prefix
from shoald.application.ports.object_store import StoredObject
from shoald.domain.failures import ArtifactNotFound, DataCorrupt

_ROOT = "memory://objects/"


class MemoryObjectStore:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    @contextmanager
    def open_writer(self) -> Iterator[MemoryWriter]:
        yield MemoryWriter(self)

    def put(self, key: str, content: bytes) -> StoredObject:
        writer = MemoryWriter(self)
        writer.write(content)
        return writer.publish(key)

    def get(self, key: str) -> bytes:
        try:
            return self.objects[checked_key(key)]
        except KeyError as error:
            raise ArtifactNotFound from error

    def stream(
        self, key: str, *, part_size: int = 256 * 1024, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        content = self.get(key)[start:end]
        return (content[at : at + part_size] for at in range(0, len(content), part_size))

    def size(self, key: str) -> int:
        return len(self.get(key))

    def exists(self, key: str) -> bool:
        return key in self.objects

    @contextmanager
    def local_copy(self, key: str, sha256: str) -> Iterator[str]:
        content = self.get(key)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DataCorrupt
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        start = checked_prefix(prefix)
        for key, content in list(self.objects.items()):
            if not start or key.startswith(start + "/"):
                yield StoredObject(key=key, size=len(content), sha256="")

    def uri(self, key: str) -> str:
        return _ROOT + checked_key(key)

    def key_of(self, uri: str) -> str:
        if not uri.startswith(_ROOT):
            raise ArtifactNotFound
        return checked_key(uri.removeprefix(_ROOT))

    def signed_url(self, key: str, *, seconds: int, filename: str) -> str | None:  # noqa: ARG002
        return None


class MemoryWriter:
    """Takes one object's bytes."""

    def __init__(self, store: MemoryObjectStore) -> None:
        self._store = store
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self._pieces.append(bytes(piece))

    def publish(self, key: str | None = None) -> StoredObject:
        content = b"".join(self._pieces)
        sha256 = hashlib.sha256(content).hexdigest()
        key = checked_key(blob_key(sha256) if key is None else key)
        self._store.objects.setdefault(key, content)
        return StoredObject(key=key, size=len(content), sha256=sha256)
