"""Runs over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import execution_pb2, execution_service_pb2_grpc
from shoal.clusters.v1 import execution_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.artifacts import Artifacts
from shoald.application.executions import Executions, RunState
from shoald.transport.callers import caller_of
from shoald.transport.calls import answer_null
from shoald.transport.mapping.clusters import executions as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class ExecutionServicer(execution_service_pb2_grpc.ExecutionServiceServicer):
    """Hands requests to `Executions`."""

    def __init__(self, access: Access, executions: Executions, artifacts: Artifacts) -> None:
        self._access = access
        self._executions = executions
        self._artifacts = artifacts

    def GetLatestExecution(
        self, request: pb.GetLatestExecutionRequest, context: grpc.ServicerContext
    ) -> execution_pb2.Execution:
        """Get the newest run; `null` before the first."""
        state = self._executions.latest(caller_of(self._access, context), request.cluster_id)
        if state is None:
            answer_null()
            return execution_pb2.Execution()
        return self._message(state, with_vectors=request.include_vectors)

    def ListExecutions(
        self, request: pb.ListExecutionsRequest, context: grpc.ServicerContext
    ) -> pb.ListExecutionsResponse:
        """List those of a cluster."""
        caller = caller_of(self._access, context)
        page, stats = self._executions.list(caller, request.cluster_id, list_query(request))
        return pb.ListExecutionsResponse(
            results=map(mapping.listed_message, page.items),
            pagination=pagination(page),
            total_count=page.total or 0,
            stats=mapping.stats_message(stats),
        )

    def GetExecution(self, request: pb.GetExecutionRequest, context: grpc.ServicerContext) -> execution_pb2.Execution:
        """Get one."""
        state = self._executions.get(caller_of(self._access, context), request.cluster_id, request.run_id)
        return self._message(state, with_vectors=request.include_vectors)

    def _message(self, state: RunState, *, with_vectors: bool) -> execution_pb2.Execution:
        vectors = self._artifacts.centroid_vectors(state.run) if with_vectors and state.run.artifacts else None
        return mapping.to_message(state, vectors)
