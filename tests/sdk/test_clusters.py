"""ClustersApi as far as definitions go: made, found, listed, changed and deleted by the unmodified client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import BadRequestException, ConflictException, NotFoundException, UnprocessableEntityException

from sdk.conftest import Own
from support import sdk_world
from support.sdk_world import COLLECTION, VECTOR, FinishedRun


def vectors(method: str = "kmeans", **more: Any) -> Any:
    return mixpeek.VectorBasedConfigInput(clustering_method=method, feature_uris=[VECTOR], **more)


def test_a_definition_keeps_all_that_the_client_can_say(client: Any, collection_id: str) -> None:
    asked = mixpeek.CreateClusterRequest(
        collection_ids=[COLLECTION],
        cluster_name="everything: R&D / 50 %",
        description="what for",
        metadata={"team": "a", "n": 5},
        cluster_type="vector",
        vector_config=vectors(
            "hdbscan",
            sample_size=20,
            algorithm_params=mixpeek.AlgorithmParams(mixpeek.HDBSCANParams(min_cluster_size=4, min_samples=2)),
            preprocessing_steps=[
                mixpeek.VectorBasedConfigInputPreprocessingStepsInner(
                    mixpeek.WhiteningParams(method="whitening", regularization=0.1)
                )
            ],
            normalize_features=False,
            effective_feature_method="medoid",
            hierarchical=True,
            max_hierarchy_depth=2,
            vis_n_components=3,
            layout_stability="transform",
            face_cluster_merge=mixpeek.FaceClusterMergeConfig(enabled=True, bbox_iou_threshold=0.25),
        ),
        filters=mixpeek.LogicalOperatorInput.from_dict(
            {"AND": [{"field": "n", "operator": "gte", "value": 3}], "case_sensitive": True}
        ),
        llm_labeling=mixpeek.LLMLabelingInput.from_dict(
            {
                "enabled": True,
                "provider": "openai",
                "model_name": "gpt-4o-mini-2024-07-18",
                "labeling_inputs": {
                    "input_mappings": [{"input_key": "text", "source_type": "payload", "path": "title"}]
                },
                "max_samples_per_cluster": 4,
                "candidate_labels": ["one", "two"],
                "labeling_context": "fruit and whales",
            }
        ),
        enrich_source_collection=True,
        source_enrichment_config=mixpeek.SourceEnrichmentConfig.from_dict(
            {"field_mappings": [{"source_field": "cluster_label", "target_field": "topic"}]}
        ),
        auto_execute_on_batch=False,
        auto_execute_cooldown_seconds=60,
    )
    api = mixpeek.ClustersApi(client)
    made = api.create_cluster(asked)
    assert api.get_cluster(made.cluster_id) == api.get_cluster("everything: R&D / 50 %") == made
    assert (made.cluster_name, made.description, made.metadata) == (asked.cluster_name, "what for", asked.metadata)
    assert (made.input_collections, made.cluster_type, made.algorithm) == ([collection_id], "vector", "hdbscan")
    assert made.algorithm_params["min_cluster_size"] == 4
    assert (made.feature_uris, made.sample_size, made.vis_n_components) == ([VECTOR], 20, 3)
    assert (made.hierarchical_vector, made.max_hierarchy_depth, made.layout_stability) == (True, 2, "transform")
    assert (made.effective_feature_method, made.face_cluster_merge.bbox_iou_threshold) == ("medoid", 0.25)
    assert made.preprocessing_steps == [{"method": "whitening", "regularization": 0.1}]
    assert made.filters["AND"][0]["value"] == 3
    assert made.llm_labeling.to_dict()["candidate_labels"] == ["one", "two"]
    assert made.enrich_source is True
    assert made.source_enrichment_config == asked.source_enrichment_config
    assert made.status is None


def test_a_change_answers_with_the_nested_shape(client: Any, finished_run: FinishedRun) -> None:
    api = mixpeek.ClustersApi(client)
    made = sdk_world.define(client, cluster_name="to be changed", metadata={"a": 1})
    changed = api.patch_cluster(
        made.cluster_id,
        mixpeek.PatchClusterRequest(
            cluster_name="was changed",
            description="now",
            metadata={"b": 2},
            filters={"field": "even", "operator": "eq", "value": True},
            algorithm_params={"n_clusters": 2},
            sample_size=25,
            layout_stability="none",
            face_cluster_merge=mixpeek.FaceClusterMergeConfig(enabled=False),
            llm_labeling=mixpeek.LLMLabelingInput.from_dict({"enabled": False, "include_summary": False}),
        ),
    )
    assert (changed.cluster_id, changed.cluster_name, changed.description) == (made.cluster_id, "was changed", "now")
    assert (changed.metadata, changed.status, changed.last_run_id) == ({"b": 2}, "PENDING", None)
    assert changed.collection_ids == made.input_collections
    assert changed.vector_config.feature_uris == [VECTOR]
    assert (changed.vector_config.sample_size, changed.vector_config.layout_stability) == (25, "none")
    assert changed.filters.additional_properties["field"] == "even"
    read = api.get_cluster("was changed")
    assert (read.algorithm_params, read.sample_size, read.metadata) == ({"n_clusters": 2}, 25, {"b": 2})
    assert read.llm_labeling.include_summary is False
    with pytest.raises(NotFoundException):
        api.get_cluster("to be changed")
    same = api.patch_cluster(finished_run.cluster_id, mixpeek.PatchClusterRequest())
    assert (same.status, same.last_run_id, same.num_clusters) == ("COMPLETED", finished_run.run_id, 3)
    assert (same.cluster_stats.num_clusters, same.cluster_stats.noise_points) == (3, 0)
    assert same.members_key.startswith(same.parquet_path)


def test_what_cannot_be_changed_is_refused(client: Any, collection_id: str) -> None:
    api = mixpeek.ClustersApi(client)
    made = sdk_world.define(client, cluster_name="refusing", collection_ids=[collection_id])
    sdk_world.define(client, cluster_name="taken")
    with pytest.raises(ConflictException):
        api.patch_cluster(made.cluster_id, mixpeek.PatchClusterRequest(cluster_name="taken"))
    for asked in ({"algorithm_params": {"n_clusters": 1}}, {"cluster_name": "triggers"}, {"source_cluster_ids": ["x"]}):
        with pytest.raises(UnprocessableEntityException) as refused:
            api.patch_cluster(made.cluster_id, mixpeek.PatchClusterRequest(**asked))
        assert refused.value.data.error.type == "ValidationError"
        assert refused.value.data.error.details["validation_errors"][0]["location"][1] == next(iter(asked))
    with pytest.raises(NotFoundException):
        api.patch_cluster("clust_0000000000000000", mixpeek.PatchClusterRequest(description="x"))


def test_lists_have_every_form(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace, number=6)
    names = [f"topic {letter}" for letter in "abcde"]
    for at, name in enumerate(names):
        sdk_world.define(own.client, cluster_name=name, description=f"number {at}", metadata={"n": at})
    api = mixpeek.ClustersApi(own.client)

    def listed(body: Any = None, **query: Any) -> list[str]:
        return [one.cluster_name for one in api.list_clusters(list_clusters_request=body, **query).results]

    newest_first = names[::-1]
    assert listed() == newest_first
    assert [one.cluster_name for one in api.list_clusters_get(limit=2).results] == newest_first[:2]
    assert listed(page_size=2, page=2) == newest_first[2:4] == listed(limit=2, offset=2)
    assert listed({"limit": 1, "offset": 1}, limit=4) == newest_first[1:2]
    first = api.list_clusters_get(limit=2, include_total=True)
    assert (first.total_count, first.pagination.total, first.pagination.total_pages) == (5, 5, 3)
    for form in ({"cursor": None}, {"next_cursor": None}, {"after": None}):
        found = api.list_clusters_get(limit=2, **dict.fromkeys(form, first.pagination.next_cursor))
        assert [one.cluster_name for one in found.results] == newest_first[2:4]
    assert listed({"search": "NUMBER 3"}) == ["topic d"]
    by_name = {"sort": {"field": "cluster_name", "direction": "asc"}}
    assert listed(by_name) == names
    assert listed({"sorts": [{"field": "cluster_name", "direction": "desc"}]} | by_name) == newest_first
    wanted = {"AND": [{"field": "metadata.n", "operator": "gt", "value": 2}]}
    assert listed({"filters": mixpeek.LogicalOperatorInput.from_dict(wanted)}) == newest_first[:2]
    assert api.list_clusters().stats.clusters_by_status == {"NEVER_RUN": 5}
    no_such = mixpeek.LogicalOperatorInput.from_dict({"field": "n", "operator": "near", "value": 1})
    for bad in ({"sort": {"field": "colour", "direction": "asc"}}, {"filters": no_such}):
        with pytest.raises(UnprocessableEntityException):
            listed(bad)


def test_a_deleted_cluster_takes_its_runs_and_tasks_along(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace, number=9)
    api, tasks = mixpeek.ClustersApi(own.client), mixpeek.TasksApi(own.client)
    for keeps in (False, True):
        made = sdk_world.define(own.client, cluster_name="short-lived")
        task = sdk_world.execute(own.client, made.cluster_id)
        answer = api.delete_cluster(made.cluster_id, cascade_output_collections=not keeps)
        assert answer["success"] is True
        assert answer["kept_run_ids"] == ([task.additional_data["run_id"]] if keeps else [])
        with pytest.raises(NotFoundException):
            api.get_cluster(made.cluster_id)
        with pytest.raises(NotFoundException):
            tasks.get_task(task.task_id)
        assert task.task_id not in {one.task_id for one in tasks.list_tasks(limit=1000).results}
    with pytest.raises(NotFoundException):
        api.delete_cluster("short-lived")


def test_a_composite_cluster_names_its_sources(own: Own) -> None:
    collection = sdk_world.upload(own.client, own.namespace, number=6)
    sources = [sdk_world.define(own.client, cluster_name=f"source {at}").cluster_id for at in range(3)]
    api = mixpeek.ClustersApi(own.client)
    made = api.create_cluster(mixpeek.CreateClusterRequest(source_cluster_ids=[sources[0], "source 1"]))
    assert (made.source_cluster_ids, made.input_collections) == (sources[:2], [collection])
    assert made.feature_uris == [VECTOR]
    changed = api.patch_cluster(made.cluster_id, mixpeek.PatchClusterRequest(source_cluster_ids=[sources[2]]))
    assert changed.source_cluster_ids == [sources[2]]
    with pytest.raises(NotFoundException):
        api.create_cluster(mixpeek.CreateClusterRequest(source_cluster_ids=["nope"]))
    with pytest.raises(UnprocessableEntityException):
        api.patch_cluster(made.cluster_id, mixpeek.PatchClusterRequest(source_cluster_ids=[made.cluster_id]))


def test_resources_that_are_not_here_answer_in_the_envelope(client: Any) -> None:
    calls: tuple[Callable[[], Any], ...] = (
        lambda: mixpeek.BucketsApi(client).get_bucket("bkt_1"),
        lambda: mixpeek.RetrieversApi(client).get_retriever("ret_1"),
        lambda: mixpeek.BucketBatchesApi(client).get_batch_buckets_batches("bkt_1", "batch_1"),
    )
    for call in calls:
        with pytest.raises((NotFoundException, BadRequestException)) as missing:
            call()
        assert missing.value.status == 404
        assert (missing.value.data.status, missing.value.data.error.type) == (404, "NotFoundError")
