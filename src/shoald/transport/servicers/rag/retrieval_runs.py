"""Stored retrievals over gRPC."""

from __future__ import annotations

import grpc
from shoal.rag.v1 import retrieval_comparison_pb2, retrieval_pb2, retrieval_run_service_pb2_grpc
from shoal.rag.v1 import retrieval_run_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.retrieval_runs import RetrievalRuns
from shoald.transport.callers import brief_patience_of, caller_of
from shoald.transport.mapping.rag import retrieval_runs as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class RetrievalRunServicer(retrieval_run_service_pb2_grpc.RetrievalRunServiceServicer):
    """Hands requests to `RetrievalRuns`."""

    def __init__(self, access: Access, runs: RetrievalRuns) -> None:
        self._access = access
        self._runs = runs

    def ListRetrievalRuns(
        self, request: pb.ListRetrievalRunsRequest, context: grpc.ServicerContext
    ) -> pb.ListRetrievalRunsResponse:
        """List those of a project."""
        listed = self._runs.list(caller_of(self._access, context), request.project_id, list_range(request))
        announce_next(listed)
        return pb.ListRetrievalRunsResponse(runs=map(mapping.to_message, listed.rows))

    def GetRetrievalRun(
        self, request: pb.GetRetrievalRunRequest, context: grpc.ServicerContext
    ) -> retrieval_pb2.RetrievalRun:
        """Get one."""
        return mapping.to_message(self._runs.get(caller_of(self._access, context), request.run_id))

    def DeleteRetrievalRun(
        self, request: pb.DeleteRetrievalRunRequest, context: grpc.ServicerContext
    ) -> pb.DeleteRetrievalRunResponse:
        """Delete one."""
        self._runs.delete(caller_of(self._access, context), request.run_id)
        return pb.DeleteRetrievalRunResponse(ok=True, run_id=request.run_id)

    def RepeatRetrievalRun(
        self, request: pb.RepeatRetrievalRunRequest, context: grpc.ServicerContext
    ) -> retrieval_comparison_pb2.RetrievalComparison:
        """Ask once more and compare."""
        target_id = request.target_id if request.HasField("target_id") else None
        caller, patience = caller_of(self._access, context), brief_patience_of(context)
        compared = self._runs.repeat(caller, request.run_id, patience, target_id=target_id)
        return mapping.comparison_message(compared)

    def CompareRetrievalRuns(
        self, request: pb.CompareRetrievalRunsRequest, context: grpc.ServicerContext
    ) -> retrieval_comparison_pb2.RetrievalComparison:
        """Compare two."""
        caller = caller_of(self._access, context)
        return mapping.comparison_message(self._runs.compare(caller, request.run_id, request.other_run_id))
