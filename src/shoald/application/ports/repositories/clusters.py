"""What the use cases ask of stored clusters."""

from __future__ import annotations

from typing import Protocol


class ClusterRepository(Protocol):
    """Stored clusters."""
