"""The history of clusters over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import analytics_service_pb2 as pb
from shoal.clusters.v1 import analytics_service_pb2_grpc

from shoald.application.access import Access
from shoald.application.analytics import HOURS, RUNS, Analytics
from shoald.transport.callers import caller_of
from shoald.transport.mapping.clusters import analytics as mapping


class AnalyticsServicer(analytics_service_pb2_grpc.AnalyticsServiceServicer):
    """Hands requests to `Analytics`."""

    def __init__(self, access: Access, analytics: Analytics) -> None:
        self._access = access
        self._analytics = analytics

    def GetExecutionHistory(
        self, request: pb.GetExecutionHistoryRequest, context: grpc.ServicerContext
    ) -> pb.GetExecutionHistoryResponse:
        """List what runs took."""
        caller = caller_of(self._access, context)
        hours, limit = request.hours or HOURS, request.limit or RUNS
        return mapping.history_message(self._analytics.history(caller, request.cluster_id, hours=hours, limit=limit))

    def GetFailures(self, request: pb.GetFailuresRequest, context: grpc.ServicerContext) -> pb.GetFailuresResponse:
        """List how runs failed."""
        caller = caller_of(self._access, context)
        return mapping.failures_message(
            self._analytics.failures(caller, request.cluster_id, hours=request.hours or HOURS)
        )
