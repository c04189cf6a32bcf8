"""What the use cases ask of stored events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from shoald.domain.records.event import Event


class EventRepository(Protocol):
    """What happened, in the order in which it became true, and how far each reader of it has come.

    A reader's pass is one transaction: `position`, `after`, what it makes of the events, `move`, commit. So each event
    is read once by each reader, whoever is killed, and any number of processes may try.
    """

    def add(self, event: Event) -> None:
        """Store an event in the transaction of what it tells."""
        ...

    def position(self, reader: str) -> int | None:
        """Hold the reader's place until the end of the transaction and return it: the last sequence that it has read.

        A reader that was never here begins at 0. None when another transaction holds the place: that one reads.
        """
        ...

    def after(self, sequence: int, limit: int) -> Sequence[Event]:
        """Return the events behind a sequence, in order.

        Sequences are given here, to what is committed: no event appears later behind a sequence that was returned.
        """
        ...

    def move(self, reader: str, sequence: int) -> None:
        """Note how far the reader has come."""
        ...

    def remove(self, older_than: timedelta, limit: int) -> int:
        """Remove events older than this that every reader has passed, and say how many."""
        ...
