"""Cluster definitions as messages, and requests about them as the documented JSON that the use case reads."""

from __future__ import annotations

from google.protobuf import json_format
from google.protobuf.message import Message
from shoal.clusters.v1 import cluster_pb2, cluster_service_pb2

from shoald.application.clusters import ClusterState
from shoald.application.executions import RunState
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, Cluster, ClusterListStats, ClusterRun
from shoald.domain.vocabulary import Aggregation, CentroidKind, ClusteringMethod
from shoald.transport.json_values import documented, to_struct
from shoald.transport.mapping.clusters import enrichments
from shoald.transport.mapping.clusters.labeling import labeling_message
from shoald.transport.mapping.clusters.settings import Settings
from shoald.transport.mapping.clusters.times import to_timestamp

_FAILURES = {
    "deadline_exceeded": "timeout",
    "unavailable": "infrastructure",
    "storage_full": "infrastructure",
    "attempts_exhausted": "infrastructure",
    "validation_error": "validation",
    "not_enough_points": "validation",
    "invalid_vectors": "validation",
    "unsupported": "validation",
}


def asked_of(request: Message) -> JsonObject:
    """Return a request as its documented JSON; what was not said is None."""
    asked: JsonObject = documented(request)
    return asked


def to_message(state: ClusterState) -> cluster_pb2.Cluster:
    """Return a definition as it is shown, with what its last run found."""
    cluster, settings = state.cluster, Settings.of(state.cluster.definition)
    message = cluster_pb2.Cluster(
        cluster_id=cluster.cluster_id,
        cluster_name=cluster.cluster_name,
        description=cluster.description,
        namespace_id=cluster.namespace_id,
        input_collections=cluster.collection_ids,
        cluster_type=cluster.cluster_type,
        metadata=to_struct(cluster.metadata),
        created_at=to_timestamp(cluster.created_at),
        updated_at=to_timestamp(cluster.updated_at),
        last_run_id=cluster.last_run_id,
        warnings=state.warnings,
        source_cluster_ids=settings.sources,
        enrich_source=settings.enriches,
        source_enrichment_config=settings.enrichment,
        auto_execute_on_batch=settings.starts_itself,
        auto_execute_min_documents=settings.least_documents,
        auto_execute_cooldown_seconds=settings.cooldown_seconds,
        output_collection_ids=[collection_id for collection_id, _ in state.outputs],
        output_collection_names=[name for _, name in state.outputs],
        last_enrichment=None if state.last_enrichment is None else enrichments.to_message(state.last_enrichment),
    )
    _add_definition(message, cluster)
    if state.last_run is not None:
        _add_run(message, state, state.last_run)
    return message


def _add_definition(message: cluster_pb2.Cluster, cluster: Cluster) -> None:
    definition = cluster.definition
    if definition["filters"]:
        message.filters.CopyFrom(to_struct(definition["filters"]))
    if definition["llm_labeling"]:
        message.llm_labeling.CopyFrom(labeling_message(definition["llm_labeling"]))
    if definition["vector_config"] is None:
        _add_attributes(message, definition["attribute_config"])
    else:
        _add_vectors(message, definition["vector_config"])


def _add_attributes(message: cluster_pb2.Cluster, config: JsonObject) -> None:
    message.algorithm = ClusteringMethod.ATTRIBUTE_BASED.value
    message.clustered_attributes.extend(config["attributes"])
    message.hierarchical_grouping = bool(config.get("hierarchical_grouping"))
    message.aggregation_method = config.get("aggregation_method") or Aggregation.MOST_FREQUENT.value


def _add_vectors(message: cluster_pb2.Cluster, vector: JsonObject) -> None:
    message.feature_uris.extend(vector["feature_uris"])
    message.algorithm = vector["clustering_method"]
    message.algorithm_params.CopyFrom(to_struct(vector["algorithm_params"]))
    message.preprocessing_steps.extend(map(to_struct, vector["preprocessing_steps"]))
    message.multi_feature_strategy = vector["multi_feature_strategy"]
    message.effective_feature_method = vector.get("effective_feature_method", CentroidKind.MEAN.value)
    message.vis_n_components = vector["vis_n_components"]
    message.hierarchical_vector = vector["hierarchical"]
    for name in ("sample_size", "layout_stability", "max_hierarchy_depth"):
        if vector[name] is not None:
            setattr(message, name, vector[name])
    if vector.get("face_cluster_merge"):
        json_format.ParseDict(vector["face_cluster_merge"], message.face_cluster_merge)


