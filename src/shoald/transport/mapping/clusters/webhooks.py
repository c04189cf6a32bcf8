"""Webhooks and their deliveries as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.clusters.v1 import webhook_pb2, webhook_service_pb2

from shoald.application.ports.repositories.webhooks import WebhookFilter
from shoald.application.webhook_channels import AskedChannel
from shoald.application.webhooks import AskedWebhook
from shoald.domain.records.webhook import Delivery, DeliveryAttempt, Webhook, WebhookChannel
from shoald.transport.json_values import plain_object, to_struct
from shoald.transport.mapping.clusters.times import optional_timestamp, to_timestamp

_Request = (
    webhook_service_pb2.CreateWebhookRequest
    | webhook_service_pb2.ReplaceWebhookRequest
    | webhook_service_pb2.UpdateWebhookRequest
)


def asked_of(request: _Request) -> AskedWebhook:
    """Return what a request says of a webhook."""
    return AskedWebhook(
        webhook_name=request.webhook_name or None,
        event_types=tuple(request.event_types),
        resource_types=tuple(request.resource_types),
        channels=_channels_of(request.channels),
        is_active=request.is_active if request.HasField("is_active") else None,
    )


def filter_of(request: webhook_service_pb2.ListWebhooksRequest) -> WebhookFilter:
    """Return which webhooks a list shows."""
    body = request.body
    return WebhookFilter(
        event_type=body.event_type or None, is_active=body.is_active if body.HasField("is_active") else None
    )


def to_message(webhook: Webhook) -> webhook_pb2.Webhook:
    """Return a webhook as it is shown; its secrets are not among what a record shows."""
    return webhook_pb2.Webhook(
        webhook_id=webhook.webhook_id,
        webhook_name=webhook.webhook_name,
        event_types=webhook.event_types,
        resource_types=webhook.resource_types,
        channels=map(_channel_message, webhook.channels),
        is_active=webhook.is_active,
        delivery_health=None if webhook.delivery_health is None else to_struct(webhook.delivery_health),
        created_at=to_timestamp(webhook.created_at),
        updated_at=to_timestamp(webhook.updated_at),
        namespace_ids=webhook.hears,
    )


def delivery_message(delivery: Delivery) -> webhook_pb2.WebhookDelivery:
    """Return a delivery as it is shown."""
    return webhook_pb2.WebhookDelivery(
        delivery_id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        channel=delivery.channel.value,
        channel_no=delivery.channel_no,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        status=delivery.status.value,
        tries=delivery.tries,
        attempts=map(_attempt_message, delivery.attempts),
        payload=to_struct(delivery.payload),
        next_try_at=optional_timestamp(delivery.due_at),
        created_at=to_timestamp(delivery.created_at),
        finished_at=optional_timestamp(delivery.finished_at),
    )


def _channels_of(messages: Iterable[webhook_service_pb2.WebhookChannelInput]) -> tuple[AskedChannel, ...]:
    return tuple(AskedChannel(channel=one.channel, configs=plain_object(one.configs)) for one in messages)


def _channel_message(channel: WebhookChannel) -> webhook_pb2.WebhookChannel:
    return webhook_pb2.WebhookChannel(channel=channel.channel.value, configs=to_struct(channel.configs))


def _attempt_message(attempt: DeliveryAttempt) -> webhook_pb2.WebhookDeliveryAttempt:
    return webhook_pb2.WebhookDeliveryAttempt(
        at=to_timestamp(attempt.at),
        duration_ms=attempt.duration_ms,
        status_code=attempt.status_code,
        error=attempt.error,
    )
