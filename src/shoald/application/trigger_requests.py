"""What a trigger is to start, in the words of either API, goes in; a cluster definition and changes of it come out."""

from __future__ import annotations

from typing import Any

from shoald.domain.failures import FieldProblem, InvalidFields, Unsupported
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import TriggerAction
from shoald.domain.vocabulary import ExecutionMode

_DEFINITION = frozenset(
    {
        "cluster_name",
        "cluster_type",
        "vector_config",
        "attribute_config",
        "filters",
        "llm_labeling",
        "sample_size",
        "feature_addresses",
        "preprocessing_steps",
        "dimension_reduction",
        "hierarchical",
        "algorithm_config",
        "metadata",
    }
)
"""What a definition may say at its root; other keys of a trigger's configuration are parameters of the algorithm."""
_GROUPINGS = frozenset({"vector_config", "attribute_config"})
_VECTOR = frozenset({"feature_uri", "feature_uris", "algorithm_params", "clustering_method"})
_METHODS = {"hierarchical": "agglomerative"}
CONFIG = ("body", "execution_config", "config")
"""Where what defines a cluster stands."""
_CHANGES = ("mode", "assignment_threshold", "filters", "source_execution_ids")


def definition_of(execution_config: JsonObject, description: str | None) -> dict[str, Any]:
    """Return the cluster that an `execution_config` means.

    Raises `InvalidFields` for one without collections or with others in its `config`, and for one without anything that
    says how groups are made.

    >>> definition_of({"collection_ids": ["c"], "config": {"algorithm": "kmeans", "n_clusters": 5}}, None)[
    ...     "vector_config"
    ... ]
    {'clustering_method': 'kmeans', 'algorithm_params': {'n_clusters': 5}}
    """
    config: dict[str, Any] = dict(execution_config.get("config") or {})
    collections = execution_config.get("collection_ids")
    if not collections:
        raise InvalidFields.field(
            "body", "execution_config", "collection_ids", message="Field required", kind="missing"
        )
    if config.pop("collection_ids", collections) != collections:
        message = "say otherwise than execution_config.collection_ids"
        raise InvalidFields.field(*CONFIG, "collection_ids", message=message)
    its_own = config.pop("description", None)
    said = its_own if description is None else description
    asked = {key: config.pop(key) for key in list(config) if key in _DEFINITION}
    if asked.keys().isdisjoint(_GROUPINGS):
        asked["vector_config"] = _vector_config(config)
        config = {}
    # beside a grouping no word is a parameter: those that a definition does not have are refused when it is read
    return {**config, **asked, "collection_ids": list(collections), "description": said}


def _vector_config(config: dict[str, Any]) -> JsonObject:
    """Return what an algorithm and its parameters, all at the root, say of groups by vectors."""
    method = config.pop("algorithm", None) or config.pop("clustering_method", None)
    if not isinstance(method, str):
        raise InvalidFields.field(*CONFIG, "algorithm", message="Field required", kind="missing")
    vector = {key: config.pop(key) for key in list(config) if key in _VECTOR}
    given = vector.pop("algorithm_params", None) or {}
    if not isinstance(given, dict):
        message = "Input should be an object"
        raise InvalidFields.field(*CONFIG, "algorithm_params", message=message, kind="dict_type", value=given)
    return {"clustering_method": _METHODS.get(method, method), **vector, "algorithm_params": {**config, **given}}


def action_of(action_type: str, config: JsonObject) -> tuple[str, dict[str, Any]]:
    """Return the cluster and the changes that an `action_config` of the general API means.

    Raises `Unsupported` for actions that Shoal does not do, and `InvalidFields` that names everything wrong.
    """
    if action_type != TriggerAction.CLUSTER:
        message = f"Triggers of Shoal start runs of clusters, not {action_type}."
        raise Unsupported(message, detail={"action_type": action_type})
    given = {key: value for key, value in config.items() if value is not None}
    problems = list(_problems(given))
    if problems:
        raise InvalidFields(problems)
    changes = {name: given[name] for name in _CHANGES if name in given}
    if changes.get("mode") == ExecutionMode.FULL:
        changes.pop("mode")
    return str(given["cluster_id"]), changes


def _problems(given: JsonObject) -> list[FieldProblem]:
    found: list[FieldProblem] = []

    def problem(name: str, kind: str, message: str) -> None:
        found.append(FieldProblem(("body", "action_config", name), kind, message, given.get(name)))

    cluster, threshold = given.get("cluster_id"), given.get("assignment_threshold", 0)
    if not cluster or not isinstance(cluster, str):
        problem("cluster_id", "missing", "Field required")
    if given.get("mode", ExecutionMode.FULL) not in [word.value for word in ExecutionMode]:
        problem("mode", "enum", f"Input should be one of {', '.join(ExecutionMode)}")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        problem("assignment_threshold", "value_error", "Input should be a number from 0 to 1")
    if not isinstance(given.get("filters", {}), dict):
        problem("filters", "dict_type", "Input should be an object")
    runs = given.get("source_execution_ids", [])
    if not isinstance(runs, list) or not all(isinstance(one, str) for one in runs):
        problem("source_execution_ids", "list_type", "Input should be a list of ids")
    if given.get("output_collection_ids"):
        message = "runs write the output collection of their cluster; a trigger cannot name others"
        problem("output_collection_ids", "value_error", message)
    for name in given:
        if name not in {"cluster_id", "output_collection_ids", *_CHANGES}:
            problem(name, "extra_forbidden", f"there are cluster_id, {', '.join(_CHANGES)}")
    return found
