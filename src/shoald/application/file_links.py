"""Links to objects that Shoal serves itself: a key and a name go in, a sealed token that ends comes out, and back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass

from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore
from shoald.domain.failures import FileLinkNotFound

_SEAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class FileLink:
    """What a token opens: an object's key, and the name that a download should have."""

    key: str
    filename: str


class FileLinks:
    """Makes and opens tokens for `/v1/files/{token}`; whoever has one may read that object until it ends."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = hashlib.sha256(b"shoal file links\0" + secret).digest()
        self._clock = clock

    def make(self, key: str, *, filename: str, seconds: int) -> str:
        """Return a token that opens the object for so many seconds."""
        ends = int(self._clock.now().timestamp()) + seconds
        body = json.dumps([key, filename, ends], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._seal(body) + body).decode().rstrip("=")

    def open(self, token: str) -> FileLink:
        """Return what the token opens; raises `FileLinkNotFound` when it was not made here or has ended."""
        body = self._unsealed(token)
        key, filename, ends = json.loads(body)
        if ends <= self._clock.now().timestamp():
            raise FileLinkNotFound
        return FileLink(key, filename)

    def _unsealed(self, token: str) -> bytes:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError) as error:
            raise FileLinkNotFound from error
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(body)):
            raise FileLinkNotFound
        return body

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:_SEAL_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAddresses:
    """Lends objects by short-lived addresses: those of the store itself where it has such, else of `/v1/files`."""

    objects: ObjectStore
    links: FileLinks
    public_url: str

    def of(self, key: str, *, filename: str, seconds: int) -> str:
        """Return an address at which the object can be read for so many seconds, under that name."""
        url = self.objects.signed_url(key, seconds=seconds, filename=filename)
        if url is not None:
            return url
        token = self.links.make(key, filename=filename, seconds=seconds)
        return f"{self.public_url.rstrip('/')}/v1/files/{token}"
