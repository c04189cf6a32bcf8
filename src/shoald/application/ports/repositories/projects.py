"""What the use cases ask of stored projects."""

from __future__ import annotations

from typing import Protocol


class ProjectRepository(Protocol):
    """Stored projects."""
