"""Events as rows: numbered in the order in which they were committed, by whoever reads first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from shoald.adapters.postgres.tables.events import event_readers, event_sequence, events
from shoald.domain.platform_words import EventType
from shoald.domain.records.event import Event

# the lock of those who number, held to the end of their transaction, so that numbers become visible in their order
_NUMBERING = 4_720
_NUMBERED_AT_ONCE = 5_000


class PostgresEvents:
    """`EventRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, event: Event) -> None:
        """Insert one row, without a sequence."""
        values = {
            "event_id": event.event_id,
            "namespace_id": event.namespace_id,
            "event_type": event.event_type,
            "subject_type": event.subject_type,
            "subject_id": event.subject_id,
            "metadata": dict(event.metadata),
            "occurred_at": event.occurred_at,
        }
        self._connection.execute(insert(events).values(values))

    def position(self, reader: str) -> int | None:
        """Lock the reader's row, or skip it."""
        place = select(event_readers.c.position).where(event_readers.c.reader == reader)
        found: int | None = self._connection.scalar(place.with_for_update(skip_locked=True))
        if found is not None:
            return found
        new = insert_or_not(event_readers).values(reader=reader, position=0).on_conflict_do_nothing()
        begun: int | None = self._connection.scalar(new.returning(event_readers.c.position))
        return begun

    def after(self, sequence: int, limit: int) -> Sequence[Event]:
        """Number what is new, unless another transaction is at it, then read by numbers."""
        if self._connection.scalar(select(func.pg_try_advisory_xact_lock(_NUMBERING))):
            self._number()
        query = select(events).where(events.c.sequence > sequence).order_by(events.c.sequence).limit(limit)
        return [
            Event(
                event_type=EventType(row.event_type),
                namespace_id=row.namespace_id,
                subject_type=row.subject_type,
                subject_id=row.subject_id,
                occurred_at=row.occurred_at,
                metadata=row.metadata,
                event_id=row.event_id,
                sequence=row.sequence,
            )
            for row in self._connection.execute(query)
        ]

    def move(self, reader: str, sequence: int) -> None:
        """Update the reader's row."""
        self._connection.execute(
            update(event_readers).where(event_readers.c.reader == reader).values(position=sequence)
        )

    def remove(self, older_than: timedelta, limit: int) -> int:
        """Delete a batch of what every reader has passed, oldest first."""
        passed = select(func.min(event_readers.c.position)).scalar_subquery()
        old = (
            select(events.c.event_no)
            .where(events.c.sequence <= passed, events.c.occurred_at < func.now() - older_than)
            .order_by(events.c.occurred_at)
            .limit(limit)
        )
        return self._connection.execute(delete(events).where(events.c.event_no.in_(old))).rowcount

    def _number(self) -> None:
        unnumbered = select(events.c.event_no).where(events.c.sequence.is_(None)).order_by(events.c.event_no)
        numbers = list(self._connection.scalars(unnumbered.limit(_NUMBERED_AT_ONCE)))
        if not numbers:
            return
        ordered = (
            select(events.c.event_no, event_sequence.next_value().label("sequence"))
            .where(events.c.event_no.in_(numbers))
            .order_by(events.c.event_no)
            .cte("ordered")
        )
        self._connection.execute(
            update(events).where(events.c.event_no == ordered.c.event_no).values(sequence=ordered.c.sequence)
        )
