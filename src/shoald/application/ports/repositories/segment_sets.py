"""What the use cases ask of stored segment sets."""

from __future__ import annotations

from typing import Protocol


class SegmentSetRepository(Protocol):
    """Stored segment sets."""
