"""The history of clusters as messages."""

from __future__ import annotations

from shoal.clusters.v1 import analytics_pb2, analytics_service_pb2

from shoald.application.analytics import History
from shoald.domain.records.cluster import Cluster, ClusterRun, RunFigures
from shoald.domain.vocabulary import ClusteringMethod, ExecutionStatus
from shoald.transport.mapping.clusters.times import to_timestamp

_UNNAMED = "The execution failed."
_UNKNOWN = "unknown"


def history_message(history: History) -> analytics_service_pb2.GetExecutionHistoryResponse:
    """Return what runs took."""
    return analytics_service_pb2.GetExecutionHistoryResponse(
        cluster_id=history.cluster.cluster_id,
        time_range=_time_range(history),
        results=[_figures(history, run) for run in history.runs],
        summary=_summary(history.figures),
    )


def failures_message(history: History) -> analytics_service_pb2.GetFailuresResponse:
    """Return how runs failed."""
    return analytics_service_pb2.GetFailuresResponse(
        cluster_id=history.cluster.cluster_id,
        time_range=_time_range(history),
        failures=map(_failure, history.runs),
        total_failures=history.figures.by_status.get(ExecutionStatus.FAILED, 0),
    )


def _time_range(history: History) -> analytics_pb2.TimeRange:
    return analytics_pb2.TimeRange(start=to_timestamp(history.start), end=to_timestamp(history.end))


def _figures(history: History, run: ClusterRun) -> analytics_pb2.ExecutionFigures:
    began = run.started_at or run.created_at
    return analytics_pb2.ExecutionFigures(
        execution_id=run.run_id,
        started_at=to_timestamp(began),
        duration_seconds=max(0.0, ((run.completed_at or history.end) - began).total_seconds()),
        num_documents=run.num_points,
        num_clusters=run.num_clusters,
        status=run.status,
        algorithm=run.effective.get("algorithm") or _asked_algorithm(history.cluster),
    )


def _asked_algorithm(cluster: Cluster) -> str:
    """Return the algorithm of the definition, for runs that have not said yet what they used."""
    vector = cluster.definition.get("vector_config")
    return str(ClusteringMethod.ATTRIBUTE_BASED if vector is None else vector["clustering_method"])


def _failure(run: ClusterRun) -> analytics_pb2.ExecutionFailure:
    return analytics_pb2.ExecutionFailure(
        timestamp=to_timestamp(run.completed_at or run.created_at),
        execution_id=run.run_id,
        error_message=run.error_message or _UNNAMED,
        error_type=run.error_code or _UNKNOWN,
    )


def _summary(figures: RunFigures) -> analytics_pb2.ExecutionHistorySummary:
    states = figures.by_status
    completed, failed = states.get(ExecutionStatus.COMPLETED, 0), states.get(ExecutionStatus.FAILED, 0)
    return analytics_pb2.ExecutionHistorySummary(
        total_executions=sum(states.values()),
        completed=completed,
        failed=failed,
        canceled=states.get(ExecutionStatus.CANCELED, 0),
        success_rate=completed / (completed + failed) if completed + failed else None,
        avg_duration_seconds=figures.avg_seconds,
        total_documents=figures.documents,
    )
