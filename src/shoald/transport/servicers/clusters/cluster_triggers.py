"""Triggers of clusters over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import cluster_trigger_service_pb2 as pb
from shoal.clusters.v1 import cluster_trigger_service_pb2_grpc, trigger_pb2

from shoald.application.access import Access
from shoald.application.triggers import Triggers
from shoald.transport.callers import caller_of
from shoald.transport.calls import answer_nothing
from shoald.transport.mapping.clusters import triggers as mapping


class ClusterTriggerServicer(cluster_trigger_service_pb2_grpc.ClusterTriggerServiceServicer):
    """Hands requests to `Triggers`."""

    def __init__(self, access: Access, triggers: Triggers) -> None:
        self._access = access
        self._triggers = triggers

    def CreateClusterTrigger(
        self, request: pb.CreateClusterTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.Trigger:
        """Make one."""
        caller = caller_of(self._access, context)
        return mapping.cluster_message(self._triggers.create(caller, mapping.cluster_request_of(request)))

    def ListClusterTriggers(
        self, request: pb.ListClusterTriggersRequest, context: grpc.ServicerContext
    ) -> pb.ListClusterTriggersResponse:
        """List those of the namespace."""
        query = mapping.query_of(request)
        states, total = self._triggers.list(caller_of(self._access, context), query)
        return pb.ListClusterTriggersResponse(
            results=map(mapping.cluster_message, states), total=total, offset=query.offset, limit=query.limit
        )

    def GetClusterTrigger(
        self, request: pb.GetClusterTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.Trigger:
        """Get one."""
        return mapping.cluster_message(self._triggers.get(caller_of(self._access, context), request.trigger_id))

    def UpdateClusterTrigger(
        self, request: pb.UpdateClusterTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.Trigger:
        """Change one."""
        caller, changes = caller_of(self._access, context), mapping.changes_of(request.body)
        return mapping.cluster_message(self._triggers.update(caller, request.trigger_id, changes))

    def DeleteClusterTrigger(
        self, request: pb.DeleteClusterTriggerRequest, context: grpc.ServicerContext
    ) -> pb.DeleteTriggerResponse:
        """Take one out of use."""
        self._triggers.delete(caller_of(self._access, context), request.trigger_id)
        answer_nothing()
        return pb.DeleteTriggerResponse()

    def PauseClusterTrigger(
        self, request: pb.PauseClusterTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.Trigger:
        """Pause one."""
        return mapping.cluster_message(self._triggers.pause(caller_of(self._access, context), request.trigger_id))

    def ResumeClusterTrigger(
        self, request: pb.ResumeClusterTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.Trigger:
        """Resume one."""
        return mapping.cluster_message(self._triggers.resume(caller_of(self._access, context), request.trigger_id))

    def GetClusterTriggerHistory(
        self, request: pb.GetClusterTriggerHistoryRequest, context: grpc.ServicerContext
    ) -> pb.GetClusterTriggerHistoryResponse:
        """List the firings of one."""
        caller = caller_of(self._access, context)
        limit, offset = mapping.page_of(request.body)
        status = request.body.status_filter or None
        firings, total = self._triggers.history(caller, request.trigger_id, status=status, limit=limit, offset=offset)
        return pb.GetClusterTriggerHistoryResponse(
            trigger_id=request.trigger_id,
            executions=map(mapping.cluster_firing, firings),
            total=total,
            offset=offset,
            limit=limit,
        )
