"""Webhooks over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import webhook_pb2, webhook_service_pb2_grpc
from shoal.clusters.v1 import webhook_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.webhooks import Webhooks
from shoald.transport.callers import caller_of
from shoald.transport.calls import answer_nothing, requested_namespace
from shoald.transport.mapping.clusters import webhooks as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class WebhookServicer(webhook_service_pb2_grpc.WebhookServiceServicer):
    """Hands requests to `Webhooks`."""

    def __init__(self, access: Access, webhooks: Webhooks) -> None:
        self._access = access
        self._webhooks = webhooks

    def CreateWebhook(self, request: pb.CreateWebhookRequest, context: grpc.ServicerContext) -> webhook_pb2.Webhook:
        """Make one."""
        caller = caller_of(self._access, context)
        is_for_all = requested_namespace(context) is None
        return mapping.to_message(self._webhooks.create(caller, mapping.asked_of(request), is_for_all=is_for_all))

    def ListWebhooks(self, request: pb.ListWebhooksRequest, context: grpc.ServicerContext) -> pb.ListWebhooksResponse:
        """List those of the namespace."""
        caller = caller_of(self._access, context)
        page = self._webhooks.list(caller, mapping.filter_of(request), list_query(request))
        return pb.ListWebhooksResponse(
            results=map(mapping.to_message, page.items), pagination=pagination(page), total=page.total or 0
        )

    def GetWebhook(self, request: pb.GetWebhookRequest, context: grpc.ServicerContext) -> webhook_pb2.Webhook:
        """Get one."""
        return mapping.to_message(self._webhooks.get(caller_of(self._access, context), request.identifier))

    def ReplaceWebhook(self, request: pb.ReplaceWebhookRequest, context: grpc.ServicerContext) -> webhook_pb2.Webhook:
        """Give one other settings."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._webhooks.replace(caller, request.identifier, mapping.asked_of(request)))

    def UpdateWebhook(self, request: pb.UpdateWebhookRequest, context: grpc.ServicerContext) -> webhook_pb2.Webhook:
        """Change some of its settings."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._webhooks.update(caller, request.identifier, mapping.asked_of(request)))

    def DeleteWebhook(
        self, request: pb.DeleteWebhookRequest, context: grpc.ServicerContext
    ) -> pb.DeleteWebhookResponse:
        """Delete one."""
        self._webhooks.delete(caller_of(self._access, context), request.identifier)
        answer_nothing()
        return pb.DeleteWebhookResponse()

    def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: grpc.ServicerContext
    ) -> pb.ListWebhookDeliveriesResponse:
        """List what it delivers."""
        caller = caller_of(self._access, context)
        page = self._webhooks.deliveries(caller, request.identifier, list_query(request))
        return pb.ListWebhookDeliveriesResponse(
            results=map(mapping.delivery_message, page.items), pagination=pagination(page), total=page.total or 0
        )

    def GetWebhookDelivery(
        self, request: pb.GetWebhookDeliveryRequest, context: grpc.ServicerContext
    ) -> webhook_pb2.WebhookDelivery:
        """Get one delivery."""
        caller = caller_of(self._access, context)
        return mapping.delivery_message(self._webhooks.delivery(caller, request.identifier, request.delivery_id))

    def RedeliverWebhook(
        self, request: pb.RedeliverWebhookRequest, context: grpc.ServicerContext
    ) -> webhook_pb2.WebhookDelivery:
        """Try one anew."""
        caller = caller_of(self._access, context)
        return mapping.delivery_message(self._webhooks.redeliver(caller, request.identifier, request.delivery_id))
