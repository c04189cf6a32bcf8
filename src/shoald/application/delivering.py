"""Deliveries that are due go out, one at a time through each channel, and what came of each try is stored.

A try is a lease of its channel, the sending outside any transaction, and one transaction that stores the end under the
lease's number. Who is killed in between leaves a delivery that still waits: it is tried again when the lease has ended,
under the same event id.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shoald.application.delivery_messages import mail, slack_post, webhook_post
from shoald.application.ports.clock import Clock
from shoald.application.ports.messengers import Mailer, Poster, Reception
from shoald.application.ports.repositories.webhooks import Errand, Settlement
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.webhook_channels import ChannelSecrets, WebhookChannels
from shoald.domain.failures import Failure
from shoald.domain.platform_words import DeliveryStatus, NotificationChannel
from shoald.domain.records.webhook import Delivery, DeliveryAttempt, Webhook
from shoald.domain.webhooks.payloads import text_of
from shoald.domain.webhooks.retries import breather_after, wait_after

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Longer than any message may take: 30 s, and what a name server takes."""

_PAUSED_AFTER = timedelta(days=3)
_PAUSED_AFTER_FAILURES = 10


@dataclass(frozen=True, kw_only=True)
class Delivering:
    """Tries one delivery after another; any number of threads and processes may do so at once.

    `most_of_namespace` is the number of channels of one namespace that are written to at a time, so that one tenant's
    slow receivers leave others their turn.
    """

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    channels: WebhookChannels
    poster: Poster
    mailer: Mailer
    most_of_namespace: int = 4
    lease: timedelta = LEASE
    chance: Callable[[], float] = random.random

    def take(self) -> Errand | None:
        """Lease what is due first; None when nothing is."""
        with self.open_unit_of_work() as uow:
            errand = uow.deliveries.take(self.lease, most_of_namespace=self.most_of_namespace)
            uow.commit()
        return errand

    def carry_out(self, errand: Errand) -> None:
        """Try a delivery that was taken, and store what came of it."""
        began, at = time.monotonic(), self.clock.now()
        reception = self._sent(errand, at)
        attempt = DeliveryAttempt(
            at=at,
            duration_ms=round((time.monotonic() - began) * 1000),
            status_code=reception.status_code,
            error=reception.error,
        )
        self._settle(errand, reception, attempt)

    def _sent(self, errand: Errand, at: datetime) -> Reception:
        try:
            return self._send(errand, at)
        except Failure as failure:
            return Reception(error=failure.message)
        except ValueError as error:  # a template that gives no JSON with these values
            return Reception(error=f"the message cannot be made: {error}")
        except Exception:  # whatever it is, it must not come back for ever before those behind it
            log.exception("delivery %s could not be tried", errand.delivery.delivery_id)
            return Reception(error="Shoal could not send the message; its log says why")

    def _send(self, errand: Errand, at: datetime) -> Reception:
        match errand.channel.channel:
            case NotificationChannel.EMAIL:
                return self.mailer.send(mail(errand))
            case NotificationChannel.SLACK:
                return self.poster.send(slack_post(errand, self._secrets(errand)))
            case NotificationChannel.WEBHOOK:
                return self.poster.send(webhook_post(errand, self._secrets(errand), int(at.timestamp())))

    def _secrets(self, errand: Errand) -> ChannelSecrets:
        return self.channels.secrets_of(errand.channel, errand.webhook.webhook_id)

    def _settle(self, errand: Errand, reception: Reception, attempt: DeliveryAttempt) -> None:
        settlement = _settlement(errand, reception, attempt, self.chance())
        with self.open_unit_of_work() as uow:
            # locked before its channel, as whoever changes it does
            webhook = uow.webhooks.find(errand.webhook.namespace_id, errand.webhook.webhook_id, lock=True)
            if webhook is None or not uow.deliveries.settle(errand, settlement):
                log.warning("delivery %s lost its lease; it is tried again", errand.delivery.delivery_id)
                return
            _note_health(uow, webhook, reception, attempt.at)
            uow.commit()
        level = logging.INFO if reception.was_taken else logging.WARNING
        told = {"webhook_id": errand.webhook.webhook_id, "status_code": reception.status_code}
        log.log(level, "delivery %s: %s", errand.delivery.delivery_id, settlement.status, extra=told)


def _settlement(errand: Errand, reception: Reception, attempt: DeliveryAttempt, chance: float) -> Settlement:
    if reception.was_taken:
        return Settlement(status=DeliveryStatus.DELIVERED, attempt=attempt)
    failures = errand.failures + 1
    if reception.is_final:
        return Settlement(status=DeliveryStatus.FAILED, attempt=attempt, failures=failures)
    passed = _since_first_try(errand.delivery, attempt)
    wait = wait_after(errand.delivery.tries + 1, passed=passed, retry_after=reception.retry_after, chance=chance)
    return Settlement(
        status=DeliveryStatus.FAILED if wait is None else DeliveryStatus.WAITING,
        attempt=attempt,
        wait=wait,
        breather=_breather(failures, wait, reception),
        failures=failures,
    )


def _since_first_try(delivery: Delivery, attempt: DeliveryAttempt) -> timedelta:
    """Return the time from the first try of the present round to this one."""
    return attempt.at - delivery.attempts[-delivery.tries].at if delivery.tries else timedelta(0)


def _breather(failures: int, wait: timedelta | None, reception: Reception) -> timedelta:
    """Return how long the channel is spared: what the receiver asked for is meant for all that it is sent, but nothing
    is spared for longer than this delivery waits.
    """
    asked = reception.retry_after or timedelta(0)
    return max(breather_after(failures), min(asked, wait or timedelta(0)))


def _note_health(uow: UnitOfWork, webhook: Webhook, reception: Reception, at: datetime) -> None:
    """Write the documented state of deliveries: nothing while all goes well, else the present run of failed tries."""
    if reception.was_taken:
        if webhook.delivery_health is not None and webhook.is_active:
            uow.webhooks.set_health(webhook.webhook_id, None, is_active=True)
        return
    health: dict[str, Any] = {"first_failure_at": text_of(at), **(webhook.delivery_health or {})}
    health["consecutive_failures"] = int(health.get("consecutive_failures", 0)) + 1
    health.update(last_failure_at=text_of(at), last_failure_cause=reception.error)
    reason = _reason_to_pause(health, reception, at) if webhook.is_active else None
    if reason is not None:
        health.update(paused_at=text_of(at), paused_reason=reason)
        log.warning("webhook %s is paused: %s", webhook.webhook_id, reason)
    uow.webhooks.set_health(webhook.webhook_id, health, is_active=webhook.is_active and reason is None)


def _reason_to_pause(health: dict[str, Any], reception: Reception, at: datetime) -> str | None:
    """Return why a webhook is paused: its receiver asked for it, or nothing got through for days."""
    if reception.is_final and reception.status_code is not None:
        return f"the receiver answered {reception.status_code}: it wants no more"
    days = at - datetime.fromisoformat(health["first_failure_at"])
    if days >= _PAUSED_AFTER and health["consecutive_failures"] >= _PAUSED_AFTER_FAILURES:
        return f"every try has failed for {_PAUSED_AFTER.days} days"
    return None
