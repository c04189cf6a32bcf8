"""What triggers are to start, said in free JSON: it is held to the rules of the call that makes a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from shoal.clusters.v1 import cluster_trigger_service_pb2, trigger_service_pb2

from shoald.application.cluster_definitions import normalized
from shoald.application.triggers import TriggerRequest
from shoald.domain.failures import InvalidFields
from shoald.transport.mapping.clusters.triggers import cluster_request_of, general_request_of

HOURLY = {"interval_seconds": 3600}


def asked(config: dict[str, Any], **more: Any) -> TriggerRequest:
    body = {
        "trigger_type": "interval",
        "schedule_config": HOURLY,
        "execution_config": {"collection_ids": ["things"], "config": config},
        **more,
    }
    return cluster_request_of(json_format.ParseDict(body, cluster_trigger_service_pb2.CreateClusterTriggerRequest()))


def test_a_configuration_is_read_as_a_request_for_a_cluster_would_be() -> None:
    request = asked({"algorithm": "kmeans", "n_clusters": 3, "sample_size": "50"}, description="daily")
    assert request.execution_config["config"] == {"algorithm": "kmeans", "n_clusters": 3, "sample_size": "50"}
    assert request.definition["description"] == "daily"
    vector = normalized(request.definition)["vector_config"]
    assert (vector["clustering_method"], vector["algorithm_params"], vector["sample_size"]) == (
        "kmeans",
        {"n_clusters": 3},
        50,
    )


@pytest.mark.parametrize(
    "config",
    [
        {"cluster_name": 5},
        {"cluster_name": ""},
        {"metadata": 3},
        {"metadata": ["a"]},
        {"filters": "even"},
        {"llm_labeling": True},
        {"llm_labeling": {"provider": "nobody"}},
        {"sample_size": "many"},
        {"sample_size": 0},
        {"preprocessing_steps": "umap"},
        {"preprocessing_steps": [None]},
        {"dimension_reduction": "umap"},
        {"algorithm_config": 5},
        {"feature_addresses": {"a": 1}},
        {"vector_config": 5},
        {"vector_config": {"clustering_method": "kmeans", "feature_weights": {"a": {}}}},
        {"vector_config": {"clustering_method": "kmeans", "max_hierarchy_depth": "deep"}},
        {"vector_config": {"clustering_method": "kmeans", "colour": "red"}},
        {"attribute_config": {"attributes": [[1]]}},
        {"cluster_type": ["vector"]},
        {"feature_uris": [1]},
        {"algorithm_params": [1]},
        {"algorithm_params": "n_clusters"},
        {"vector_config": {"clustering_method": "kmeans"}, "n_clusters": 3},
        {"attribute_config": {"attributes": ["a"]}, "algorithm_params": {"n_clusters": 3}},
    ],
    ids=str,
)
def test_what_defines_no_cluster_is_refused_where_it_stood(config: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields) as met:
        asked({"algorithm": "kmeans", **config})
    assert met.value.problems[0].loc[:3] == ("body", "execution_config", "config")


def test_a_cluster_and_a_definition_of_another_are_not_both_taken() -> None:
    with pytest.raises(InvalidFields) as met:
        asked({"algorithm": "kmeans"}, cluster_id="clust_0")
    assert met.value.problems[0].loc == ("body", "execution_config")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", ["full"]),
        ("mode", {}),
        ("source_execution_ids", [1]),
        ("source_execution_ids", "run_1"),
        ("assignment_threshold", "x"),
        ("filters", []),
        ("cluster_id", 5),
        ("colour", "red"),
    ],
)
def test_an_action_is_refused_by_the_name_of_what_is_wrong(name: str, value: Any) -> None:
    body = {
        "action_type": "cluster",
        "action_config": {"cluster_id": "clust_0", name: value},
        "trigger_type": "interval",
        "schedule_config": HOURLY,
    }
    with pytest.raises(InvalidFields) as met:
        general_request_of(json_format.ParseDict(body, trigger_service_pb2.CreateTriggerRequest()))
    assert [one.loc for one in met.value.problems] == [("body", "action_config", name)]
