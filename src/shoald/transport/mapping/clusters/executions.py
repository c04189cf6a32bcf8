"""Runs as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from shoal.clusters.v1 import execution_pb2, execution_service_pb2

from shoald.application.executions import RunState
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun, RunListStats
from shoald.domain.vocabulary import ExecutionStatus
from shoald.transport.json_values import documented, to_struct, to_value
from shoald.transport.mapping.clusters.label_costs import cost_message
from shoald.transport.mapping.clusters.times import optional_timestamp, to_timestamp

_NONE = "none"
_STANDS_ALONE = "every map stands by itself"
Vectors = Mapping[str, npt.NDArray[np.float32]]


def to_message(state: RunState, vectors: Vectors | None = None) -> execution_pb2.Execution:
    """Return a run as it is shown; centroids carry their vectors when these are given."""
    run = state.run
    effective = run.effective
    message = execution_pb2.Execution(
        run_id=run.run_id,
        cluster_id=run.cluster_id,
        status=run.status,
        num_clusters=run.num_clusters,
        num_points=run.num_points,
        member_counts_stale=state.is_stale,
        centroids=[centroid_message(row, (vectors or {}).get(row["cluster_id"])) for row in run.groups],
        created_at=to_timestamp(run.created_at),
        completed_at=optional_timestamp(run.completed_at),
        error_message=run.error_message,
        mode=run.mode,
        task_id=run.job_id,
        warnings=effective.get("warnings", ()),
        llm_labeling_errors=effective.get("llm_labeling_errors", ()),
        run_name=run.run_name,
    )
    if run.label_overrides:
        message.label_overrides.CopyFrom(to_struct(run.label_overrides))
    if state.beside is not None:
        shown = [documented(listed_message(one)) for one in state.beside]
        message.executions.CopyFrom(to_value(shown).list_value)
    if run.metrics:
        message.metrics.CopyFrom(metrics_message(run.metrics))
    if effective:
        message.effective.CopyFrom(to_struct(effective))
        drawn = effective.get("map")
        if drawn is not None:
            message.layout_stability_applied = drawn.get("layout_stability_applied", _NONE)
            message.layout_stability_reason = drawn.get("layout_stability_reason", _STANDS_ALONE)
        if "composite" in effective:
            made = effective["composite"]
            message.source_execution_ids.CopyFrom(to_value(made["source_execution_ids"]).list_value)
            message.composite_mapping.CopyFrom(to_struct(made["mapping"]))
        if "labels" in effective:
            _add_cost(message, effective["labels"])
        if "replay" in effective:
            json_format.ParseDict(effective["replay"], message.replay)
        for name, value in effective.get("counts", {}).items():
            setattr(message, name, value)
        _reconcile(message, effective.get("reconciliation"))
    return message


def _add_cost(message: execution_pb2.Execution, report: JsonObject) -> None:
    cost = cost_message(report)
    if cost is not None:
        message.labels_cost.CopyFrom(cost)


def _reconcile(message: execution_pb2.Execution, found: JsonObject | None) -> None:
    """Say whether what was read arrived; runs of before do not know."""
    if found is None:
        return
    message.input_reconciliation_ok = found["ok"]
    if found["as_noise"] is not None:
        message.pipeline_drop_expected_as_noise = found["as_noise"]
    if found["reasons"]:
        message.input_reconciliation_reasons.CopyFrom(to_value(found["reasons"]).list_value)


def lineage_message(run: ClusterRun) -> execution_pb2.Lineage:
    """Return what became of the groups of the run before."""
    return execution_pb2.Lineage(
        cluster_id=run.cluster_id,
        run_id=run.run_id,
        previous_run_id=run.previous_run_id,
        created_at=to_timestamp(run.created_at),
        events=[execution_pb2.LineageEvent(**event) for event in run.lineage],
    )


def listed_message(run: ClusterRun) -> execution_pb2.Execution:
    """Return a run as lists show it: whether documents changed since is not looked up there."""
    return to_message(RunState(run))


def metrics_message(metrics: JsonObject) -> execution_pb2.ExecutionMetrics:
    """Return the quality of a run."""
    known = execution_pb2.ExecutionMetrics.DESCRIPTOR.fields_by_name
    figures = {key: value for key, value in metrics.items() if key in known and value is not None}
    degenerate = to_value(figures.pop("degenerate", None))
    return execution_pb2.ExecutionMetrics(degenerate=degenerate, **figures)


def centroid_message(row: JsonObject, vector: npt.NDArray[np.float32] | None) -> execution_pb2.Centroid:
    """Return one group."""
    values: dict[str, Any] = {key: value for key, value in row.items() if value is not None}
    values["representative_ids"] = [
        execution_pb2.RepresentativeDocument(**one) for one in values.get("representative_ids", ())
    ]
    if vector is not None:
        values["centroid_vector"] = vector.tolist()
    metadata = values.pop("metadata", None)
    return execution_pb2.Centroid(**values, metadata=None if metadata is None else to_struct(metadata))


def canceled_message(run: ClusterRun) -> execution_service_pb2.CancelExecutionResponse:
    """Return what a cancellation answers."""
    is_over = run.status == ExecutionStatus.CANCELED
    return execution_service_pb2.CancelExecutionResponse(
        cluster_id=run.cluster_id,
        run_id=run.run_id,
        status=run.status,
        message="The execution is canceled." if is_over else "The execution will end within seconds.",
        success=True,
    )


def renamed_message(run: ClusterRun) -> execution_service_pb2.RenameExecutionResponse:
    """Return what a run is called."""
    return execution_service_pb2.RenameExecutionResponse(
        cluster_id=run.cluster_id, run_id=run.run_id, run_name=run.run_name
    )


def relabeled_message(run: ClusterRun) -> execution_service_pb2.RelabelExecutionResponse:
    """Return what the groups of a run are called."""
    return execution_service_pb2.RelabelExecutionResponse(
        cluster_id=run.cluster_id, run_id=run.run_id, label_overrides=run.label_overrides
    )


def stats_message(stats: RunListStats) -> execution_service_pb2.ListExecutionsStats:
    """Return the figures of a list."""
    return execution_service_pb2.ListExecutionsStats(
        total_executions=stats.total_executions,
        executions_by_status=stats.by_status,
        avg_execution_time_ms=stats.avg_execution_time_ms,
        total_documents_clustered=stats.total_documents_clustered,
        avg_num_clusters=stats.avg_num_clusters,
    )
