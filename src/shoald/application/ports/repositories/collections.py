"""What the use cases ask of stored collections."""

from __future__ import annotations

from typing import Protocol


class CollectionRepository(Protocol):
    """Stored collections."""
