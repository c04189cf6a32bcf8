"""Sweeps over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import sweep_pb2, sweep_service_pb2_grpc, task_pb2
from shoal.clusters.v1 import sweep_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.sweeping import Sweeps
from shoald.transport.callers import caller_of
from shoald.transport.calls import metadata_of
from shoald.transport.mapping.clusters import sweeps as mapping
from shoald.transport.mapping.clusters import tasks

_IDEMPOTENCY_KEY = "idempotency-key"


class SweepServicer(sweep_service_pb2_grpc.SweepServiceServicer):
    """Hands requests to `Sweeps`."""

    def __init__(self, access: Access, sweeps: Sweeps) -> None:
        self._access = access
        self._sweeps = sweeps

    def StartSweep(self, request: pb.StartSweepRequest, context: grpc.ServicerContext) -> sweep_pb2.Sweep:
        """Start one."""
        caller = caller_of(self._access, context)
        key = metadata_of(context, _IDEMPOTENCY_KEY)
        asked = mapping.request_of(request.body)
        return mapping.to_message(self._sweeps.start(caller, request.cluster_id, asked, idempotency_key=key))

    def GetSweep(self, request: pb.GetSweepRequest, context: grpc.ServicerContext) -> sweep_pb2.Sweep:
        """Get one."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._sweeps.get(caller, request.cluster_id, request.sweep_id))

    def PublishSweep(self, request: pb.PublishSweepRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Run one of its settings."""
        caller = caller_of(self._access, context)
        setting = request.body.setting if request.body.HasField("setting") else None
        return tasks.to_message(self._sweeps.publish(caller, request.cluster_id, request.sweep_id, setting))
