"""Objects under keys that the server made: uploads and artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What is known of an object: key, size in bytes, SHA-256 in lower-case hex; when it was made, if that is known."""

    key: str
    size: int
    sha256: str
    modified_at: datetime | None = None


class ObjectWriter(Protocol):
    """Takes an object's bytes in pieces; nothing is visible before `publish`, and leaving without it leaves nothing."""

    def write(self, piece: bytes) -> None:
        """Append a piece; raises `StorageFull` when there is no room."""
        ...

    def publish(self, key: str | None = None) -> StoredObject:
        """Make the object visible, whole, under `key` (None: `blobs/<first two hex digits>/<sha256>`), and
        return what it is.

        An object that is already there under that key is left as it is: keys are immutable.
        """
        ...


class ObjectStore(Protocol):
    """Immutable objects; a key is made by the server, of `[A-Za-z0-9._/-]`, and never gets other bytes."""

    def open_writer(self) -> AbstractContextManager[ObjectWriter]:
        """Start a new object; constant memory, whatever its size."""
        ...

    def put(self, key: str, content: bytes) -> StoredObject:
        """Store a small object whole."""
        ...

    def get(self, key: str) -> bytes:
        """Return an object whole; raises `ArtifactNotFound`."""
        ...

    def stream(
        self, key: str, *, part_size: int = 256 * 1024, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end` in parts; raises `ArtifactNotFound` before the first."""
        ...

    def size(self, key: str) -> int:
        """Return an object's size in bytes; raises `ArtifactNotFound`."""
        ...

    def exists(self, key: str) -> bool:
        """Say whether an object is there."""
        ...

    def local_copy(self, key: str, sha256: str) -> AbstractContextManager[str]:
        """Lend the path of a file with these bytes, checked against `sha256`; raises `DataCorrupt`. Read only."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; none there is no error."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix; `sha256` is empty where the store does not know it."""
        ...

    def uri(self, key: str) -> str:
        """Return the URI shown to users: `s3://bucket/prefix/key` or `shoal://objects/key`."""
        ...

    def key_of(self, uri: str) -> str:
        """Return the key of a URI that `uri` made; raises `ArtifactNotFound` for another's."""
        ...

    def signed_url(self, key: str, *, seconds: int, filename: str) -> str | None:
        """Return a short-lived URL that the store serves itself, or None where Shoal must serve `/v1/files/{token}`."""
        ...
