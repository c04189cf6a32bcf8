"""Deliveries of webhooks in PostgreSQL: a channel is leased, its first due delivery tried, the end stored at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, null, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.webhooks import webhook_channels, webhook_deliveries, webhooks
from shoald.adapters.postgres.webhooks import channel_of, webhook_of
from shoald.application.listing import Selection
from shoald.application.ports.repositories.webhooks import Errand, NewDelivery, Settlement
from shoald.domain.platform_words import DeliveryStatus, NotificationChannel
from shoald.domain.records.webhook import Delivery, DeliveryAttempt

_NOW = func.clock_timestamp()
_KEPT_ATTEMPTS = 20
_TABLE, _LINE = webhook_deliveries, webhook_channels
_SORTED_BY = ("delivery_id", "event_type", "status", "created_at", "finished_at", "due_at")
_LISTED = ListedTable(
    table=_TABLE,
    id=_TABLE.c.delivery_id,
    sortable={name: _TABLE.c[name] for name in _SORTED_BY},
    searched=(_TABLE.c.delivery_id, _TABLE.c.event_id, _TABLE.c.event_type),
)


class PostgresDeliveries:
    """`DeliveryRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, deliveries: Sequence[NewDelivery]) -> None:
        """Insert rows; those that are there already stay as they are."""
        rows = [
            {
                "delivery_id": one.delivery_id,
                "namespace_id": one.webhook.namespace_id,
                "webhook_id": one.webhook.webhook_id,
                "channel_no": one.channel_no,
                "channel": one.webhook.channels[one.channel_no].channel,
                "event_id": one.event.event_id,
                "event_type": one.event.event_type,
                "event_sequence": one.event.sequence or 0,
                "payload": dict(one.payload),
                "status": DeliveryStatus.WAITING,
            }
            for one in deliveries
        ]
        if rows:
            self._connection.execute(insert_or_not(_TABLE).values(due_at=_NOW).on_conflict_do_nothing(), rows)

    def take(self, lease: timedelta, *, most_of_namespace: int) -> Errand | None:
        """Lock a line that nobody holds, lease it, and read what its errand needs."""
        while (line := self._connection.execute(_next_line(most_of_namespace)).first()) is not None:
            # looked for again: the line may have been at work between the statement's beginning and its lock
            delivery = self._connection.execute(_first_due(line.webhook_id, line.channel_no)).first()
            if delivery is not None:
                return self._leased(line, _delivery(delivery), lease)
        return None

    def _leased(self, line: Row[Any], delivery: Delivery, lease: timedelta) -> Errand:
        mine = (_LINE.c.webhook_id == line.webhook_id, _LINE.c.channel_no == line.channel_no)
        leased = update(_LINE).where(*mine).values(lease_no=_LINE.c.lease_no + 1, lease_until=_NOW + lease)
        channel = self._connection.execute(leased.returning(*_LINE.c)).one()
        webhook = self._connection.execute(select(webhooks).where(webhooks.c.webhook_id == line.webhook_id)).one()
        return Errand(
            delivery=delivery,
            webhook=webhook_of(webhook, ()),
            channel=channel_of(channel),
            lease_no=channel.lease_no,
            failures=channel.failures,
        )

    def settle(self, errand: Errand, settlement: Settlement) -> bool:
        """Give the line back under the fence, then store the delivery's end or next turn."""
        delivery = errand.delivery
        fence = (
            _LINE.c.webhook_id == delivery.webhook_id,
            _LINE.c.channel_no == delivery.channel_no,
            _LINE.c.lease_no == errand.lease_no,
            _LINE.c.lease_until.is_not(None),
        )
        back = {"lease_until": None, "failures": settlement.failures, "resume_at": _NOW + settlement.breather}
        if not self._connection.execute(update(_LINE).where(*fence).values(back)).rowcount:
            return False
        attempts = [_stored(one) for one in (*delivery.attempts, settlement.attempt)]
        values = {
            "status": settlement.status,
            "tries": delivery.tries + 1,
            "attempts": attempts[-_KEPT_ATTEMPTS:],
            "due_at": None if settlement.wait is None else _NOW + settlement.wait,
            "finished_at": _NOW if settlement.wait is None else None,
        }
        self._connection.execute(update(_TABLE).where(_TABLE.c.delivery_id == delivery.delivery_id).values(values))
        return True

    def find(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Read one row."""
        mine = (_TABLE.c.webhook_id == webhook_id, _TABLE.c.delivery_id == delivery_id)
        row = self._connection.execute(select(_TABLE).where(*mine)).first()
        return None if row is None else _delivery(row)

    def list(self, webhook_id: str, selection: Selection) -> Sequence[Delivery]:
        """Read a page."""
        statement = select(_TABLE).where(_TABLE.c.webhook_id == webhook_id)
        return [_delivery(row) for row in self._connection.execute(_LISTED.page(statement, selection))]

    def count(self, webhook_id: str, selection: Selection) -> int:
        """Count what meets the condition."""
        counted = _LISTED.count(_TABLE.c.webhook_id == webhook_id, selection)
        return self._connection.execute(counted).scalar_one()

    def begin_again(self, delivery_id: str) -> None:
        """Put the row back to its beginning, and its line to work."""
        anew = {"status": DeliveryStatus.WAITING, "tries": 0, "due_at": _NOW, "finished_at": null()}
        changed = update(_TABLE).where(_TABLE.c.delivery_id == delivery_id).values(anew)
        row = self._connection.execute(changed.returning(_TABLE.c.webhook_id, _TABLE.c.channel_no)).one()
        mine = (_LINE.c.webhook_id == row.webhook_id, _LINE.c.channel_no == row.channel_no)
        self._connection.execute(update(_LINE).where(*mine).values(resume_at=_NOW))

    def begin_all_again(self, webhook_id: str) -> None:
        """Put the rows that wait back to their beginning."""
        waiting = (_TABLE.c.webhook_id == webhook_id, _TABLE.c.status == DeliveryStatus.WAITING)
        self._connection.execute(update(_TABLE).where(*waiting).values(tries=0, due_at=_NOW))

    def remove(self, older_than: timedelta, limit: int) -> int:
        """Delete a batch, oldest first."""
        old = select(_TABLE.c.delivery_id).where(_TABLE.c.finished_at < _NOW - older_than)
        batch = old.order_by(_TABLE.c.finished_at).limit(limit)
        return self._connection.execute(delete(_TABLE).where(_TABLE.c.delivery_id.in_(batch))).rowcount


def _next_line(most_of_namespace: int) -> Any:
    """Choose the line whose first due delivery has waited longest; rows that another one is choosing are skipped."""
    due = _first_due(_LINE.c.webhook_id, _LINE.c.channel_no).with_only_columns(_TABLE.c.due_at).lateral("due")
    other = _LINE.alias("other")
    at_work = (
        select(func.count())
        .where(other.c.namespace_id == _LINE.c.namespace_id, other.c.lease_until > _NOW)
        .scalar_subquery()
    )
    return (
        select(_LINE.c.webhook_id, _LINE.c.channel_no)
        .join(webhooks, webhooks.c.webhook_id == _LINE.c.webhook_id)
        .join(due, true())
        .where(webhooks.c.is_active, _LINE.c.resume_at <= _NOW)
        .where(or_(_LINE.c.lease_until.is_(None), _LINE.c.lease_until < _NOW))
        .where(at_work < most_of_namespace)
        .order_by(due.c.due_at)
        .limit(1)
        .with_for_update(of=_LINE, skip_locked=True)
    )


def _first_due(webhook_id: Any, channel_no: Any) -> Select[Any]:
    """Choose what is due first of a line: the oldest event, but for those that wait for another try."""
    return (
        select(_TABLE)
        .where(_TABLE.c.webhook_id == webhook_id, _TABLE.c.channel_no == channel_no)
        .where(_TABLE.c.status == DeliveryStatus.WAITING, _TABLE.c.due_at <= _NOW)
        .order_by(_TABLE.c.event_sequence)
        .limit(1)
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        namespace_id=row.namespace_id,
        webhook_id=row.webhook_id,
        channel_no=row.channel_no,
        channel=NotificationChannel(row.channel),
        event_id=row.event_id,
        event_type=row.event_type,
        event_sequence=row.event_sequence,
        payload=row.payload,
        status=DeliveryStatus(row.status),
        tries=row.tries,
        attempts=tuple(DeliveryAttempt(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in row.attempts),
        due_at=row.due_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _stored(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {**asdict(attempt), "at": attempt.at.isoformat()}
