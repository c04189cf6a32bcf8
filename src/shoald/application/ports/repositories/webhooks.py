"""What the use cases ask of stored webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import DeliveryStatus
from shoald.domain.records.event import Event
from shoald.domain.records.webhook import Delivery, DeliveryAttempt, Webhook, WebhookChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFilter:
    """Which webhooks a list shows; None means any. `reach` is what the caller's key opens, nothing for all: webhooks
    that hear more are not shown.
    """

    event_type: str | None = None
    is_active: bool | None = None
    reach: tuple[str, ...] = ()


class WebhookRepository(Protocol):
    """Stored webhooks."""

    def add(self, webhook: Webhook) -> None:
        """Store a webhook with its channels."""
        ...

    def find(self, namespace_id: str, id_or_name: str, *, lock: bool = False) -> Webhook | None:
        """Return the webhook of the namespace with this id, else the newest with this name.

        With `lock` nobody else changes it until the transaction ends.
        """
        ...

    def list(self, namespace_id: str, wanted: WebhookFilter, selection: Selection) -> Sequence[Webhook]:
        """Return webhooks, newest first."""
        ...

    def count(self, namespace_id: str, wanted: WebhookFilter) -> int:
        """Return how many there are."""
        ...

    def replace(self, webhook: Webhook) -> None:
        """Store a webhook again with what changed.

        What waits for a channel that is no more is given up; the others send what waits with their new settings, at
        once if they were being spared.
        """
        ...

    def set_health(self, webhook_id: str, health: JsonObject | None, *, is_active: bool) -> None:
        """Note how deliveries go."""
        ...

    def delete(self, webhook_id: str) -> None:
        """Remove a webhook with its deliveries."""
        ...

    def listening(self, events: Sequence[Event]) -> Sequence[Webhook]:
        """Return the active webhooks that may want to be told of some of these events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """An event that a channel is to be told of."""

    delivery_id: str
    webhook: Webhook
    channel_no: int
    event: Event
    payload: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A delivery that is to be tried now, and all that it takes; `lease_no` is its fence.

    `failures` counts the tries of the channel that have failed in a row before this one.
    """

    delivery: Delivery
    webhook: Webhook
    channel: WebhookChannel
    lease_no: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What comes of a try: the delivery's new status, when it is tried again, and how long its channel is spared."""

    status: DeliveryStatus
    attempt: DeliveryAttempt
    wait: timedelta | None = None
    breather: timedelta = timedelta(0)
    failures: int = 0


class DeliveryRepository(Protocol):
    """Stored deliveries. All times are the database's."""

    def add(self, deliveries: Sequence[NewDelivery]) -> None:
        """Store deliveries that wait for their first try; one of the same event through the same channel is left."""
        ...

    def take(self, lease: timedelta, *, most_of_namespace: int) -> Errand | None:
        """Lease the channel that has waited longest with something due, and return the first that is due in it.

        Channels of paused webhooks, leased ones, those that are being spared, and those of namespaces that have
        `most_of_namespace` leased already are passed over.
        """
        ...

    def settle(self, errand: Errand, settlement: Settlement) -> bool:
        """Store what came of a try and give the channel back; False, and nothing stored, when its lease was lost."""
        ...

    def find(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """Return a delivery."""
        ...

    def list(self, webhook_id: str, selection: Selection) -> Sequence[Delivery]:
        """Return deliveries, newest first unless sorted."""
        ...

    def count(self, webhook_id: str, selection: Selection) -> int:
        """Return how many meet the condition."""
        ...

    def begin_again(self, delivery_id: str) -> None:
        """Let a delivery wait for a first try, now; its channel is not spared any longer."""
        ...

    def begin_all_again(self, webhook_id: str) -> None:
        """Let all that waits of a webhook wait for a first try, now; whoever changes it holds its row."""
        ...

    def remove(self, older_than: timedelta, limit: int) -> int:
        """Remove deliveries that ended longer ago than this, and say how many."""
        ...
