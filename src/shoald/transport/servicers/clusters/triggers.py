"""Triggers of the general API over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import cluster_trigger_service_pb2, task_pb2, trigger_pb2, trigger_service_pb2_grpc
from shoal.clusters.v1 import trigger_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.triggers import Triggers
from shoald.transport.callers import caller_of
from shoald.transport.calls import answer_nothing
from shoald.transport.mapping.clusters import tasks
from shoald.transport.mapping.clusters import triggers as mapping


class TriggerServicer(trigger_service_pb2_grpc.TriggerServiceServicer):
    """Hands requests to `Triggers`."""

    def __init__(self, access: Access, triggers: Triggers) -> None:
        self._access = access
        self._triggers = triggers

    def CreateTrigger(
        self, request: pb.CreateTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.GeneralTrigger:
        """Make one."""
        caller = caller_of(self._access, context)
        return mapping.general_message(self._triggers.create(caller, mapping.general_request_of(request)))

    def ListTriggers(self, request: pb.ListTriggersRequest, context: grpc.ServicerContext) -> pb.ListTriggersResponse:
        """List those of the namespace."""
        query = mapping.query_of(request)
        states, total = self._triggers.list(caller_of(self._access, context), query)
        return pb.ListTriggersResponse(
            results=map(mapping.general_message, states), total=total, offset=query.offset, limit=query.limit
        )

    def GetTrigger(self, request: pb.GetTriggerRequest, context: grpc.ServicerContext) -> trigger_pb2.GeneralTrigger:
        """Get one."""
        return mapping.general_message(self._triggers.get(caller_of(self._access, context), request.trigger_id))

    def UpdateTrigger(
        self, request: pb.UpdateTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.GeneralTrigger:
        """Change one."""
        caller, changes = caller_of(self._access, context), mapping.changes_of(request.body)
        return mapping.general_message(self._triggers.update(caller, request.trigger_id, changes))

    def DeleteTrigger(
        self, request: pb.DeleteTriggerRequest, context: grpc.ServicerContext
    ) -> cluster_trigger_service_pb2.DeleteTriggerResponse:
        """Take one out of use."""
        self._triggers.delete(caller_of(self._access, context), request.trigger_id)
        answer_nothing()
        return cluster_trigger_service_pb2.DeleteTriggerResponse()

    def PauseTrigger(
        self, request: pb.PauseTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.GeneralTrigger:
        """Pause one."""
        return mapping.general_message(self._triggers.pause(caller_of(self._access, context), request.trigger_id))

    def ResumeTrigger(
        self, request: pb.ResumeTriggerRequest, context: grpc.ServicerContext
    ) -> trigger_pb2.GeneralTrigger:
        """Resume one."""
        return mapping.general_message(self._triggers.resume(caller_of(self._access, context), request.trigger_id))

    def ExecuteTrigger(self, request: pb.ExecuteTriggerRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Start what one starts."""
        return tasks.to_message(self._triggers.execute(caller_of(self._access, context), request.trigger_id))

    def GetTriggerHistory(
        self, request: pb.GetTriggerHistoryRequest, context: grpc.ServicerContext
    ) -> pb.GetTriggerHistoryResponse:
        """List the firings of one."""
        caller = caller_of(self._access, context)
        limit, offset = mapping.page_of(request)
        firings, total = self._triggers.history(caller, request.trigger_id, limit=limit, offset=offset)
        return pb.GetTriggerHistoryResponse(
            trigger_id=request.trigger_id,
            executions=map(mapping.general_firing, firings),
            total=total,
            offset=offset,
            limit=limit,
        )
