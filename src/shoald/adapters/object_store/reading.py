"""The half of an object store that is the same for a directory and for S3: everything but writing and lending."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore as Store

from shoald.adapters.object_store.keys import checked_key, checked_prefix
from shoald.application.ports.object_store import StoredObject
from shoald.domain.failures import ArtifactNotFound, Unavailable


@contextmanager
def store_failures_named() -> Iterator[None]:
    """Turn the client library's errors into ours; it retries by itself before it raises them."""
    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        raise ArtifactNotFound from error
    except BaseError as error:
        raise Unavailable("The object store does not answer.") from error


class ReadableStore:
    """Reads, lists and removes through obstore."""

    def __init__(self, store: Store, uri_root: str) -> None:
        self._store = store
        self._uri_root = uri_root

    def get(self, key: str) -> bytes:
        """Return an object whole."""
        with store_failures_named():
            return bytes(obstore.get(self._store, checked_key(key)).bytes())

    def stream(
        self, key: str, *, part_size: int = 256 * 1024, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Open the object now, so that a missing one is told before the first part; then yield its parts."""
        size = self.size(key)
        stop = size if end is None else min(end, size)
        return self._parts(key, part_size, start, stop)

    def _parts(self, key: str, part_size: int, start: int, stop: int) -> Iterator[bytes]:
        if start >= stop:
            return
        with store_failures_named():
            answer = obstore.get(self._store, key, options={"range": (start, stop)})
            waiting = bytearray()
            for chunk in answer.stream(min_chunk_size=part_size):
                waiting += chunk
                while len(waiting) >= part_size:
                    yield bytes(waiting[:part_size])
                    del waiting[:part_size]
            if waiting:
                yield bytes(waiting)

    def size(self, key: str) -> int:
        """Return an object's size in bytes."""
        with store_failures_named():
            return obstore.head(self._store, checked_key(key))["size"]

    def exists(self, key: str) -> bool:
        """Say whether an object is there."""
        try:
            self.size(key)
        except ArtifactNotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove an object; none there is no error."""
        try:
            with store_failures_named():
                obstore.delete(self._store, checked_key(key))
        except ArtifactNotFound:
            return

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects below a prefix in no order; neither store knows their SHA-256."""
        with store_failures_named():
            for page in obstore.list(self._store, checked_prefix(prefix) or None):
                for found in page:
                    if not found["path"].startswith("."):
                        yield StoredObject(
                            key=found["path"], size=found["size"], sha256="", modified_at=found["last_modified"]
                        )

    def uri(self, key: str) -> str:
        """Return the URI shown to users."""
        return f"{self._uri_root}/{checked_key(key)}"

    def key_of(self, uri: str) -> str:
        """Return the key of a URI of this store."""
        root, key = uri[: len(self._uri_root) + 1], uri[len(self._uri_root) + 1 :]
        if root != f"{self._uri_root}/":
            raise ArtifactNotFound
        return checked_key(key)
