"""Taxonomies by the client that Mixpeek publishes: promoted, listed, applied, and attached to collections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import ConflictException, NotFoundException, UnprocessableEntityException

from sdk.conftest import Own
from support import sdk_world
from support.sdk_world import COLLECTION, VECTOR, FinishedRun
from support.stack import Stack


@dataclass(frozen=True, slots=True)
class Grouped:
    """A namespace of this module with a completed run, and a client whose calls name it."""

    namespace: str
    client: Any
    run: FinishedRun


@pytest.fixture(scope="module")
def grouped(shoal_up: Stack) -> Iterator[Grouped]:
    with sdk_world.client_of(shoal_up.url, None) as outside:
        namespace = sdk_world.new_namespace(outside)
    with sdk_world.client_of(shoal_up.url, namespace) as client:
        collection_id = sdk_world.upload(client, namespace)
        cluster = sdk_world.define(client)
        task = sdk_world.execute(client, cluster.cluster_id)
        run = FinishedRun(cluster.cluster_id, task.additional_data["run_id"], task.task_id, collection_id)
        yield Grouped(namespace, client, run)


MAPPING = {"input_key": "q", "source_type": "vector", "path": VECTOR}


def api(client: Any) -> Any:
    return mixpeek.TaxonomiesApi(client)


def promote(client: Any, run: FinishedRun, name: str, **asked: Any) -> Any:
    source = mixpeek.ClusterRunSource(cluster_id=run.cluster_id, run_id=run.run_id)
    request = mixpeek.CreateTaxonomyFromDocumentsRequest(taxonomy_name=name, cluster_run=source, **asked)
    return api(client).create_taxonomy_from_documents_taxonomies(request)


def of_documents(*ids: str) -> list[Any]:
    return [mixpeek.DocumentRef(collection_id=COLLECTION, document_id=one) for one in ids]


def the_document(client: Any, collection: str, document_id: str) -> dict[str, Any]:
    found = mixpeek.CollectionDocumentsApi(client).get_document(collection, document_id)
    return dict(found.to_dict())


def test_a_run_is_promoted_in_one_gesture(grouped: Grouped) -> None:
    client, made = grouped.client, promote(grouped.client, grouped.run, "promoted", description="three groups")
    assert (made.taxonomy_created, made.vector_name, made.vector_dimensions) == (True, VECTOR, 4)
    assert (made.documents_used, made.documents_skipped) == (30, [])
    assert [(one.cluster_id, one.member_count) for one in made.nodes] == [("cl_0", 10), ("cl_1", 10), ("cl_2", 10)]
    assert (made.node_document_id, made.node_label) == (made.nodes[0].node_document_id, made.nodes[0].node_label)
    for identifier in (made.taxonomy_id, "promoted"):
        shown = api(client).get_taxonomy_taxonomies(identifier)
        assert (shown.taxonomy_id, shown.version, shown.ready) == (made.taxonomy_id, 1, True)
    config = shown.config.actual_instance
    assert isinstance(config, mixpeek.FlatTaxonomyConfigOutput)
    assert (config.retriever_id, config.source_collection.collection_id) == (made.retriever_id, made.node_collection_id)
    [field] = config.source_collection.enrichment_fields
    assert (field.field_path, field.target_field) == ("label", "promoted_label")
    assert [one.input_key for one in config.input_mappings] == ["query_vector"]
    assert sorted(one.label for one in shown.nodes) == sorted(one.node_label for one in made.nodes)
    assert {tuple(one.path) for one in shown.nodes} == {(one.label,) for one in shown.nodes}
    nodes = mixpeek.CollectionsApi(client).get_collection(made.node_collection_id)
    assert nodes.document_count == 3


def test_documents_are_promoted_and_further_nodes_are_added(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace)
    first = mixpeek.CreateTaxonomyFromDocumentsRequest(
        taxonomy_name="kinds",
        node_label="Fruit",
        documents=of_documents("d000", "d003", "gone"),
        node_fields={"description": "sweet"},
        provenance={"selection": "lasso"},
        enrichment_target_field="kind_found",
    )
    made = api(own.client).create_taxonomy_from_documents_taxonomies(first)
    assert (made.documents_used, made.node_label, made.nodes) == (2, "Fruit", [])
    assert [(one.document_id, one.reason) for one in made.documents_skipped] == [("gone", "there is no such document")]
    more = mixpeek.CreateNodeFromDocumentsRequest(node_label="Ocean", documents=of_documents("d001", "d004"))
    added = api(own.client).create_taxonomy_node_from_documents_taxonomies("kinds", more)
    assert (added.taxonomy_created, added.taxonomy_id, added.node_label) == (False, made.taxonomy_id, "Ocean")
    node = the_document(own.client, made.node_collection_id, made.node_document_id)
    assert (node["label"], node["description"]) == ("Fruit", "sweet")
    assert node["metadata"] == {"promotion": {"documents_used": 2, "selection": "lasso"}}
    shown = api(own.client).get_taxonomy_taxonomies("kinds")
    assert len(shown.nodes) == 2
    applied = mixpeek.ApplyTaxonomyRequest(taxonomy_id="kinds")
    started = mixpeek.CollectionTaxonomiesApi(own.client).apply_taxonomy_to_collection(COLLECTION, applied)
    assert sdk_world.ended(own.client, started.task_id).status == "COMPLETED"
    found = [the_document(own.client, COLLECTION, one)["kind_found"] for one in ("d006", "d007")]
    assert found == ["Fruit", "Ocean"]


def test_pages_of_taxonomies_are_listed_in_every_documented_way(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace)
    for name in ("alpha", "beta", "gamma"):
        api(own.client).create_taxonomy_from_documents_taxonomies(
            mixpeek.CreateTaxonomyFromDocumentsRequest(
                taxonomy_name=name, node_label="One", documents=of_documents("d000")
            )
        )

    def names(found: Any) -> list[str]:
        return [one.taxonomy_name for one in found.results]

    first = api(own.client).list_taxonomies(limit=2, include_total=True)
    assert names(first) == ["gamma", "beta"]
    assert (first.total_count, first.pagination["total"], first.stats.flat_taxonomies) == (3, 3, 3)
    assert first.stats.taxonomies_with_retrievers == 3
    assert names(api(own.client).list_taxonomies(limit=2, cursor=first.pagination["next_cursor"])) == ["alpha"]
    assert names(api(own.client).list_taxonomies(page_size=1, page=2)) == ["beta"]
    assert names(api(own.client).list_taxonomies(offset=2)) == ["alpha"]
    sorted_ = mixpeek.ListTaxonomiesRequest(limit=2, sorts=[{"field": "taxonomy_name", "direction": "asc"}])
    assert names(api(own.client).list_taxonomies_0(list_taxonomies_request=sorted_)) == ["alpha", "beta"]
    by_name = mixpeek.ListTaxonomiesRequest(filters=mixpeek.LogicalOperatorInput.from_dict({"taxonomy_name": "beta"}))
    assert names(api(own.client).list_taxonomies_0(list_taxonomies_request=by_name)) == ["beta"]
    searched = mixpeek.ListTaxonomiesRequest(search="GAM")
    assert names(api(own.client).list_taxonomies_0(list_taxonomies_request=searched)) == ["gamma"]


def test_documents_are_tried_out_on_both_paths(grouped: Grouped) -> None:
    client, made = grouped.client, promote(grouped.client, grouped.run, "tried")
    taxonomy = mixpeek.TaxonomyModelInput(
        taxonomy_name="tried",
        config=mixpeek.Config1(
            mixpeek.FlatTaxonomyConfigInput(
                retriever_id=made.retriever_id,
                input_mappings=[mixpeek.InputMapping(**MAPPING)],
                source_collection=mixpeek.SourceCollectionInput(collection_id=made.node_collection_id),
            )
        ),
    )
    documents = [
        {"document_id": "new", "title": "a whale", VECTOR: [0.0, 1.0, 0.0, 0.1]},
        {"document_id": "d000", "collection_id": COLLECTION},
        {"title": "nothing to go by"},
    ]
    request = mixpeek.ExecuteTaxonomyRequest(taxonomy=taxonomy, source_documents=documents, join_mode="on_demand")
    found = api(client).execute_taxonomy_taxonomies_0("tried", mixpeek.Payload1(request))
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        older = api(client).execute_taxonomy_taxonomies(made.taxonomy_id, mixpeek.Payload(request))
    assert found.to_dict() == older.to_dict()
    assert (found.stats.processed_docs, found.stats.enriched, found.stats.errors) == (3, 2, 1)
    whale, apple = found.matches
    assert (whale.document_id, whale.taxonomy_name, whale.path) == ("new", "tried", [whale.label])
    assert whale.label != apple.label
    assert whale.score > 0.9
    assert whale.enriched_fields == ["tried_label", "tried_node_id", "tried_score"]
    assert found.results[0]["tried_label"] == whale.label
    assert found.results[2] == {"title": "nothing to go by"}
    whole = mixpeek.ExecuteTaxonomyRequest(taxonomy=taxonomy, source_documents=documents, join_mode="batch")
    with pytest.raises(UnprocessableEntityException):
        api(client).execute_taxonomy_taxonomies_0("tried", mixpeek.Payload1(whole))


def test_a_collection_is_classified_by_a_task(grouped: Grouped) -> None:
    client, made = grouped.client, promote(grouped.client, grouped.run, "topics")
    request = mixpeek.ApplyTaxonomyRequest(taxonomy_id="topics", scroll_filters={"even": True})
    started = mixpeek.CollectionTaxonomiesApi(client).apply_taxonomy_to_collection(COLLECTION, request)
    assert (started.taxonomy_id, started.estimated_documents) == (made.taxonomy_id, 15)
    ended = sdk_world.ended(client, started.task_id)
    assert (ended.status, ended.task_type) == ("COMPLETED", "materialize")
    assert [one.actual_instance for one in ended.inputs] == [started.collection_id]
    labels = {one.node_label for one in made.nodes}
    assert the_document(client, COLLECTION, "d000")["topics_label"] in labels
    assert "topics_label" not in the_document(client, COLLECTION, "d001")


def test_documents_are_classified_by_a_hierarchy(grouped: Grouped) -> None:
    client = grouped.client
    two = mixpeek.VectorBasedConfigInput(
        feature_uris=[VECTOR],
        clustering_method="kmeans",
        algorithm_params=mixpeek.AlgorithmParams({"n_clusters": 2}),
    )
    coarse = sdk_world.define(client, vector_config=two)
    sdk_world.execute(client, coarse.cluster_id)
    config = mixpeek.HierarchicalTaxonomyConfigInput(
        inference_strategy="cluster", cluster_ids=[coarse.cluster_id, grouped.run.cluster_id]
    )
    request = mixpeek.CreateTaxonomyRequest(taxonomy_name="deep", config=mixpeek.Config1(config))
    made = api(client).create_taxonomy_taxonomies(request)
    assert (made.ready, sorted(len(one.path) for one in made.nodes)) == (True, [1, 1, 1, 2, 2])
    documents = [{"document_id": f"d00{at}", "collection_id": COLLECTION} for at in range(3)]
    asked = mixpeek.ExecuteTaxonomyRequest(
        taxonomy=mixpeek.TaxonomyModelInput(taxonomy_name="deep", config=mixpeek.Config1(config)),
        source_documents=documents,
        join_mode="on_demand",
    )
    found = api(client).execute_taxonomy_taxonomies_0("deep", mixpeek.Payload1(asked))
    paths = {one.document_id: one.path for one in found.matches}
    above = {path[0] for path in paths.values() if len(path) > 1}
    assert (sorted(map(len, paths.values())), len(above)) == ([1, 2, 2], 1)
    applied = mixpeek.ApplyTaxonomyRequest(taxonomy_id="deep")
    started = mixpeek.CollectionTaxonomiesApi(client).apply_taxonomy_to_collection(COLLECTION, applied)
    assert sdk_world.ended(client, started.task_id).status == "COMPLETED"
    assert {one: the_document(client, COLLECTION, one)["deep_path"] for one in paths} == paths


def test_what_is_uploaded_is_classified_where_a_taxonomy_is_attached(grouped: Grouped) -> None:
    client, made = grouped.client, promote(grouped.client, grouped.run, "attached")
    application = mixpeek.TaxonomyApplicationConfigInput(
        taxonomy_id=made.taxonomy_id,
        execution_mode="materialize",
        scroll_filters=mixpeek.LogicalOperatorInput.from_dict({"even": True}),
    )
    request = mixpeek.CreateCollectionRequest(
        collection_name="classified as it comes",
        source=mixpeek.SourceConfigInput(type="bucket", bucket_ids=["bkt_one"]),
        taxonomy_applications=[application],
    )
    created = mixpeek.CollectionsApi(client).create_collection(request)
    [shown] = created.taxonomy_applications
    assert (shown.taxonomy_id, shown.execution_mode, shown.priority) == (made.taxonomy_id, "materialize", 0)
    sdk_world.upload(client, grouped.namespace, collection="classified as it comes", number=4)
    assert the_document(client, created.collection_id, "d000")["attached_label"] in {
        one.node_label for one in made.nodes
    }
    assert "attached_label" not in the_document(client, created.collection_id, "d001")


def test_taxonomies_are_made_of_configurations_changed_cloned_and_deleted(own: Own) -> None:
    collection_id = sdk_world.upload(own.client, own.namespace)
    flat = mixpeek.FlatTaxonomyConfigInput(
        retriever_id=collection_id.replace("col_", "ret_"),
        input_mappings=[mixpeek.InputMapping(**MAPPING)],
        source_collection=mixpeek.SourceCollectionInput(
            collection_id=collection_id, enrichment_fields=[mixpeek.EnrichmentField(field_path="kind")]
        ),
        top_k=2,
    )
    request = mixpeek.CreateTaxonomyRequest(
        taxonomy_name="like", config=mixpeek.Config1(flat), metadata={"owner": "me"}
    )
    made = api(own.client).create_taxonomy_taxonomies(request)
    assert (made.metadata, len(made.nodes), made.config.actual_instance.top_k) == ({"owner": "me"}, 30, 2)
    changed = api(own.client).patch_taxonomy_taxonomies(
        "like", mixpeek.PatchTaxonomyRequest(taxonomy_name="alike", description="by vectors")
    )
    assert (changed.taxonomy_id, changed.taxonomy_name, changed.description) == (
        made.taxonomy_id,
        "alike",
        "by vectors",
    )
    cluster = sdk_world.define(own.client)
    sdk_world.execute(own.client, cluster.cluster_id)
    deep = mixpeek.HierarchicalTaxonomyConfigInput(inference_strategy="cluster", cluster_ids=[cluster.cluster_id])
    cloned = api(own.client).clone_taxonomy_taxonomies(
        "alike", mixpeek.CloneTaxonomyRequest(taxonomy_name="levels", config=mixpeek.Config(deep))
    )
    assert cloned.source_taxonomy_id == made.taxonomy_id
    config = cloned.taxonomy.config.actual_instance
    assert isinstance(config, mixpeek.HierarchicalTaxonomyConfigOutput)
    assert (config.cluster_ids, config.cluster_overlap_threshold) == ([cluster.cluster_id], 0.7)
    assert api(own.client).list_taxonomies().stats.hierarchical_taxonomies == 1
    api(own.client).delete_taxonomy_taxonomies("alike")
    with pytest.raises(NotFoundException):
        api(own.client).get_taxonomy_taxonomies(made.taxonomy_id)
    assert mixpeek.CollectionsApi(own.client).get_collection(collection_id).document_count == 30


def test_what_cannot_be_had_is_said_in_the_envelope(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace)
    asked = mixpeek.CreateTaxonomyFromDocumentsRequest(
        taxonomy_name="once", node_label="One", documents=of_documents("d000")
    )
    api(own.client).create_taxonomy_from_documents_taxonomies(asked)
    with pytest.raises(ConflictException):
        api(own.client).create_taxonomy_from_documents_taxonomies(asked)
    with pytest.raises(NotFoundException) as missing:
        api(own.client).get_taxonomy_taxonomies("once", version=2)
    assert missing.value.data.error.type == "NotFoundError"
    by_words = mixpeek.HierarchicalTaxonomyConfigInput(inference_strategy="llm", inference_collections=["things"])
    request = mixpeek.CreateTaxonomyRequest(taxonomy_name="words", config=mixpeek.Config1(by_words))
    with pytest.raises(UnprocessableEntityException) as refused:
        api(own.client).create_taxonomy_taxonomies(request)
    assert refused.value.data.error.type == "ValidationError"
