"""What the use cases ask of stored chunk sets."""

from __future__ import annotations

from typing import Protocol


class ChunkSetRepository(Protocol):
    """Stored chunk sets."""
