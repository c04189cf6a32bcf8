"""Objects in an S3 bucket or a compatible store: spooled and hashed on local disk, then put by one conditional call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from shoald.adapters.object_store.copies import LocalCopies
from shoald.adapters.object_store.keys import blob_key, checked_key
from shoald.adapters.object_store.reading import ReadableStore, store_failures_named
from shoald.adapters.object_store.spooling import Spool, remove_stale
from shoald.application.ports.object_store import StoredObject

_WHOLE = 32 << 20
_PART = 16 << 20
_PARTS_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Location:
    """Where the bucket is; credentials that are None come from the standard AWS environment or instance role."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret_access_key: str | None = None
    timeout_seconds: float = 30.0
    most_retries: int = 5


class S3ObjectStore(ReadableStore):
    """An object store in a bucket; `cache` is a folder of this machine for spooling and for checked copies."""

    def __init__(self, location: S3Location, cache: Path, *, most_cached_bytes: int = 20 << 30) -> None:
        prefix = location.prefix.strip("/")
        self._bucket = _s3_store(location, prefix)
        super().__init__(self._bucket, "/".join(filter(None, (f"s3://{location.bucket}", prefix))))
        self._spools = cache / "spool"
        self._copies = LocalCopies(cache / "copies", most_bytes=most_cached_bytes)

    @contextmanager
    def open_writer(self) -> Iterator[S3Writer]:
        """Start a new object on local disk, since its key may be its hash."""
        remove_stale(self._spools)
        spool = Spool(self._spools)
        try:
            yield S3Writer(self, spool)
        finally:
            spool.discard()

    def put(self, key: str, content: bytes) -> StoredObject:
        """Store a small object whole."""
        with self.open_writer() as writer:
            writer.write(content)
            return writer.publish(key)

    def upload(self, key: str, path: Path, size: int) -> None:
        """Put a file under a key unless an object of the same size is there.

        A multipart upload knows no condition; it becomes visible whole all the same, and the keys of large objects are
        made so that two writers of one key write the same bytes.
        """
        with store_failures_named():
            if size <= _WHOLE:
                try:
                    obstore.put(self._store, key, path, mode="create")
                except (AlreadyExistsError, PreconditionError):
                    if obstore.head(self._store, key)["size"] == size:
                        return
                    obstore.put(self._store, key, path)
            elif not self._is_there(key, size):
                obstore.put(self._store, key, path, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def _is_there(self, key: str, size: int) -> bool:
        return self.exists(key) and self.size(key) == size

    @contextmanager
    def local_copy(self, key: str, sha256: str) -> Iterator[str]:
        """Lend a copy on local disk, fetched when there is none yet."""
        with self._copies.lend(sha256, self.stream(key, part_size=1 << 20)) as path:
            yield path

    def signed_url(self, key: str, *, seconds: int, filename: str) -> str | None:  # noqa: ARG002 - S3 signs no name
        """Return a URL that the bucket serves; the name that a browser proposes is the key's last part."""
        with store_failures_named():
            return obstore.sign(self._bucket, "GET", checked_key(key), timedelta(seconds=seconds))


class S3Writer:
    """Takes one object's bytes; see the port."""

    def __init__(self, store: S3ObjectStore, spool: Spool) -> None:
        self._store = store
        self._spool = spool
        self.write = spool.write

    def publish(self, key: str | None = None) -> StoredObject:
        """Upload what was spooled."""
        self._spool.close(durable=False)
        key = checked_key(blob_key(self._spool.sha256) if key is None else key)
        self._store.upload(key, self._spool.path, self._spool.size)
        return StoredObject(key=key, size=self._spool.size, sha256=self._spool.sha256)


def _s3_store(location: S3Location, prefix: str) -> S3Store:
    return S3Store(
        location.bucket,
        prefix=prefix or None,
        endpoint=location.endpoint,
        region=location.region,
        access_key_id=location.access_key_id,
        secret_access_key=location.secret_access_key,
        client_options={
            "timeout": timedelta(seconds=location.timeout_seconds),
            "connect_timeout": timedelta(seconds=5),
            "allow_http": (location.endpoint or "").startswith("http://"),
        },
        retry_config={
            "max_retries": location.most_retries,
            "retry_timeout": timedelta(seconds=2 * location.timeout_seconds),
        },
    )
