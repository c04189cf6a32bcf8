"""What the use cases ask of stored API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shoald.domain.records.api_key import ApiKey


class ApiKeyRepository(Protocol):
    """Stored keys; only units of work of the system see them."""

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    def find(self, key_id: str) -> ApiKey | None:
        """Return a key, revoked or not."""
        ...

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, newest first."""
        ...

    def revoke(self, key_id: str, *, at: datetime) -> ApiKey | None:
        """Note since when a key opens nothing, unless it is noted already; None when there is no such key."""
        ...
