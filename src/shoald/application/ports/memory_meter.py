"""How much memory this process takes at most."""

from __future__ import annotations

from typing import Protocol


class MemoryMeter(Protocol):
    """Measures one piece of work at a time.

    What counts is private memory; pages of mapped files are the kernel's to take back.
    """

    def start(self) -> None:
        """Begin to measure."""
        ...

    def peak_bytes(self) -> int | None:
        """Return the most that was taken since `start` beside what was held then; None where it cannot be measured."""
        ...

    def give_back(self) -> None:
        """Return to the system what is free: an allocator keeps it otherwise, and the next work takes its own beside.

        Takes milliseconds.
        """
        ...
