"""A key that callers show: of it only a hash is kept, beside what it opens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What a key opens, and since when and how long it does.

    No `namespace_ids` means every namespace, no `project_ids` every project of its namespaces. `secret_hash` is the
    SHA-256 of the whole key, which has 256 random bits, so that no slow hash is needed.
    """

    key_id: str
    name: str
    secret_hash: bytes
    scopes: frozenset[str]
    namespace_ids: tuple[str, ...]
    project_ids: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def opens_at(self, now: datetime) -> bool:
        """Say whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
