"""Results of searches, kept for a few minutes so that later pages do not search again."""

from __future__ import annotations

from typing import Protocol


class ResultCache(Protocol):
    """Forgets whenever it likes, and never fails: what it does not have is searched again."""

    def get(self, key: str) -> bytes | None:
        """Return what was put under the key, or None."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep a value for a few minutes."""
        ...
