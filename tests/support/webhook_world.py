"""Webhooks in a real PostgreSQL, told of events and delivered by the test itself."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import psycopg

from shoald.application.event_telling import EventTelling
from shoald.application.listing import ListQuery
from shoald.application.webhook_channels import AskedChannel
from shoald.application.webhooks import AskedWebhook
from shoald.domain.platform_words import EventType
from shoald.domain.records.event import Event
from shoald.domain.records.webhook import Delivery, Webhook
from support.cluster_world import ClusterWorld


@dataclass
class WebhookWorld:
    """Webhooks in a real PostgreSQL, and what tells and delivers, called by the test itself."""

    world: ClusterWorld
    telling: EventTelling

    def webhook(
        self, *urls: str, types: tuple[EventType, ...] = (EventType.CLUSTER_CREATED,), **configs: Any
    ) -> Webhook:
        channels = [AskedChannel(channel="webhook", configs={"url": url, **configs}) for url in urls]
        asked = AskedWebhook(webhook_name="w", event_types=[word.value for word in types], channels=channels)
        return self.world.use_cases.webhooks.create(self.world.caller, asked)

    def event(self, event_type: EventType, *, namespace_id: str | None = None, at: int = 0, **metadata: Any) -> Event:
        return Event(
            event_type=event_type,
            namespace_id=namespace_id or self.world.caller.namespace_id,
            subject_type="cluster",
            subject_id=f"clust_{at:016x}",
            occurred_at=self.world.adapters.clock.now(),
            metadata=metadata,
        )

    def happen(self, n: int = 1, event_type: EventType = EventType.CLUSTER_CREATED, **metadata: Any) -> list[Event]:
        events = [self.event(event_type, at=at, **metadata) for at in range(n)]
        with self.world.adapters.open_unit_of_work() as uow:
            for event in events:
                uow.events.add(event)
            uow.commit()
        return events

    def deliver(self) -> int:
        """Make deliveries of what happened, and try all that are due; return how many tries there were."""
        self.telling.run_pass()
        tries, delivering = 0, self.world.adapters.delivering
        while (errand := delivering.take()) is not None:
            delivering.carry_out(errand)
            tries += 1
        return tries

    def make_due(self) -> None:
        """Let everything that waits be due now."""
        with contextlib.closing(self.connection()) as connection:
            connection.autocommit = True  # each row for itself: couriers may be at work
            connection.execute("UPDATE webhook_deliveries SET due_at = now() WHERE status = 'waiting'")
            connection.execute("UPDATE webhook_channels SET resume_at = now() WHERE resume_at > now()")

    def connection(self) -> Any:
        return psycopg.connect(self.world.adapters.settings.database_url)

    def deliveries(self, webhook: Webhook) -> list[Delivery]:
        page = self.world.use_cases.webhooks.deliveries(self.world.caller, webhook.webhook_id, ListQuery(limit=1000))
        return sorted(page.items, key=lambda one: (one.event_sequence, one.channel_no))

    def get(self, webhook: Webhook) -> Webhook:
        return self.world.use_cases.webhooks.get(self.world.caller, webhook.webhook_id)
