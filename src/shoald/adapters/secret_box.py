"""Secrets under AES-256-GCM, by a key that is derived from the installation's own."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shoald.domain.failures import Broken

_NONCE_BYTES = 12
_VERSION = b"\x01"


class AesSecretBox:
    """`SecretBox` in this process. A sealed secret is a version, a nonce and the ciphertext with its tag."""

    def __init__(self, installation_key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"shoal secret box\0" + installation_key).digest())

    def seal(self, secret: bytes, *, place: str) -> bytes:
        """Encrypt under a fresh nonce; the place is authenticated beside it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt what `seal` gave."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, place.encode())
        except (InvalidTag, ValueError) as error:
            message = "A stored secret cannot be opened: it was sealed under another SHOAL_SIGNING_SECRET."
            raise Broken(message) from error
