"""How much memory this process takes at most."""

from __future__ import annotations

from typing import Protocol


class MemoryMeter(Protocol):
    """Measures one piece of work at a time."""

    def start(self) -> None:
        """Begin to measure."""
        ...

    def peak_bytes(self) -> int | None:
        """Return the most that was taken since `start` beside what was held then; None where it cannot be measured."""
        ...
