"""What a caller changes of a definition goes in beside it; the definition as it is from then on comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shoald.application.cluster_definitions import check_name, labeling_of, read_spec
from shoald.application.listing import condition_of
from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import Cluster

_OF_VECTORS = ("sample_size", "algorithm_params", "face_cluster_merge", "layout_stability")
_SETTINGS = ("auto_execute_on_batch", "auto_execute_min_documents", "auto_execute_cooldown_seconds")
_STORED: dict[str, Callable[[Any], Any]] = {
    "filters": lambda given: given or None,
    "llm_labeling": labeling_of,
    **dict.fromkeys(_SETTINGS, lambda given: given),
}


def changed(cluster: Cluster, asked: JsonObject) -> Cluster:
    """Return the definition with what is said in the place of what was; what is None or an empty list stays.

    `metadata`, `filters`, `llm_labeling` and `algorithm_params` are replaced as a whole. Sources of composite clusters
    are for the caller. Raises `InvalidFields` for bad values, and for those that do not apply to this definition.
    """
    said = {name: value for name, value in asked.items() if value not in (None, [])}
    _check(cluster, said)
    definition = {**cluster.definition, **{name: make(said[name]) for name, make in _STORED.items() if name in said}}
    if any(name in said for name in _OF_VECTORS):
        vector = {name: said[name] for name in _OF_VECTORS if name in said}
        definition["vector_config"] = {**definition["vector_config"], **vector}
    read_spec(definition)
    return replace(
        cluster,
        cluster_name=said.get("cluster_name", cluster.cluster_name),
        description=said.get("description", cluster.description) or None,
        metadata=said.get("metadata", cluster.metadata),
        definition=definition,
    )


def _check(cluster: Cluster, said: JsonObject) -> None:
    if "cluster_name" in said:
        check_name(said["cluster_name"])
    condition_of(said.get("filters"))
    vector = cluster.definition["vector_config"]
    if vector is None:
        _refuse(said, _OF_VECTORS, "does not apply to groups by attributes")
    elif "algorithm_params" in said:
        # once more by `read_spec`, but then for another place in the request
        parse_algorithm(vector["clustering_method"], said["algorithm_params"], loc=("body", "algorithm_params"))
    if not cluster.definition.get("source_cluster_ids"):
        _refuse(said, ("source_cluster_ids",), "applies to composite clusters only")


def _refuse(said: JsonObject, names: tuple[str, ...], message: str) -> None:
    for name in names:
        if name in said:
            raise InvalidFields.field("body", name, message=message, value=said[name])
