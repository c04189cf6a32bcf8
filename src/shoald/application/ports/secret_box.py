"""Keeps what callers trust us with from whoever reads the database or a copy of it."""

from __future__ import annotations

from typing import Protocol


class SecretBox(Protocol):
    """Encrypts small secrets under the installation's key."""

    def seal(self, secret: bytes, *, place: str) -> bytes:
        """Return the secret encrypted and authenticated; it opens only at the same `place`."""
        ...

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Return the secret; raises `Broken` when it was changed, moved, or sealed under another key."""
        ...
