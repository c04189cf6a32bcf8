"""How strict the published client is, case by case: every answer of ours parses, and what it cannot say is refused.

The cases are those of the table that was measured with the client; each test is one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import mixpeek
import pytest
import urllib3
from mixpeek.exceptions import NotFoundException
from pydantic import ValidationError

from sdk.conftest import Own
from support import sdk_world
from support.sdk_world import COLLECTION, VECTOR, FinishedRun
from support.stack import Stack


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager() as pool:
        yield pool


def numbers_in(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from numbers_in(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value:
            yield from numbers_in(member, path)
    else:
        yield path, value


def bodies(http: urllib3.PoolManager, url: str, namespace: str, run: FinishedRun) -> Iterator[tuple[str, Any]]:
    """Yield every readable thing about one run, as raw JSON."""
    cluster = f"/v1/clusters/{run.cluster_id}"
    paths = (
        cluster,
        "/v1/clusters",
        f"{cluster}/executions",
        f"{cluster}/executions/{run.run_id}?include_vectors=true",
        f"{cluster}/groups",
        f"/v1/tasks/{run.task_id}",
        f"/v1/collections/{run.collection_id}",
        f"/v1/namespaces/{namespace}",
    )
    for path in paths:
        answer = http.request("GET", url + path, headers={"X-Namespace": namespace})
        assert answer.status == 200, path
        yield path, json.loads(answer.data)


def test_counts_are_numbers_and_nothing_is_empty_text_where_words_or_times_stand(
    shoal_up: Stack, http: urllib3.PoolManager, namespace: str, finished_run: FinishedRun
) -> None:
    # a number as text, or empty text for a word or a time, fails the whole list in the client
    counted = ("count", "num_", "total", "size", "seconds", "dimension")
    worded = ("status", "mode", "created_at", "updated_at", "completed_at", "layout_stability", "failure_category")
    for path, body in bodies(http, shoal_up.url, namespace, finished_run):
        for where, value in numbers_in(body):
            name = where.rpartition(".")[2]
            if (value is not None and name.startswith(counted)) or name.endswith(("_count", "_seconds")):
                assert value is None or isinstance(value, (int, float)), f"{path} {where}: {value!r}"
            if name in worded:
                assert value != "", f"{path} {where}"


def test_states_are_upper_case_for_tasks_and_clusters_and_lower_case_for_executions(
    client: Any, finished_run: FinishedRun
) -> None:
    cluster = mixpeek.ClustersApi(client).get_cluster(finished_run.cluster_id)
    execution = mixpeek.ClusterExecutionsApi(client).get_cluster_execution(finished_run.cluster_id)
    task = mixpeek.TasksApi(client).get_task(finished_run.task_id)
    assert (cluster.status, task.status, execution.status) == ("COMPLETED", "COMPLETED", "completed")
    assert (execution.run_id, execution.cluster_id) == (finished_run.run_id, finished_run.cluster_id)


def test_a_cluster_that_never_ran_has_no_execution_and_no_word_for_a_state(client: Any, collection_id: str) -> None:
    made = sdk_world.define(client, cluster_name="never ran", collection_ids=[collection_id])
    assert mixpeek.ClusterExecutionsApi(client).get_cluster_execution(made.cluster_id) is None
    read = mixpeek.ClustersApi(client).get_cluster(made.cluster_id)
    assert (read.status, read.last_run_id, read.num_clusters) == (None, None, None)
    groups = mixpeek.ClustersApi(client).get_cluster_groups(made.cluster_id)
    assert (groups.run_id, groups.groups, groups.total_groups) == (None, [], 0)


def test_empty_lists_are_lists_and_those_of_at_least_one_are_left_out(own: Own) -> None:
    empty = mixpeek.ClustersApi(own.client).list_clusters()
    assert (empty.results, empty.total_count) == ([], 0)
    assert mixpeek.CollectionsApi(own.client).list_collections().results == []
    sdk_world.upload(own.client, own.namespace, number=6)
    body = {"collection_ids": [COLLECTION], "vector_config": {"clustering_method": "kmeans"}}
    made = mixpeek.ClustersApi(own.client).create_cluster(mixpeek.CreateClusterRequest.from_dict(body))
    changed = mixpeek.ClustersApi(own.client).patch_cluster(made.cluster_id, mixpeek.PatchClusterRequest())
    assert (changed.vector_config.feature_uris, changed.source_cluster_ids) == (None, None)
    assert len(changed.collection_ids) == 1
    executions = mixpeek.ClusterExecutionsApi(own.client).list_cluster_executions(made.cluster_id)
    assert (executions.results, executions.total_count) == ([], 0)


def test_metrics_keep_to_their_ranges_and_kinds(client: Any, finished_run: FinishedRun) -> None:
    execution = mixpeek.ClusterExecutionsApi(client).get_cluster_execution(finished_run.cluster_id)
    assert -1 <= execution.metrics.silhouette_score <= 1
    # a truth value would not parse there
    assert execution.metrics.should_recluster in (0, 1)


def test_parameters_that_the_client_mangles_are_taken_and_named(
    shoal_up: Stack, http: urllib3.PoolManager, client: Any, namespace: str, collection_id: str
) -> None:
    api = mixpeek.ClustersApi(client)

    def made(name: str, request: Any) -> Any:
        api.create_cluster(request)
        return api.get_cluster(name)

    shared: dict[str, Any] = {"collection_ids": [collection_id]}
    vector = {"clustering_method": "hdbscan", "feature_uris": [VECTOR], "algorithm_params": {"min_cluster_size": 10}}
    # from a dictionary: the nine defaults of k-means come, min_cluster_size is lost before it is sent
    asked = mixpeek.CreateClusterRequest.from_dict({**shared, "cluster_name": "mangled", "vector_config": vector})
    sent = asked.to_dict()["vector_config"]["algorithm_params"]
    assert "n_clusters" in sent
    assert "min_cluster_size" not in sent
    assert made("mangled", asked).algorithm == "hdbscan"
    # a plain dictionary: null comes
    assert made("null", {**shared, "cluster_name": "null", "vector_config": vector}).algorithm_params == {}
    # the two forms that arrive whole
    for name, params in (
        ("typed", mixpeek.AlgorithmParams(mixpeek.HDBSCANParams(min_cluster_size=10))),
        ("free", mixpeek.AlgorithmParams({"min_cluster_size": 10})),
    ):
        config = mixpeek.VectorBasedConfigInput(**{**vector, "algorithm_params": params})
        found = made(name, mixpeek.CreateClusterRequest(**shared, cluster_name=name, vector_config=config))
        assert found.algorithm_params["min_cluster_size"] == 10
    # what does not belong to the algorithm is named, where a client can read it
    answer = http.request(
        "POST",
        f"{shoal_up.url}/v1/clusters",
        json={**shared, "vector_config": {**vector, "algorithm_params": {"n_clusters": 8, "min_cluster_size": 5}}},
        headers={"X-Namespace": namespace},
    )
    assert any(warning.startswith("n_clusters ") for warning in json.loads(answer.data)["warnings"])


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gemini-2.5-flash-preview-04-17", "gemini-2.5-flash"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"),
        ("llama-on-my-own-machine", None),
    ],
)
def test_models_that_the_client_does_not_know_break_no_list(
    shoal_up: Stack, http: urllib3.PoolManager, own: Own, asked: str, shown: str | None
) -> None:
    sdk_world.upload(own.client, own.namespace, number=6)
    labeling = {"enabled": True, "provider": "openai", "model_name": asked}
    body = {"collection_ids": [COLLECTION], "algorithm": "kmeans", "llm_labeling": labeling}
    answer = http.request("POST", f"{shoal_up.url}/v1/clusters", json=body, headers={"X-Namespace": own.namespace})
    assert answer.status == 200
    (listed,) = mixpeek.ClustersApi(own.client).list_clusters().results
    model = listed.llm_labeling.model_name
    assert (None if model is None else model.actual_instance) == shown
    if shown is None:
        assert listed.llm_labeling.parameters == {"model": asked}


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"vector_config": {"clustering_method": "KMEANS"}}, "enum"),
        ({"cluster_type": "Vector", "algorithm": "kmeans"}, "enum"),
        ({"vector_config": {"clustering_method": "kmeans", "vis_n_components": 0}}, "enum"),
        ({"vector_config": {"clustering_method": "kmeans", "layout_stability": ""}}, "enum"),
        ({"vector_config": {"clustering_method": "kmeans", "sample_size": 2_000_000}}, "less_than_equal"),
        ({"algorithm": "kmeans", "llm_labeling": {"provider": "ollama"}}, "enum"),
        ({"algorithm": "kmeans", "llm_labeling": {"labeling_inputs": {"input_mappings": []}}}, "too_short"),
        ({"algorithm": "kmeans", "llm_labeling": {"sample_text_max_length": 49}}, "greater_than_equal"),
    ],
)
def test_words_and_numbers_that_it_could_not_read_back_are_refused(
    shoal_up: Stack, http: urllib3.PoolManager, namespace: str, collection_id: str, asked: dict[str, Any], kind: str
) -> None:
    body = {"collection_ids": [collection_id], **asked}
    answer = http.request("POST", f"{shoal_up.url}/v1/clusters", json=body, headers={"X-Namespace": namespace})
    told = json.loads(answer.data)
    assert (answer.status, told["error"]["type"]) == (422, "ValidationError"), told
    assert told["error"]["details"]["validation_errors"][0]["type"] == kind, told


def test_what_is_refused_carries_the_envelope_that_it_parses(client: Any) -> None:
    with pytest.raises(NotFoundException) as missing:
        mixpeek.ClustersApi(client).get_cluster("clust_nope")
    told = missing.value.data
    assert (told.success, told.status, told.error.type, told.error.code) == (
        False,
        404,
        "NotFoundError",
        "cluster_not_found",
    )


def test_the_client_is_as_strict_as_was_measured() -> None:
    """If a newer client is laxer, the rules above may be too."""
    metadata = {"cluster_name": "n", "namespace_id": "ns", "input_collections": ["c"], "cluster_type": "vector"}
    mixpeek.ClusterMetadata.from_dict(metadata)
    for bad in ({"status": "completed"}, {"created_at": ""}, {"num_clusters": "5"}, {"cluster_name": None}):
        with pytest.raises(ValidationError):
            mixpeek.ClusterMetadata.from_dict({**metadata, **bad})
    for name in ("collection_ids", "source_cluster_ids"):
        with pytest.raises(ValidationError):
            mixpeek.ClusterModel.from_dict({name: []})
    with pytest.raises(ValidationError):
        mixpeek.ClusterModel.from_dict({"vector_config": {"clustering_method": "kmeans", "feature_uris": []}})
    execution = {"run_id": "run_1", "cluster_id": "clust_1", "num_clusters": 0, "num_points": 0}
    times = {"created_at": "2026-01-01T00:00:00Z"}
    mixpeek.ClusterExecutionResult.from_dict({**execution, **times, "status": "completed"})
    for bad in ({"status": "COMPLETED"}, {"status": "completed", "run_id": "run_a-b"}):
        with pytest.raises(ValidationError):
            mixpeek.ClusterExecutionResult.from_dict({**execution, **times, **bad})
