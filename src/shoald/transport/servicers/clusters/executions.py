"""Runs over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from shoal.clusters.v1 import (
    execution_pb2,
    execution_service_pb2_grpc,
    label_audit_pb2,
    label_cost_pb2,
    task_pb2,
)
from shoal.clusters.v1 import execution_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.artifacts import Artifacts
from shoald.application.executions import Executions, RunState
from shoald.application.label_forecasts import LabelForecasts
from shoald.application.run_labels import RunLabels
from shoald.application.run_marks import RunMarks
from shoald.transport.callers import caller_of
from shoald.transport.calls import answer_null, metadata_of
from shoald.transport.mapping.clusters import executions as mapping
from shoald.transport.mapping.clusters import tasks
from shoald.transport.mapping.clusters.clusters import asked_of
from shoald.transport.mapping.clusters.label_audits import audit_message
from shoald.transport.mapping.clusters.label_costs import forecast_message
from shoald.transport.mapping.clusters.lists import list_query, pagination

_IDEMPOTENCY_KEY = "idempotency-key"


class ExecutionServicer(execution_service_pb2_grpc.ExecutionServiceServicer):
    """Hands requests to `Executions`, `RunMarks`, `RunLabels` and `LabelForecasts`."""

    def __init__(
        self,
        access: Access,
        executions: Executions,
        artifacts: Artifacts,
        marks: RunMarks,
        labels: RunLabels,
        forecasts: LabelForecasts,
    ) -> None:
        self._access = access
        self._executions = executions
        self._artifacts = artifacts
        self._marks = marks
        self._labels = labels
        self._forecasts = forecasts

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

    def CancelExecution(
        self, request: pb.CancelExecutionRequest, context: grpc.ServicerContext
    ) -> pb.CancelExecutionResponse:
        """End one."""
        caller = caller_of(self._access, context)
        return mapping.canceled_message(self._executions.cancel(caller, request.cluster_id, request.run_id))

    def RenameExecution(
        self, request: pb.RenameExecutionRequest, context: grpc.ServicerContext
    ) -> pb.RenameExecutionResponse:
        """Name one."""
        caller = caller_of(self._access, context)
        return mapping.renamed_message(self._marks.rename(caller, request.cluster_id, request.run_id, request.run_name))

    def RelabelExecution(
        self, request: pb.RelabelExecutionRequest, context: grpc.ServicerContext
    ) -> pb.RelabelExecutionResponse:
        """Name the groups of one."""
        caller = caller_of(self._access, context)
        return mapping.relabeled_message(
            self._marks.relabel(caller, request.cluster_id, request.run_id, request.labels)
        )

    def LabelExecution(self, request: pb.LabelExecutionRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Name the groups of one again."""
        job = self._labels.start(
            caller_of(self._access, context),
            request.cluster_id,
            request.run_id,
            groups=request.group_ids,
            labeling=asked_of(request.llm_labeling) if request.HasField("llm_labeling") else None,
            idempotency_key=metadata_of(context, _IDEMPOTENCY_KEY),
        )
        return tasks.to_message(job)

    def GetLabelAudit(
        self, request: pb.GetLabelAuditRequest, context: grpc.ServicerContext
    ) -> label_audit_pb2.LabelAudit:
        """Show how a group got its name."""
        caller = caller_of(self._access, context)
        run, audit = self._labels.audit(caller, request.cluster_id, request.run_id, request.group_id)
        return audit_message(run, audit)

    def EstimateLabels(
        self, request: pb.EstimateLabelsRequest, context: grpc.ServicerContext
    ) -> label_cost_pb2.LabelEstimate:
        """Say what names would cost."""
        found = self._forecasts.forecast(
            caller_of(self._access, context),
            request.cluster_id,
            run_id=request.run_id or None,
            groups=request.groups or None,
            labeling=asked_of(request.llm_labeling) if request.HasField("llm_labeling") else None,
        )
        return forecast_message(found)

    def ReplayExecution(self, request: pb.ReplayExecutionRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Do one again."""
        caller = caller_of(self._access, context)
        key = metadata_of(context, _IDEMPOTENCY_KEY)
        return tasks.to_message(
            self._executions.repeat(caller, request.cluster_id, request.run_id, idempotency_key=key)
        )

    def GetLineage(self, request: pb.GetLineageRequest, context: grpc.ServicerContext) -> execution_pb2.Lineage:
        """Say what became of groups."""
        caller = caller_of(self._access, context)
        return mapping.lineage_message(self._artifacts.run(caller, request.cluster_id, request.run_id))

    def StreamLineages(
        self, request: pb.StreamLineagesRequest, context: grpc.ServicerContext
    ) -> Iterator[execution_pb2.Lineage]:
        """Say what became of groups, run by run."""
        caller = caller_of(self._access, context)
        runs = self._executions.lineages(caller, request.cluster_id, after_run=request.after_run_id or None)
        return map(mapping.lineage_message, runs)

    def _message(self, state: RunState, *, with_vectors: bool) -> execution_pb2.Execution:
        vectors = self._artifacts.centroid_vectors(state.run) if with_vectors and state.run.artifacts else None
        return mapping.to_message(state, vectors)
