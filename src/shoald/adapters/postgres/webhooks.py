"""Webhooks in PostgreSQL."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from shoald.adapters.postgres.lists import ListedTable
from shoald.adapters.postgres.tables.webhooks import webhook_channels, webhook_deliveries, webhooks
from shoald.application.listing import Selection
from shoald.application.ports.repositories.webhooks import WebhookFilter
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import DeliveryStatus, NotificationChannel
from shoald.domain.records.event import Event
from shoald.domain.records.webhook import EVERYWHERE, Webhook, WebhookChannel

_NOW = func.clock_timestamp()
_LISTED = ListedTable(table=webhooks, id=webhooks.c.webhook_id, sortable={}, searched=())


def webhook_of(row: Row[Any], channels: Sequence[WebhookChannel]) -> Webhook:
    """Return a row as a record."""
    return Webhook(
        webhook_id=row.webhook_id,
        namespace_id=row.namespace_id,
        webhook_name=row.webhook_name,
        event_types=tuple(row.event_types),
        resource_types=tuple(row.resource_types),
        channels=tuple(channels),
        is_active=row.is_active,
        delivery_health=row.delivery_health,
        created_at=row.created_at,
        updated_at=row.updated_at,
        hears=tuple(row.hears),
    )


def channel_of(row: Row[Any]) -> WebhookChannel:
    """Return a row as a record."""
    return WebhookChannel(channel=NotificationChannel(row.channel), configs=row.configs, sealed=row.sealed)


class PostgresWebhooks:
    """`WebhookRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, webhook: Webhook) -> None:
        """Insert a row for it and one for each channel."""
        kept = {"webhook_id": webhook.webhook_id, "namespace_id": webhook.namespace_id, "hears": list(webhook.hears)}
        times = {"created_at": webhook.created_at, "updated_at": webhook.updated_at}
        self._connection.execute(insert(webhooks).values({**kept, **times, **_changing(webhook)}))
        self._put_channels(webhook)

    def find(self, namespace_id: str, id_or_name: str, *, lock: bool = False) -> Webhook | None:
        """Read one row and its channels."""
        statement = (
            select(webhooks)
            .where(webhooks.c.namespace_id == namespace_id)
            .where(or_(webhooks.c.webhook_id == id_or_name, webhooks.c.webhook_name == id_or_name))
            .order_by((webhooks.c.webhook_id == id_or_name).desc(), webhooks.c.created_at.desc())
            .limit(1)
        )
        found = self._with_channels(self._connection.execute(statement.with_for_update() if lock else statement).all())
        return found[0] if found else None

    def list(self, namespace_id: str, wanted: WebhookFilter, selection: Selection) -> Sequence[Webhook]:
        """Read a page."""
        statement = _LISTED.page(select(webhooks).where(_meets(namespace_id, wanted)), selection)
        return self._with_channels(self._connection.execute(statement).all())

    def count(self, namespace_id: str, wanted: WebhookFilter) -> int:
        """Count them."""
        counted = select(func.count()).select_from(webhooks).where(_meets(namespace_id, wanted))
        return self._connection.execute(counted).scalar_one()

    def replace(self, webhook: Webhook) -> None:
        """Update its row, and put the channels in the places of the former."""
        values = {**_changing(webhook), "updated_at": webhook.updated_at}
        self._connection.execute(update(webhooks).where(webhooks.c.webhook_id == webhook.webhook_id).values(values))
        gone = webhook_channels.c.channel_no >= len(webhook.channels)
        self._connection.execute(
            delete(webhook_channels).where(webhook_channels.c.webhook_id == webhook.webhook_id, gone)
        )
        self._put_channels(webhook)
        self._give_up_beyond(webhook)

    def _give_up_beyond(self, webhook: Webhook) -> None:
        """End what waits for channels that are no more."""
        end = {"at": webhook.updated_at.isoformat(), "duration_ms": 0, "error": "the channel was removed"}
        given_up = {
            "status": DeliveryStatus.FAILED,
            "due_at": None,
            "finished_at": _NOW,
            "attempts": webhook_deliveries.c.attempts.op("||")(literal([end], JSONB)),
        }
        self._connection.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.webhook_id == webhook.webhook_id,
                webhook_deliveries.c.channel_no >= len(webhook.channels),
                webhook_deliveries.c.status == DeliveryStatus.WAITING,
            )
            .values(given_up)
        )

    def set_health(self, webhook_id: str, health: JsonObject | None, *, is_active: bool) -> None:
        """Update its row."""
        values = {"delivery_health": null() if health is None else dict(health), "is_active": is_active}
        self._connection.execute(update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(values))

    def delete(self, webhook_id: str) -> None:
        """Delete its row; the others go with it."""
        self._connection.execute(delete(webhooks).where(webhooks.c.webhook_id == webhook_id))

    def listening(self, events: Sequence[Event]) -> Sequence[Webhook]:
        """Read those of the namespaces that listen to some of the types."""
        pairs = {(event.namespace_id, event.event_type.value) for event in events}
        told = (and_(_hears(namespace), _holds(webhooks.c.event_types, word)) for namespace, word in sorted(pairs))
        statement = select(webhooks).where(webhooks.c.is_active, or_(*told)).order_by(webhooks.c.webhook_id)
        return self._with_channels(self._connection.execute(statement).all())

    def _with_channels(self, rows: Sequence[Row[Any]]) -> Sequence[Webhook]:
        ids = [row.webhook_id for row in rows]
        statement = select(webhook_channels).where(webhook_channels.c.webhook_id.in_(ids))
        found: dict[str, builtins.list[WebhookChannel]] = {webhook_id: [] for webhook_id in ids}
        for row in self._connection.execute(statement.order_by(webhook_channels.c.channel_no)) if ids else ():
            found[row.webhook_id].append(channel_of(row))
        return [webhook_of(row, found[row.webhook_id]) for row in rows]

    def _put_channels(self, webhook: Webhook) -> None:
        rows = [
            {
                "webhook_id": webhook.webhook_id,
                "channel_no": at,
                "namespace_id": webhook.namespace_id,
                "channel": one.channel,
                "configs": dict(one.configs),
                "sealed": one.sealed,
            }
            for at, one in enumerate(webhook.channels)
        ]
        new = insert_or_not(webhook_channels)
        kept = ("channel", "configs", "sealed")
        changed = {name: new.excluded[name] for name in kept} | {"failures": 0, "resume_at": _NOW}
        place = [webhook_channels.c.webhook_id, webhook_channels.c.channel_no]
        self._connection.execute(new.on_conflict_do_update(index_elements=place, set_=changed), rows)


def _changing(webhook: Webhook) -> dict[str, Any]:
    return {
        "webhook_name": webhook.webhook_name,
        "event_types": list(webhook.event_types),
        "resource_types": list(webhook.resource_types),
        "is_active": webhook.is_active,
        "delivery_health": null() if webhook.delivery_health is None else dict(webhook.delivery_health),
    }


def _meets(namespace_id: str, wanted: WebhookFilter) -> Any:
    types, active = wanted.event_type, wanted.is_active
    return and_(
        webhooks.c.namespace_id == namespace_id,
        true() if types is None else _holds(webhooks.c.event_types, types),
        true() if active is None else webhooks.c.is_active == active,
        webhooks.c.hears.contained_by(literal(list(wanted.reach), JSONB)) if wanted.reach else true(),
    )


def _hears(namespace_id: str) -> ColumnElement[bool]:
    return or_(
        webhooks.c.namespace_id == namespace_id,
        _holds(webhooks.c.hears, namespace_id),
        _holds(webhooks.c.hears, EVERYWHERE),
    )


def _holds(column: Column[Any], word: str) -> ColumnElement[bool]:
    return column.contains(literal([word], JSONB))
