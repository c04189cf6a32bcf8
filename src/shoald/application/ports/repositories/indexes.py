"""What the use cases ask of stored indexes."""

from __future__ import annotations

from typing import Protocol


class IndexRepository(Protocol):
    """Stored indexes."""
