"""Cluster definitions in their nested shape, which changing them answers with."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2
from shoal.clusters.v1 import cluster_definition_pb2, cluster_pb2

from shoald.application.clusters import ClusterState
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import Aggregation, JobState
from shoald.transport.json_values import to_struct
from shoald.transport.mapping.clusters.labeling import labeling_message
from shoald.transport.mapping.clusters.settings import Settings
from shoald.transport.mapping.clusters.times import to_timestamp

# where a definition says nothing, the document has these
_VECTOR_DEFAULTS = {"output_strategy": "single", "max_hierarchy_depth": 3}


def to_message(state: ClusterState) -> cluster_pb2.ClusterDefinition:
    """Return a definition with the figures of its last run."""
    cluster, settings = state.cluster, Settings.of(state.cluster.definition)
    message = cluster_pb2.ClusterDefinition(
        cluster_id=cluster.cluster_id,
        collection_ids=cluster.collection_ids,
        cluster_name=cluster.cluster_name,
        description=cluster.description,
        cluster_type=cluster.cluster_type,
        enrich_source_collection=settings.enriches,
        source_enrichment_config=settings.enrichment,
        auto_execute_on_batch=settings.starts_itself,
        auto_execute_min_documents=settings.least_documents,
        auto_execute_cooldown_seconds=settings.cooldown_seconds,
        status=str(state.status or JobState.PENDING),
        last_run_id=cluster.last_run_id,
        created_at=to_timestamp(cluster.created_at),
        updated_at=to_timestamp(cluster.updated_at),
        metadata=to_struct(cluster.metadata),
        warnings=state.warnings,
    )
    if settings.sources:
        message.source_cluster_ids.CopyFrom(_texts(settings.sources))
    _add_ways(message, cluster.definition)
    if state.last_run is not None:
        _add_run(message, state.last_run)
    return message


def _texts(values: list[str]) -> struct_pb2.ListValue:
    return struct_pb2.ListValue(values=[struct_pb2.Value(string_value=value) for value in values])


def _add_ways(message: cluster_pb2.ClusterDefinition, definition: JsonObject) -> None:
    if definition["filters"]:
        message.filters.CopyFrom(to_struct(definition["filters"]))
    if definition["llm_labeling"]:
        message.llm_labeling.CopyFrom(labeling_message(definition["llm_labeling"]))
    if definition["vector_config"] is not None:
        message.vector_config.CopyFrom(to_struct(_said(definition["vector_config"])))
        return
    grouping = cluster_definition_pb2.AttributeGrouping(aggregation_method=Aggregation.MOST_FREQUENT.value)
    given = {name: value for name, value in definition["attribute_config"].items() if value is not None}
    message.attribute_config.CopyFrom(json_format.ParseDict(given, grouping))


def _said(vector: JsonObject) -> dict[str, Any]:
    """Return what a definition says of its vectors; clients refuse an empty list of features."""
    said = {name: _without_nulls(value) for name, value in vector.items() if value not in (None, [], {})}
    return {**_VECTOR_DEFAULTS, "algorithm_params": {}, **said}


def _without_nulls(value: Any) -> Any:
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def _add_run(message: cluster_pb2.ClusterDefinition, run: ClusterRun) -> None:
    message.task_id = run.job_id
    if not run.metrics:
        return
    message.num_clusters = run.num_clusters
    figures = {name: value for name, value in run.metrics.items() if value is not None and name != "num_clusters"}
    noise, silhouette = figures.pop("noise_ratio", None), figures.pop("silhouette_score", None)
    stats = cluster_pb2.ClusterStats(
        num_clusters=run.num_clusters, silhouette_score=silhouette, extra=to_struct(figures)
    )
    if noise is not None:
        stats.noise_points = round(noise * run.num_points)
    message.cluster_stats.CopyFrom(stats)
    members = run.artifacts.get(MEMBERS)
    if members is not None:
        message.members_key = members["key"]
        message.parquet_path = members["key"].rpartition("/")[0]
