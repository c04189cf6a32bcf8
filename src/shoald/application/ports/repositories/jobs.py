"""What the use cases ask of stored jobs."""

from __future__ import annotations

from typing import Protocol


class JobRepository(Protocol):
    """Stored jobs."""
