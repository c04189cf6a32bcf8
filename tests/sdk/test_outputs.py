"""What runs write, read by the client that Mixpeek publishes: the output collection, and fields of the documents."""

from __future__ import annotations

import json
from typing import Any

import mixpeek

from sdk.conftest import Own
from support import sdk_world
from support.sdk_world import FinishedRun


def post(client: Any, path: str, body: Any) -> Any:
    """Call a path that this version of the client has no method for."""
    asked = client.param_serialize(
        method="POST",
        resource_path=path,
        header_params={"Content-Type": "application/json"},
        body=body,
        auth_settings=["NamespaceHeader", "BearerAuth"],
    )
    answer = client.call_api(*asked)
    answer.read()
    assert answer.status == 200, answer.data
    return json.loads(answer.data)


def listed(client: Any, collection_id: str, filters: dict[str, Any]) -> list[Any]:
    asked = mixpeek.ListDocumentsRequest(limit=100, filters=mixpeek.LogicalOperatorInput.from_dict(filters))
    found = mixpeek.CollectionDocumentsApi(client).list_documents(collection_id, list_documents_request=asked)
    return list(found.results or [])


def test_the_output_collection_has_a_document_for_each_group_and_member(client: Any, finished_run: FinishedRun) -> None:
    cluster = mixpeek.ClustersApi(client).get_cluster(finished_run.cluster_id)
    [output_id] = cluster.output_collection_ids
    assert cluster.output_collection_names == ["shared topics_output"]
    assert mixpeek.CollectionsApi(client).get_collection(output_id).document_count == 33
    groups = [one.to_dict() for one in listed(client, output_id, {"is_centroid": True})]
    assert sorted((one["cluster_id"], one["member_count"]) for one in groups) == [
        ("cl_0", 10),
        ("cl_1", 10),
        ("cl_2", 10),
    ]
    [member] = [one.to_dict() for one in listed(client, output_id, {"source_document_id": "d000"})]
    assert (member["is_centroid"], member["source_collection_id"]) == (False, finished_run.collection_id)
    assert member["cluster_label"] in {one["cluster_label"] for one in groups}


def test_runs_of_an_enriching_definition_write_into_the_source(own: Own) -> None:
    collection_id = sdk_world.upload(own.client, own.namespace)
    mapping = mixpeek.EnrichmentFieldMapping(source_field="cluster_label", target_field="topic")
    cluster = sdk_world.define(
        own.client,
        enrich_source_collection=True,
        source_enrichment_config=mixpeek.SourceEnrichmentConfig(field_mappings=[mapping]),
    )
    assert sdk_world.execute(own.client, cluster.cluster_id).status == "COMPLETED"
    filters = {"AND": [{"field": "topic", "operator": "exists", "value": True}]}
    found = sdk_world.awaited(lambda: listed(own.client, collection_id, filters), lambda rows: len(rows) == 30)
    assert len({one.to_dict()["topic"] for one in found}) == 3
    shown = mixpeek.ClustersApi(own.client).get_cluster(cluster.cluster_id)
    assert (shown.enrich_source, shown.output_collection_ids) == (True, [collection_id])


def test_the_call_of_older_clients_is_still_served(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace)
    cluster = sdk_world.define(own.client)
    sdk_world.execute(own.client, cluster.cluster_id)
    body = {"clustering_ids": [cluster.cluster_id], "source_collection_id": "things", "batch_size": 20}
    done = post(own.client, "/v1/clusters/enrich", body)
    assert [done[word] for word in ("processed", "enriched", "failed", "batches")] == [30, 30, 0, 2]
