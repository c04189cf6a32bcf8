"""What the use cases ask of stored index builds."""

from __future__ import annotations

from typing import Protocol


class IndexBuildRepository(Protocol):
    """Stored index builds."""
