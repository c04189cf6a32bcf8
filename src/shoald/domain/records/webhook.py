"""A webhook: who is told when something happens; and its deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import DeliveryStatus, NotificationChannel
from shoald.domain.records.event import Event

EVERYWHERE = "*"
"""All namespaces, those that are yet to come too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChannel:
    """One way to tell. `configs` are the documented settings without what is secret; `sealed` is that, encrypted."""

    channel: NotificationChannel
    configs: JsonObject
    sealed: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Who is told of which events. No resource types means all.

    It belongs to `namespace_id` and hears what happens there, or in the namespaces `hears`; `*` means all.

    `delivery_health` describes the present run of failed tries, and None means that there is none.
    """

    webhook_id: str
    namespace_id: str
    webhook_name: str
    event_types: tuple[str, ...]
    resource_types: tuple[str, ...]
    channels: tuple[WebhookChannel, ...]
    is_active: bool
    delivery_health: JsonObject | None
    created_at: datetime
    updated_at: datetime
    hears: tuple[str, ...] = ()

    def wants(self, event: Event) -> bool:
        """Say whether it is told of an event."""
        heard = self.hears or (self.namespace_id,)
        if EVERYWHERE not in heard and event.namespace_id not in heard:
            return False
        if not self.is_active or event.event_type not in self.event_types:
            return False
        return not self.resource_types or event.resource_type in self.resource_types


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One try: when, how long it took, and what came of it; without a status there was no answer."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way through one channel of a webhook.

    `payload` is what is told, the same at every try. `tries` counts those of the present round, which a redelivery
    begins anew; `attempts` are the latest of all rounds. `due_at` says when it is tried next, and means something only
    while it waits.
    """

    delivery_id: str
    namespace_id: str
    webhook_id: str
    channel_no: int
    channel: NotificationChannel
    event_id: str
    event_type: str
    event_sequence: int
    payload: JsonObject = field(repr=False)
    status: DeliveryStatus
    tries: int
    attempts: tuple[DeliveryAttempt, ...]
    due_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
