"""What the use cases ask of stored cluster runs."""

from __future__ import annotations

from typing import Protocol


class ClusterRunRepository(Protocol):
    """Stored cluster runs."""