def _add_run(message: cluster_pb2.Cluster, state: ClusterState, run: ClusterRun) -> None:
    message.status = str(state.status)
    message.last_execution_task_id = run.job_id
    message.last_executed_at.CopyFrom(to_timestamp(run.started_at or run.created_at))
    message.hierarchy_detected = run.has_hierarchy
    _add_hierarchy(message, run)
    learned = (run.effective.get("notes") or {}).get("weight_learning")
    if learned:
        message.learned_weights.update(learned["weights"])
        message.learning_quality_score = learned["score"]
    message.llm_labeling_errors.extend(run.effective.get("llm_labeling_errors", ()))
    if run.completed_at is not None:
        message.completed_at.CopyFrom(to_timestamp(run.completed_at))
        began = run.started_at or run.created_at
        message.execution_time_seconds = (run.completed_at - began).total_seconds()
    if run.metrics:
        message.num_clusters, message.num_documents_clustered = run.num_clusters, run.num_points
        figures = {key: value for key, value in run.metrics.items() if value is not None}
        if "davies_bouldin_index" in figures:
            figures["davies_bouldin_score"] = figures.pop("davies_bouldin_index")
        message.quality_metrics.CopyFrom(to_struct(figures))
    if run.error_message is not None:
        message.error = run.error_message
        message.failure_category = _FAILURES.get(run.error_code or "", "unknown")


def _add_hierarchy(message: cluster_pb2.Cluster, run: ClusterRun) -> None:
    """Say which group is part of which, where the run was read with its groups."""
    if not run.has_hierarchy:
        return
    groups = {row["cluster_id"]: row for row in run.centroids}
    for cluster_id, row in groups.items():
        parent = groups.get(row.get("parent_cluster_id"))
        if parent is not None:
            message.hierarchy_relationships.add(
                parent_cluster_id=parent["cluster_id"],
                child_cluster_id=cluster_id,
                hierarchy_level=row["hierarchy_level"],
                overlap=row["num_members"] / parent["num_members"],
            )
        elif cluster_id != NOISE_CENTROID:
            message.child_cluster_ids.append(cluster_id)


def stats_message(stats: ClusterListStats) -> cluster_service_pb2.ListClustersStats:
    """Return the figures of a list."""
    return cluster_service_pb2.ListClustersStats(
        total_clusters=stats.total_clusters,
        total_documents=stats.total_documents,
        avg_documents_per_cluster=stats.total_documents / stats.total_clusters if stats.total_clusters else 0.0,
        clusters_by_status=stats.by_status,
    )


def groups_message(cluster: Cluster, state: RunState | None) -> cluster_service_pb2.GetClusterGroupsResponse:
    """Return the groups of a run; none before the first has completed."""
    if state is None:
        return cluster_service_pb2.GetClusterGroupsResponse(cluster_id=cluster.cluster_id)
    rows = state.run.groups
    return cluster_service_pb2.GetClusterGroupsResponse(
        cluster_id=cluster.cluster_id,
        run_id=state.run.run_id,
        total_groups=len(rows),
        total_documents=sum(row["num_members"] for row in rows if not row.get("hierarchy_level")),
        member_counts_stale=state.is_stale,
        groups=[
            cluster_pb2.ClusterGroup(
                cluster_id=row["cluster_id"],
                label=row["label"],
                summary=row["summary"],
                keywords=row["keywords"],
                member_count=row["num_members"],
                stability=row.get("stability"),
                is_stable=row.get("is_stable"),
                parent_cluster_id=row.get("parent_cluster_id"),
                child_cluster_ids=row.get("child_cluster_ids", ()),
                hierarchy_level=row.get("hierarchy_level", 0),
            )
            for row in rows
        ],
    )
