"""Runs of clusters through the unmodified client: every method about them, and the paths of the guide that it lacks."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from typing import Any

import mixpeek
import pyarrow.parquet as pq
import pytest
from mixpeek.exceptions import ApiException, BadRequestException, NotFoundException, UnprocessableEntityException

from support import sdk_world
from support.sdk_world import DOCUMENTS, GROUPS, FinishedRun

NOWHERE = "run_0000000000000000"


def called(client: Any, method: str, path: str, body: Any = None, query: tuple[tuple[str, str], ...] = ()) -> Any:
    """Call a path for which the client has no method, as it calls all others."""
    params = client.param_serialize(
        method=method,
        resource_path=path,
        body=body,
        query_params=list(query),
        header_params={"Content-Type": "application/json"},
        auth_settings=["NamespaceHeader", "BearerAuth"],
    )
    answer = client.call_api(*params)
    answer.read()
    return json.loads(answer.data)


@pytest.fixture(scope="module")
def marked(shoal_up: Any) -> Any:
    """A run of its own, whose names tests may change: the client, the cluster and the run."""
    with sdk_world.client_of(shoal_up.url, None) as outside:
        namespace = sdk_world.new_namespace(outside)
    with sdk_world.client_of(shoal_up.url, namespace) as client:
        sdk_world.upload(client, namespace)
        cluster = sdk_world.define(client).cluster_id
        assert mixpeek.ClusterExecutionsApi(client).get_cluster_execution(cluster) is None
        task = sdk_world.execute(client, cluster, mixpeek.ExecuteClusterByIdRequest(vis_n_components=3))
        assert task.status == "COMPLETED", task
        yield client, cluster, task.additional_data["run_id"]


def test_the_latest_run_of_a_cluster(client: Any, finished_run: FinishedRun) -> None:
    runs = mixpeek.ClusterExecutionsApi(client)
    latest = runs.get_cluster_execution(finished_run.cluster_id)
    assert (latest.run_id, latest.status, latest.mode) == (finished_run.run_id, "completed", "full")
    assert (latest.num_clusters, latest.num_points, len(latest.centroids)) == (GROUPS, DOCUMENTS, GROUPS)
    assert all(one.centroid_vector in (None, []) for one in latest.centroids)
    assert (latest.vectors_clustered, latest.pipeline_drop, latest.input_reconciliation_ok) == (DOCUMENTS, 0, True)
    beside = called(client, "GET", f"/v1/clusters/{finished_run.cluster_id}/executions")["executions"]
    assert [one["run_id"] for one in beside] == [finished_run.run_id]
    one = runs.get_cluster_execution_by_run(finished_run.cluster_id, finished_run.run_id, include_vectors=True)
    assert [len(centroid.centroid_vector) for centroid in one.centroids] == [4] * GROUPS
    assert one.metrics.silhouette_score > 0.5
    assert one.centroids[0].representative_ids[0].document_id.startswith("d")


def test_the_history_of_runs(client: Any, finished_run: FinishedRun) -> None:
    runs = mixpeek.ClusterExecutionsApi(client)
    page = runs.list_cluster_executions(finished_run.cluster_id)
    assert (page.total_count, page.results[0].run_id) == (1, finished_run.run_id)
    assert page.stats.executions_by_status == {"completed": 1}
    asked = mixpeek.ListClusterExecutionsRequest.from_dict(
        {"filters": {"AND": [{"field": "status", "operator": "eq", "value": "failed"}]}}
    )
    assert runs.list_cluster_executions(finished_run.cluster_id, list_cluster_executions_request=asked).results == []
    paged = runs.list_cluster_executions(finished_run.cluster_id, limit=1, include_total=True)
    assert (paged.pagination.total, paged.pagination.next_cursor) == (1, None)


def test_the_groups_of_a_cluster(client: Any, finished_run: FinishedRun) -> None:
    groups = mixpeek.ClustersApi(client).get_cluster_groups(finished_run.cluster_id)
    assert (groups.run_id, groups.total_groups, groups.total_documents) == (finished_run.run_id, GROUPS, DOCUMENTS)
    assert sorted(one.member_count for one in groups.groups) == [10, 10, 10]


def test_the_map_of_a_cluster(client: Any, finished_run: FinishedRun) -> None:
    clusters = mixpeek.ClustersApi(client)
    whole = clusters.get_cluster_visualization(finished_run.cluster_id)
    assert (len(whole["centroids"]), len(whole["members"]), whole["total_members"]) == (GROUPS, DOCUMENTS, DOCUMENTS)
    assert {"document_id", "cluster_id", "cluster_label", "x", "y"} == set(whole["members"][0])
    some = clusters.get_cluster_visualization(finished_run.cluster_id, max_points=6, compact=True)
    assert sorted(some["members"]["cluster_ids"]) == ["cl_0"] * 2 + ["cl_1"] * 2 + ["cl_2"] * 2
    assert {len(some["members"][name]) for name in ("x", "y", "document_ids")} == {6}
    groups = clusters.get_cluster_visualization(
        finished_run.cluster_id, centroids_only=True, run_id=finished_run.run_id
    )
    assert (groups["members"], len(groups["centroids"])) == ([], GROUPS)


def test_a_run_is_named_and_its_groups_are(marked: Any) -> None:
    client, cluster, run = marked
    runs = mixpeek.ClusterExecutionsApi(client)
    name = mixpeek.PatchExecutionRunNameRequest(run_name=" July baseline ")
    assert runs.patch_execution_run_name_clusters(cluster, run, name).run_name == "July baseline"
    labels = mixpeek.PatchExecutionLabelsRequest(labels={"cl_0": "Gadgets", "cl_2": "Toys"})
    answer = runs.patch_execution_labels_clusters_id_run(cluster, run, labels)
    assert answer.label_overrides == {"cl_0": "Gadgets", "cl_2": "Toys"}
    shown = runs.get_cluster_execution(cluster)
    assert (shown.run_name, shown.label_overrides) == ("July baseline", {"cl_0": "Gadgets", "cl_2": "Toys"})
    named = {one.cluster_id: one.label for one in shown.centroids}
    assert (named["cl_0"], named["cl_2"]) == ("Gadgets", "Toys")
    clusters = mixpeek.ClustersApi(client)
    assert {one.cluster_id: one.label for one in clusters.get_cluster_groups(cluster).groups} == named
    drawn = clusters.get_cluster_visualization(cluster)
    assert {one["cluster_id"]: one["cluster_label"] for one in drawn["centroids"]} == named
    assert drawn["dimensions"] == 3
    back = mixpeek.PatchExecutionLabelsRequest(labels={"cl_0": "", "cl_2": ""})
    assert runs.patch_execution_labels_clusters_id_run(cluster, run, back).label_overrides == {}
    cleared = mixpeek.PatchExecutionRunNameRequest(run_name="")
    assert runs.patch_execution_run_name_clusters(cluster, run, cleared).run_name is None
    with pytest.raises(UnprocessableEntityException) as refused:
        runs.patch_execution_labels_clusters_id_run(cluster, run, mixpeek.PatchExecutionLabelsRequest(labels={}))
    assert refused.value.data.error.type == "ValidationError"


def test_a_run_is_exported(client: Any, finished_run: FinishedRun) -> None:
    runs = mixpeek.ClusterExecutionsApi(client)
    link = runs.export_cluster_execution_id_run(finished_run.cluster_id, finished_run.run_id)
    with urllib.request.urlopen(link["url"]) as answer:  # noqa: S310 - Shoal made the address
        table = pq.read_table(io.BytesIO(answer.read()))
    assert table.num_rows == link["rows"] == DOCUMENTS + GROUPS
    assert {"document_id", "cluster_id", "cluster_label", "x", "y", "centroid_vector"} <= set(table.column_names)
    text = runs.export_cluster_execution_id_run_without_preload_content(
        finished_run.cluster_id, finished_run.run_id, format="csv", cluster_label="cl_1"
    )
    rows = list(csv.DictReader(io.StringIO(text.read().decode())))
    assert [row["cluster_id"] for row in rows] == ["cl_1"] * 10
    assert text.headers["content-type"].startswith("text/csv")


def test_a_run_that_has_ended_is_not_canceled(client: Any, finished_run: FinishedRun) -> None:
    runs = mixpeek.ClusterExecutionsApi(client)
    with pytest.raises(BadRequestException) as refused:
        runs.cancel_execution_clusters_id_run(finished_run.cluster_id, finished_run.run_id)
    assert refused.value.data.error.message == "The execution has ended: it is completed."


def test_a_run_that_waits_or_works_is_canceled(marked: Any) -> None:
    """A worker may have begun it, and may even have been quicker: then the answer says so."""
    client, cluster, _ = marked
    runs = mixpeek.ClusterExecutionsApi(client)
    task = mixpeek.ClustersApi(client).execute_clustering_clusters(cluster)
    try:
        answer = runs.cancel_execution_clusters_id_run(cluster, task.additional_data["run_id"])
    except BadRequestException:
        assert sdk_world.ended(client, task.task_id).status == "COMPLETED"
        return
    assert answer["status"] in {"canceled", "processing"}
    assert sdk_world.ended(client, task.task_id).status in {"CANCELED", "COMPLETED"}


def test_the_history_and_the_failures_of_a_cluster(client: Any, finished_run: FinishedRun) -> None:
    analytics = mixpeek.AnalyticsClustersApi(client)
    history = analytics.get_execution_history_analytics_clusters(finished_run.cluster_id, hours=24, limit=10)
    (run,) = history.results
    assert (run.execution_id, run.status, run.algorithm) == (finished_run.run_id, "completed", "kmeans")
    assert (run.num_documents, run.num_clusters, history.summary["completed"]) == (DOCUMENTS, GROUPS, 1)
    failures = analytics.get_failure_analysis_analytics_clusters(finished_run.cluster_id, hours=720)
    assert (failures.failures, failures.total_failures) == ([], 0)


def test_a_run_that_fails_is_told(marked: Any) -> None:
    client, cluster, _ = marked
    nothing = mixpeek.ExecuteClusterByIdRequest.from_dict({"filters": {"kind": "nothing"}})
    task = sdk_world.execute(client, cluster, nothing)
    assert task.status == "FAILED"
    run = task.additional_data["run_id"]
    shown = mixpeek.ClusterExecutionsApi(client).get_cluster_execution_by_run(cluster, run)
    assert (shown.status, shown.num_clusters, shown.num_points) == ("failed", 0, 0)
    assert "no documents" in shown.error_message
    failed = mixpeek.AnalyticsClustersApi(client).get_failure_analysis_analytics_clusters(cluster)
    assert [(one.execution_id, one.error_type) for one in failed.failures] == [(run, "not_enough_points")]


def test_new_documents_are_assigned_and_runs_are_grouped(marked: Any) -> None:
    client, cluster, run = marked
    assigned = mixpeek.ExecuteClusterByIdRequest(mode="assign", assignment_threshold=0.3)
    task = sdk_world.execute(client, cluster, assigned)
    assert task.status == "COMPLETED", task
    sources = [run, task.additional_data["run_id"]]
    composite = mixpeek.ExecuteClusterByIdRequest(mode="composite", source_execution_ids=sources)
    made = sdk_world.execute(client, cluster, composite)
    assert made.status == "COMPLETED", made
    shown = mixpeek.ClusterExecutionsApi(client).get_cluster_execution_by_run(cluster, made.additional_data["run_id"])
    assert (shown.mode, shown.source_execution_ids) == ("composite", sources)
    assert sorted(shown.composite_mapping) == ["cl_0", "cl_1", "cl_2"]
    for parts in shown.composite_mapping.values():
        assert [(one.source_run_id, one.num_members) for one in parts] == [(one, 10) for one in sources]


def test_the_paths_of_the_guide(client: Any, finished_run: FinishedRun) -> None:
    runs = f"/v1/clusters/{finished_run.cluster_id}/executions/{finished_run.run_id}"
    members = called(client, "GET", f"{runs}/artifacts", query=(("include_members", "true"),))
    assert (len(members["centroids"]), len(members["members"])) == (GROUPS, DOCUMENTS)
    latest = called(client, "GET", f"/v1/clusters/{finished_run.cluster_id}/artifacts")
    assert latest["run_id"] == finished_run.run_id
    body = {"cluster_id": "cl_0", "include_members": True, "limit": 4, "offset": 2}
    page = called(client, "POST", f"{runs}/data", body)
    assert [one["cluster_id"] for one in page["members"]] == ["cl_0"] * 4
    assert called(client, "GET", f"{runs}/data")["members"] == []


def test_a_run_is_submitted_as_the_guide_says(marked: Any) -> None:
    client, cluster, _ = marked
    task = called(client, "POST", f"/v1/clusters/{cluster}/execute/submit", {"sample_size": 12})
    assert sdk_world.ended(client, task["task_id"]).status == "COMPLETED"


@pytest.mark.parametrize(
    "method",
    ["get_cluster_execution_by_run", "export_cluster_execution_id_run", "cancel_execution_clusters_id_run"],
)
def test_a_run_that_is_not_there(client: Any, finished_run: FinishedRun, method: str) -> None:
    with pytest.raises(NotFoundException) as missing:
        getattr(mixpeek.ClusterExecutionsApi(client), method)(finished_run.cluster_id, NOWHERE)
    assert missing.value.data.error.type == "NotFoundError"


def test_a_map_that_is_too_large_is_refused(client: Any, finished_run: FinishedRun) -> None:
    with pytest.raises((ApiException, ValueError)):
        mixpeek.ClustersApi(client).get_cluster_visualization(finished_run.cluster_id, max_points=1_000_001)
    path = f"/v1/clusters/{finished_run.cluster_id}/visualization"
    assert called(client, "GET", path, query=(("max_points", "1000001"),))["status"] == 422
