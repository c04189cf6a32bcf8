"""Webhooks: made, found, listed, changed and deleted; and what they have delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shoald.application.access import Caller
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.ports.clock import Clock
from shoald.application.ports.repositories.webhooks import WebhookFilter
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.webhook_channels import AskedChannel, WebhookChannels
from shoald.domain.failures import Conflict, DeliveryNotFound, WebhookNotFound
from shoald.domain.identifiers import new_webhook_id
from shoald.domain.platform_words import DeliveryStatus
from shoald.domain.records.webhook import EVERYWHERE, Delivery, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedWebhook:
    """What a caller says of a webhook; in a change, None and empty lists leave what is there."""

    webhook_name: str | None = None
    event_types: Sequence[str] = ()
    resource_types: Sequence[str] = ()
    channels: Sequence[AskedChannel] = ()
    is_active: bool | None = None


class Webhooks:
    """The webhooks of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors, channels: WebhookChannels
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._channels = channels

    def create(self, caller: Caller, asked: AskedWebhook, *, is_for_all: bool = False) -> Webhook:
        """Make a webhook; raises `InvalidFields` for channels that cannot be used.

        `is_for_all`: it hears what happens in every namespace that the caller's key opens.
        """
        webhook_id, now = new_webhook_id(), self._clock.now()
        webhook = Webhook(
            webhook_id=webhook_id,
            namespace_id=caller.namespace_id,
            webhook_name=asked.webhook_name or "",
            event_types=tuple(dict.fromkeys(asked.event_types)),
            resource_types=tuple(dict.fromkeys(asked.resource_types)),
            channels=self._channels.read(asked.channels, webhook_id),
            is_active=asked.is_active is not False,
            delivery_health=None,
            created_at=now,
            updated_at=now,
            hears=(caller.reach or (EVERYWHERE,)) if is_for_all else (),
        )
        with self._open_unit_of_work() as uow:
            uow.webhooks.add(webhook)
            uow.commit()
        return webhook

    def get(self, caller: Caller, identifier: str) -> Webhook:
        """Return a webhook by id or name; raises `WebhookNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return find_webhook(uow, caller, identifier)

    def list(self, caller: Caller, wanted: WebhookFilter, query: ListQuery) -> Page[Webhook]:
        """Return a page of webhooks, newest first."""
        scope = f"webhooks/{caller.namespace_id}/{wanted.event_type}/{wanted.is_active}"
        wanted = replace(wanted, reach=caller.reach)
        selection = select_page(query, self._cursors.open(scope, query), None)
        with self._open_unit_of_work(reading=True) as uow:
            rows = uow.webhooks.list(caller.namespace_id, wanted, selection)
            total = uow.webhooks.count(caller.namespace_id, wanted)
        return make_page(rows, query, selection, total=total, seal=self._cursors.sealer(scope, query))

    def replace(self, caller: Caller, identifier: str, asked: AskedWebhook) -> Webhook:
        """Give a webhook other settings, all of them; raises `WebhookNotFound` and `InvalidFields`."""
        whole = replace(asked, is_active=asked.is_active is not False)
        return self._changed(caller, identifier, whole, resource_types=tuple(dict.fromkeys(asked.resource_types)))

    def update(self, caller: Caller, identifier: str, asked: AskedWebhook) -> Webhook:
        """Change what is set of a webhook, and leave the rest; raises `WebhookNotFound` and `InvalidFields`."""
        return self._changed(caller, identifier, asked)

    def _changed(
        self, caller: Caller, identifier: str, asked: AskedWebhook, resource_types: tuple[str, ...] | None = None
    ) -> Webhook:
        """Store a webhook with its new settings. Who sets it active clears what was said of its failures."""
        with self._open_unit_of_work() as uow:
            present = find_webhook(uow, caller, identifier, lock=True)
            channels = self._channels.read(asked.channels, present.webhook_id, present.channels)
            chosen = resource_types if resource_types is not None else tuple(dict.fromkeys(asked.resource_types))
            changed = replace(
                present,
                webhook_name=asked.webhook_name or present.webhook_name,
                event_types=tuple(dict.fromkeys(asked.event_types)) or present.event_types,
                resource_types=chosen if resource_types is not None else chosen or present.resource_types,
                channels=channels or present.channels,
                is_active=present.is_active if asked.is_active is None else asked.is_active,
                delivery_health=None if asked.is_active else present.delivery_health,
                updated_at=self._clock.now(),
            )
            uow.webhooks.replace(changed)
            if changed.is_active and not present.is_active:
                uow.deliveries.begin_all_again(changed.webhook_id)  # its day does not run while it is paused
            uow.commit()
        return changed

    def delete(self, caller: Caller, identifier: str) -> None:
        """Remove a webhook with its deliveries; one that is not there is gone already."""
        with self._open_unit_of_work() as uow:
            found = uow.webhooks.find(caller.namespace_id, identifier)
            if found is not None and _is_open_to(caller, found):
                uow.webhooks.delete(found.webhook_id)
                uow.commit()

    def deliveries(self, caller: Caller, identifier: str, query: ListQuery) -> Page[Delivery]:
        """Return a page of what a webhook has delivered or is to deliver, newest first unless sorted."""
        condition = condition_of(query.filters)
        with self._open_unit_of_work(reading=True) as uow:
            webhook_id = find_webhook(uow, caller, identifier).webhook_id
            scope = f"deliveries/{webhook_id}"
            selection = select_page(query, self._cursors.open(scope, query), condition)
            rows = uow.deliveries.list(webhook_id, selection)
            total = uow.deliveries.count(webhook_id, selection)
        return make_page(rows, query, selection, total=total, seal=self._cursors.sealer(scope, query))

    def delivery(self, caller: Caller, identifier: str, delivery_id: str) -> Delivery:
        """Return one delivery; raises `WebhookNotFound` or `DeliveryNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return _find_delivery(uow, find_webhook(uow, caller, identifier), delivery_id)

    def redeliver(self, caller: Caller, identifier: str, delivery_id: str) -> Delivery:
        """Let a delivery be tried anew, at once, whatever came of it before; the event's id stays the same.

        Raises `WebhookNotFound`, `DeliveryNotFound`, and `Conflict` when its channel is no more.
        """
        with self._open_unit_of_work() as uow:
            webhook = find_webhook(uow, caller, identifier, lock=True)
            delivery = _find_delivery(uow, webhook, delivery_id)
            if delivery.channel_no >= len(webhook.channels):
                message = "The channel of this delivery was removed."
                raise Conflict(message, detail={"delivery_id": delivery_id})
            if delivery.status is not DeliveryStatus.WAITING or delivery.tries:
                uow.deliveries.begin_again(delivery_id)
                uow.commit()
            return _find_delivery(uow, webhook, delivery_id)


def find_webhook(uow: UnitOfWork, caller: Caller, identifier: str, *, lock: bool = False) -> Webhook:
    """Return a webhook of the caller's namespace; raises `WebhookNotFound`."""
    found = uow.webhooks.find(caller.namespace_id, identifier, lock=lock)
    if found is None or not _is_open_to(caller, found):
        raise WebhookNotFound(f"There is no webhook {identifier!r}.", detail={"webhook": identifier})
    return found


def _is_open_to(caller: Caller, webhook: Webhook) -> bool:
    """Say whether a caller may see what a webhook hears."""
    return not caller.reach or set(webhook.hears) <= set(caller.reach)


def _find_delivery(uow: UnitOfWork, webhook: Webhook, delivery_id: str) -> Delivery:
    found = uow.deliveries.find(webhook.webhook_id, delivery_id)
    if found is None:
        raise DeliveryNotFound(f"There is no delivery {delivery_id!r}.", detail={"delivery_id": delivery_id})
    return found
