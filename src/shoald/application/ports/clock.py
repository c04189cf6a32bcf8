"""Time, as a port, so that tests may set it; jobs never use it (their clock is PostgreSQL's)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time in UTC, to the microsecond, with its zone."""
        ...
