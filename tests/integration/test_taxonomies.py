"""Groups are kept as a classification, and documents are classified by it, on a real PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest

from shoald.adapters.postgres.enrichments import PostgresEnrichments
from shoald.application.access import Caller, act_as
from shoald.application.classifying import ClassificationRequest
from shoald.application.collection_documents import Upsert
from shoald.application.collections import CollectionChanges, NewCollection
from shoald.application.document_vectors import IncomingDocument
from shoald.application.listing import ListQuery, Selection
from shoald.application.namespaces import NewNamespace
from shoald.application.promotion_sources import DocumentReference, PromotionRequest, RunReference
from shoald.application.taxonomies import NewTaxonomy, Promotion, TaxonomyChanges
from shoald.application.taxonomy_applications import attach_taxonomies
from shoald.domain.failures import (
    AlreadyExists,
    ArtifactNotFound,
    ClusterNotFound,
    CollectionNotFound,
    Conflict,
    ExecutionNotFound,
    InvalidFields,
    TaxonomyNotFound,
)
from shoald.domain.json_types import JsonObject
from support.cluster_world import ClusterWorld, cluster_world, groups_of
from support.killed_attempt import kill_attempt
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def installation(database_maker: DatabaseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterWorld]:
    url = database_maker.make()
    with cluster_world(url, tmp_path_factory.mktemp("data")) as made:
        yield made
    database_maker.drop(url)


def in_a_namespace_of_its_own(installation: ClusterWorld) -> ClusterWorld:
    new = NewNamespace(namespace_name=f"ns{secrets.token_hex(6)}")
    made = installation.use_cases.namespaces.create(new)
    return replace(installation, caller=Caller(namespace_id=made.namespace_id))


@pytest.fixture
def world(installation: ClusterWorld) -> Iterator[ClusterWorld]:
    yield in_a_namespace_of_its_own(installation)
    act_as(None)  # who deletes a namespace works for its caller from then on


@pytest.fixture(scope="module")
def shared(installation: ClusterWorld) -> ClusterWorld:
    """A world in which there is the taxonomy `topics` of a run over `things`; tests read it, or are refused."""
    made = in_a_namespace_of_its_own(installation)
    promote(made, a_run(made))
    return made


def a_run(world: ClusterWorld, **config: Any) -> RunReference:
    """Two groups of ten documents each."""
    world.store(groups_of(10, 10))
    config = {"feature_uris": ["v"], "clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}, **config}
    return run_of(world, world.define(**config))


def run_of(world: ClusterWorld, cluster: str) -> RunReference:
    job = world.run(world.start(cluster))
    assert job.state == "COMPLETED", job
    return RunReference(cluster=cluster, run_id=job.payload["run_id"])


def promote(world: ClusterWorld, run: RunReference, name: str = "topics", **new: Any) -> Promotion:
    made = NewTaxonomy(taxonomy_name=name, **new)
    return world.use_cases.taxonomies.promote(world.caller, made, PromotionRequest(run=run))


def payloads(world: ClusterWorld, collection: str) -> dict[str, JsonObject]:
    with world.adapters.open_unit_of_work() as uow:
        found = uow.collections.find(world.caller.namespace_id, collection)
        assert found is not None
        rows = uow.collections.documents([found.collection_id], Selection(limit=1000))
        return {one.document_id: one.payload for one in rows}


def vectors(world: ClusterWorld, collection: str, name: str = "v") -> dict[str, Any]:
    with world.adapters.open_unit_of_work() as uow:
        found = uow.collections.find(world.caller.namespace_id, collection)
        assert found is not None
        ids = list(payloads(world, collection))
        return {one: held[name] for one, held in uow.collections.vectors(found.collection_id, ids).items()}


def test_a_run_becomes_a_taxonomy_of_a_node_for_each_group(world: ClusterWorld) -> None:
    run = a_run(world)
    world.use_cases.run_marks.relabel(world.caller, run.cluster, run.run_id, {"cl_0": "First things"})
    made = promote(world, run)
    state = world.use_cases.taxonomies.get(world.caller, "topics")
    assert state.taxonomy == made.taxonomy
    assert (state.is_ready, state.node_count) == (True, 2)
    by_group = {one.payload["cluster_id"]: one for one in state.nodes}
    assert by_group["cl_0"].label == "First things"
    assert [by_group[one].payload["member_count"] for one in ("cl_0", "cl_1")] == [10, 10]
    with world.adapters.open_unit_of_work() as uow:
        stored = uow.cluster_runs.get(run.run_id)
    assert stored is not None
    centroids = world.use_cases.taxonomies._former_runs.centroids(stored)
    anchors = vectors(world, state.taxonomy.node_collection_id)
    assert all(np.array_equal(anchors[one.node_id], centroids[group]) for group, one in by_group.items())
    origin = by_group["cl_0"].payload["metadata"]["promotion"]
    assert origin == {"cluster_id": run.cluster, "run_id": run.run_id, "group_id": "cl_0"}


def test_documents_become_one_node_at_the_mean_of_their_directions(world: ClusterWorld) -> None:
    world.store(np.array([[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=np.float32), ids=["a", "b", "c"])
    named = ["a", "b", "b", "gone"]
    asked = PromotionRequest(
        documents=tuple(DocumentReference(collection="things", document_id=one) for one in named),
        node_label="Both",
        node_fields={"description": "two of them", "metadata": {"owner": "x"}},
        provenance={"selection": "lasso"},
    )
    made = world.use_cases.taxonomies.promote(world.caller, NewTaxonomy(taxonomy_name="mine"), asked)
    assert made.promoted.documents_used == 2
    assert [(one.document_id, one.reason) for one in made.promoted.skipped] == [("gone", "there is no such document")]
    (anchor,) = vectors(world, made.taxonomy.node_collection_id).values()
    assert anchor.tolist() == [0.5, 0.5]
    (payload,) = payloads(world, made.taxonomy.node_collection_id).values()
    assert payload == {
        "label": "Both",
        "description": "two of them",
        "metadata": {"owner": "x", "promotion": {"documents_used": 2, "selection": "lasso"}},
    }


def test_a_document_that_cannot_be_used_makes_nothing(world: ClusterWorld) -> None:
    world.store(np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32), ids=["a", "b"])
    taxonomies, new = world.use_cases.taxonomies, NewTaxonomy(taxonomy_name="mine")

    def of(*ids: str, collection: str = "things", **more: Any) -> PromotionRequest:
        named = tuple(DocumentReference(collection=collection, document_id=one) for one in ids)
        return PromotionRequest(documents=named, **{"node_label": "L", **more})

    with pytest.raises(InvalidFields, match="cancel each other out"):
        taxonomies.promote(world.caller, new, of("a", "b"))
    with pytest.raises(InvalidFields, match="no such document"):
        taxonomies.promote(world.caller, new, of("x"))
    with pytest.raises(InvalidFields, match=r"body\.vector_name: there is no vector 'w'; there are: v"):
        taxonomies.promote(world.caller, new, of("a", vector_name="w"))
    with pytest.raises(InvalidFields, match=r"body\.node_label"):
        taxonomies.promote(world.caller, new, of("a", node_label=None))
    with pytest.raises(InvalidFields, match=r"body\.node_fields\.label"):
        taxonomies.promote(world.caller, new, of("a", node_fields={"label": "x"}))
    with pytest.raises(CollectionNotFound):
        taxonomies.promote(world.caller, new, of("a", collection="nothing"))
    with pytest.raises(InvalidFields, match=r"body\.enrichment_target_field"):
        taxonomies.promote(world.caller, NewTaxonomy(taxonomy_name="mine", target_field="v"), of("a"))
    assert taxonomies.list(world.caller, ListQuery())[1].total == 0
    listed = world.use_cases.collections.list(world.caller, ListQuery())
    assert [one.collection_name for one in listed.items] == ["things"]


def test_a_name_that_is_taken_leaves_no_nodes_behind(world: ClusterWorld) -> None:
    run = a_run(world)
    promote(world, run)
    before = world.use_cases.collections.list(world.caller, ListQuery()).total
    with pytest.raises(AlreadyExists):
        promote(world, run)
    assert world.use_cases.collections.list(world.caller, ListQuery()).total == before


def test_what_has_no_vector_of_single_documents_is_refused(world: ClusterWorld) -> None:
    world.store(groups_of(6, 6))
    asked = {"collection_ids": ["things"], "cluster_type": "attribute", "attribute_config": {"attributes": ["n"]}}
    attributes = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    with pytest.raises(InvalidFields, match="its groups have no vectors"):
        promote(world, run_of(world, attributes))
    pending = world.define(feature_uris=["v"], clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    job = world.start(pending)
    with pytest.raises(ArtifactNotFound):
        promote(world, RunReference(cluster=pending, run_id=job.payload["run_id"]))


def test_a_taxonomy_outlives_its_run_and_its_documents(world: ClusterWorld) -> None:
    run = a_run(world)
    made = promote(world, run)
    world.use_cases.clusters.delete(world.caller, run.cluster)
    world.use_cases.collections.delete(world.caller, "things")
    state = world.use_cases.taxonomies.get(world.caller, made.taxonomy.taxonomy_id)
    assert (state.is_ready, len(state.nodes)) == (True, 2)
    world.store(groups_of(3, 3, seed=1))
    assert classified(world) == {"cl_0": 3, "cl_1": 3}


def classified(world: ClusterWorld, **asked: Any) -> dict[str, int]:
    """Classify `things` by `topics`, and count the documents by the group of their node."""
    request = ClassificationRequest(taxonomy="topics", **asked)
    started = world.use_cases.classifying.apply(world.caller, "things", request)
    assert world.run(started.job).state == "COMPLETED"
    nodes = world.use_cases.taxonomies.get(world.caller, "topics").nodes
    groups = {one.node_id: one.payload["cluster_id"] for one in nodes}
    found: dict[str, int] = {}
    for payload in payloads(world, "things").values():
        if payload.get("topics_node_id"):
            group = groups[payload["topics_node_id"]]
            found[group] = found.get(group, 0) + 1
    return found


def test_documents_of_a_collection_are_classified_and_brought_back(world: ClusterWorld) -> None:
    made = promote(world, a_run(world))
    before = payloads(world, "things")
    request = ClassificationRequest(taxonomy="topics", batch_size=7)
    started = world.use_cases.classifying.apply(world.caller, "things", request)
    assert started.documents == 20
    world.run(started.job)
    enrichment = world.use_cases.classifying.get(world.caller, "topics", started.enrichment.enrichment_id)
    assert (enrichment.status, enrichment.enriched, enrichment.batches) == ("completed", 20, 3)
    labels = {one.node_id: one.label for one in world.use_cases.taxonomies.get(world.caller, "topics").nodes}
    for payload in payloads(world, "things").values():
        assert payload["topics_label"] == labels[payload["topics_node_id"]]
        assert 0.5 < payload["topics_score"] <= 1
        assert "topics_path" not in payload
    undone = world.use_cases.classifying.undo(world.caller, made.taxonomy.taxonomy_id, enrichment.enrichment_id)
    world.adapters.jobs.runner.run(undone.job_id, dispatch=True)
    assert payloads(world, "things") == before


def test_only_documents_that_meet_the_conditions_are_classified(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    assert sum(classified(world, filters={"n": 3}).values()) == 1
    assert [key for key, one in payloads(world, "things").items() if "topics_label" in one] == ["d00003"]


def test_a_classification_goes_to_another_collection_where_that_is_asked_for(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    before = payloads(world, "things")
    request = ClassificationRequest(taxonomy="topics", target="labelled")
    started = world.use_cases.classifying.apply(world.caller, "things", request)
    world.run(started.job)
    assert payloads(world, "things") == before
    copies = payloads(world, "labelled")
    assert {key: {"title": one["title"], "n": one["n"]} for key, one in copies.items()} == before
    assert all(one["topics_label"] for one in copies.values())


def test_what_is_too_far_from_every_node_is_in_none_and_says_so(world: ClusterWorld) -> None:
    run = a_run(world)
    promote(world, run, min_score=0.99999)
    assert classified(world) == {}
    assert all(one["topics_label"] is None for one in payloads(world, "things").values())


def test_nodes_are_added_and_matched(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    far = np.zeros((1, 16), dtype=np.float32)
    far[0, 9] = 1.0
    world.store(far, collection="others", ids=["far"])
    asked = PromotionRequest(
        documents=(DocumentReference(collection="others", document_id="far"),), node_label="Far away"
    )
    added = world.use_cases.taxonomies.add_nodes(world.caller, "topics", asked)
    assert not added.is_new
    request = ClassificationRequest(taxonomy="topics")
    world.run(world.use_cases.classifying.apply(world.caller, "others", request).job)
    assert payloads(world, "others")["far"]["topics_label"] == "Far away"


def test_a_taxonomy_goes_with_its_nodes_and_what_it_wrote_stays(world: ClusterWorld) -> None:
    made = promote(world, a_run(world)).taxonomy
    assert sum(classified(world).values()) == 20
    world.use_cases.taxonomies.delete(world.caller, "topics")
    with pytest.raises(TaxonomyNotFound):
        world.use_cases.taxonomies.get(world.caller, made.taxonomy_id)
    with pytest.raises(CollectionNotFound):
        world.use_cases.collections.get(world.caller, made.node_collection_id)
    assert all(one["topics_label"] for one in payloads(world, "things").values())


def test_without_its_node_collection_a_taxonomy_is_not_ready(world: ClusterWorld) -> None:
    made = promote(world, a_run(world)).taxonomy
    world.use_cases.collections.delete(world.caller, made.node_collection_id)
    state = world.use_cases.taxonomies.get(world.caller, "topics")
    assert (state.is_ready, state.node_count, state.nodes) == (False, 0, ())
    with pytest.raises(Conflict, match="not ready"):
        world.use_cases.classifying.apply(world.caller, "things", ClassificationRequest(taxonomy="topics"))
    with pytest.raises(Conflict, match="not ready"):
        world.use_cases.taxonomies.add_nodes(world.caller, "topics", PromotionRequest(run=a_run(world)))
    world.use_cases.taxonomies.delete(world.caller, "topics")


def test_a_rename_keeps_the_key_that_labels_are_written_to(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    changes = TaxonomyChanges(taxonomy_name="themes", metadata={"owner": "x"})
    state = world.use_cases.taxonomies.update(world.caller, "topics", changes)
    assert (state.taxonomy.taxonomy_name, state.taxonomy.target_field) == ("themes", "topics_label")
    assert state.taxonomy.metadata == {"owner": "x"}


def attach(world: ClusterWorld, collection: str, *given: JsonObject) -> None:
    changes = CollectionChanges(taxonomy_applications=given)
    world.use_cases.collections.update(world.caller, collection, changes)


def upsert(world: ClusterWorld, collection: str, *documents: IncomingDocument) -> Any:
    asked = Upsert(namespace=world.caller.namespace_id, collection=collection, documents=documents)
    return world.use_cases.collection_documents.upsert(world.caller, asked)


def test_what_is_stored_into_a_collection_is_classified_by_its_taxonomies(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    world.use_cases.collections.create(world.caller, NewCollection(collection_name="fresh"))
    attach(world, "fresh", {"taxonomy_id": "topics", "scroll_filters": {"is_new": True}})
    rows = groups_of(1, 1, seed=2)
    upsert(
        world,
        "fresh",
        IncomingDocument("a", {"is_new": True}, {"v": rows[0].tolist()}),
        IncomingDocument("b", {"is_new": True}, {"v": rows[1].tolist()}),
        IncomingDocument("old", {"is_new": False}, {"v": rows[1].tolist()}),
        IncomingDocument("bare", {"is_new": True}, {}),
    )
    stored = payloads(world, "fresh")
    assert stored["a"]["topics_label"] != stored["b"]["topics_label"]
    assert {"topics_label" in stored[one] for one in ("old", "bare")} == {False}
    created = world.use_cases.document_changes.create(
        world.caller, "fresh", {"document_id": "c", "is_new": True, "vectors": {"v": rows[0].tolist()}}
    )
    assert created.document.payload["topics_node_id"] == stored["a"]["topics_node_id"]
    attach(world, "fresh")
    upsert(world, "fresh", IncomingDocument("d", {"is_new": True}, {"v": rows[0].tolist()}))
    assert payloads(world, "fresh")["d"] == {"is_new": True}


def test_documents_are_stored_though_their_taxonomy_is_not_ready(world: ClusterWorld) -> None:
    taxonomy = promote(world, a_run(world)).taxonomy
    attach(world, "things", {"taxonomy_id": "topics"})
    world.use_cases.collections.delete(world.caller, taxonomy.node_collection_id)
    answer = upsert(world, "things", IncomingDocument("new", {"n": 1}, {"v": [1.0] * 16}))
    assert answer.warnings == (
        "documents are not classified: The taxonomy 'topics' is not ready: its node collection is gone.",
    )
    assert payloads(world, "things")["new"] == {"n": 1}
    world.use_cases.taxonomies.delete(world.caller, "topics")
    assert world.use_cases.collections.taxonomy_applications([taxonomy.node_collection_id]) == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "taxonomy_id"),
        ({"taxonomy_id": "topics", "execution_mode": "on_demand"}, "execution_mode"),
        ({"taxonomy_id": "topics", "execution_phase": 2}, "execution_phase"),
        ({"taxonomy_id": "topics", "hierarchical_enrichment_style": "full_chain"}, "hierarchical_enrichment_style"),
        ({"taxonomy_id": "topics", "target_collection_id": "other"}, "target_collection_id"),
        ({"taxonomy_id": "topics", "priority": 1001}, "priority"),
        ({"taxonomy_id": "topics", "scroll_filters": {"AND": 1}}, "scroll_filters"),
    ],
)
def test_what_an_application_cannot_say_is_refused_by_its_name(
    shared: ClusterWorld, given: JsonObject, field: str
) -> None:
    with pytest.raises(InvalidFields, match=rf"body\.taxonomy_applications\.0\.{field}"):
        attach(shared, "things", given)
    assert (
        shared.use_cases.collections.taxonomy_applications(
            [shared.use_cases.collections.get(shared.caller, "things").collection_id]
        )
        == {}
    )


def nested(world: ClusterWorld) -> None:
    """Store two groups, the first of which falls into two."""
    random = np.random.default_rng(0)
    centres = np.zeros((3, 24))
    centres[[0, 1], 0] = 8.0
    centres[2, 1] = 8.0
    centres[[0, 1], [10, 11]] = 2.0
    rows = [centre + random.normal(scale=0.15, size=(n, 24)) for centre, n in zip(centres, (80, 60, 40), strict=True)]
    world.store(np.concatenate(rows).astype(np.float32))


KMEANS = {"feature_uris": ["v"], "clustering_method": "kmeans"}


def test_groups_of_several_levels_become_nodes_under_nodes(world: ClusterWorld) -> None:
    nested(world)
    leveled = {**KMEANS, "algorithm_params": {"n_clusters": 2}, "hierarchical": True, "max_hierarchy_depth": 2}
    run = run_of(world, world.define(**leveled))
    labels = {"cl_0": "Top", "cl_0_sub_0": "First half", "cl_0_sub_1": "Second half", "cl_1": "Other"}
    world.use_cases.run_marks.relabel(world.caller, run.cluster, run.run_id, labels)
    promoted = promote(world, run)
    assert promoted.promoted.documents_used == 180
    state = world.use_cases.taxonomies.get(world.caller, "topics")
    shown = {one.label: (one.path, one.level) for one in state.nodes}
    assert shown["Second half"] == (("Top", "Second half"), 1)
    assert {label for label, (_, level) in shown.items() if level == 0} == {"Top", "Other"}
    request = ClassificationRequest(taxonomy="topics", target="labelled")
    world.run(world.use_cases.classifying.apply(world.caller, "things", request).job)
    found = payloads(world, "labelled")
    assert {one["topics_label"] for one in found.values()} == {"First half", "Second half", "Other"}
    assert found["d00000"]["topics_path"] == ["Top", found["d00000"]["topics_label"]]
    other = found["d00179"]
    assert (other["topics_path"], other["topics_tier1"], other["topics_tier2"]) == (["Other"], "Other", None)


def test_a_hierarchy_is_found_in_the_runs_of_several_clusters(world: ClusterWorld) -> None:
    nested(world)
    coarse, fine = (world.define(**KMEANS, algorithm_params={"n_clusters": n}) for n in (2, 3))
    for one in (coarse, fine):
        run_of(world, one)
    config = {"taxonomy_type": "hierarchical", "inference_strategy": "cluster", "cluster_ids": [coarse, fine]}
    made = world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="levels"), config)
    assert made.taxonomy.config["cluster_overlap_threshold"] == 0.7
    assert made.taxonomy.config["cluster_ids"] == [coarse, fine]
    assert sorted(one.payload["member_count"] for one in made.nodes if one.level == 0) == [40, 40, 140]
    assert sorted(one.payload["member_count"] for one in made.nodes if one.level == 1) == [60, 80]
    world.run(world.use_cases.classifying.apply(world.caller, "things", ClassificationRequest(taxonomy="levels")).job)
    assert len(payloads(world, "things")["d00000"]["levels_path"]) == 2


def test_a_clone_has_nodes_of_its_own(world: ClusterWorld) -> None:
    nested(world)
    leveled = {**KMEANS, "algorithm_params": {"n_clusters": 2}, "hierarchical": True, "max_hierarchy_depth": 2}
    promote(world, run_of(world, world.define(**leveled)), description="first", min_score=0.25)
    source = world.use_cases.taxonomies.get(world.caller, "topics")
    clone, of = world.use_cases.taxonomy_making.clone(world.caller, "topics", NewTaxonomy(taxonomy_name="copy"), None)
    assert of == source.taxonomy
    assert (clone.taxonomy.description, clone.taxonomy.min_score) == ("first", 0.25)
    assert clone.taxonomy.target_field == "copy_label"
    assert sorted(one.path for one in clone.nodes) == sorted(one.path for one in source.nodes)
    assert {one.node_id for one in clone.nodes}.isdisjoint(one.node_id for one in source.nodes)
    world.use_cases.taxonomies.delete(world.caller, "topics")
    assert world.use_cases.taxonomies.get(world.caller, "copy").is_ready


def a_flat_config(world: ClusterWorld, **changed: Any) -> JsonObject:
    found = world.use_cases.collections.get(world.caller, "things")
    return {
        "taxonomy_type": "flat",
        "retriever_id": "ret_" + found.collection_id.removeprefix("col_"),
        "input_mappings": [{"input_key": "q", "source_type": "vector", "path": "v"}],
        "source_collection": {"collection_id": "things", "enrichment_fields": [{"field_path": "title"}]},
        **changed,
    }


def test_a_flat_taxonomy_stands_over_a_collection_that_stays(world: ClusterWorld) -> None:
    world.store(np.array([[1.0, 0.2], [0.2, 1.0]], dtype=np.float32), ids=["a", "b"])
    world.store(np.array([[1.0, 0.3]], dtype=np.float32), collection="others")
    config = a_flat_config(world, top_k=2)
    made = world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="near"), config).taxonomy
    assert made.config == {
        **config,
        "source_collection": {
            "collection_id": made.node_collection_id,
            "enrichment_fields": [{"field_path": "title", "target_field": "title", "merge_mode": "replace"}],
        },
    }
    request = ClassificationRequest(taxonomy="near")
    world.run(world.use_cases.classifying.apply(world.caller, "others", request).job)
    first = payloads(world, "others")["d00000"]
    assert (first["title"], first["near_node_id"]) == ("text of a", "a")
    assert [one["node_id"] for one in first["near_assignments"]] == ["a", "b"]
    clone, _ = world.use_cases.taxonomy_making.clone(world.caller, "near", NewTaxonomy(taxonomy_name="too"), None)
    assert clone.taxonomy.node_collection_id == made.node_collection_id
    world.use_cases.taxonomies.delete(world.caller, "near")
    assert world.use_cases.taxonomies.get(world.caller, "too").is_ready


REFUSED: list[tuple[JsonObject, str]] = [
    ({"taxonomy_type": "deep"}, "taxonomy_type"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "llm"}, "inference_strategy"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "schema"}, "inference_strategy"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "cluster"}, "cluster_ids"),
    ({"path_field": "folder"}, "path_field"),
    ({"hierarchical_nodes": [{"collection_id": "col_a"}]}, "hierarchical_nodes"),
    ({"step_analytics": {"timestamp_field": "at"}}, "step_analytics"),
    ({"retriever_id": "ret_other"}, "retriever_id"),
    ({"source_collection": None}, "source_collection"),
    ({"source_collection": {}}, r"source_collection\.collection_id"),
    ({"input_mappings": []}, "input_mappings"),
    ({"input_mappings": [{"input_key": "q", "source_type": "payload", "path": "title"}]}, "input_mappings"),
    ({"input_mappings": [{"input_key": "q", "source_type": "vector", "path": "w"}]}, r"input_mappings\.0\.path"),
    ({"top_k": 0}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    (
        {
            "source_collection": {
                "collection_id": "things",
                "enrichment_fields": [{"field_path": "a", "merge_mode": "append"}],
            }
        },
        r"source_collection\.enrichment_fields\.0\.merge_mode",
    ),
    (
        {
            "source_collection": {
                "collection_id": "things",
                "enrichment_fields": [{"field_path": "a", "target_field": "b.c"}],
            }
        },
        r"source_collection\.enrichment_fields\.0\.target_field",
    ),
]


@pytest.mark.parametrize(("changed", "field"), REFUSED)
def test_what_a_configuration_cannot_say_is_refused_by_its_name(
    shared: ClusterWorld, changed: JsonObject, field: str
) -> None:
    config = a_flat_config(shared, **changed)
    with pytest.raises(InvalidFields, match=rf"body\.config\.{field}: "):
        shared.use_cases.taxonomy_making.create(shared.caller, NewTaxonomy(taxonomy_name="never"), config)
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.taxonomies.get(shared.caller, "never")


@pytest.mark.parametrize("name", ["tax_0123", "list", "Execute", "from-documents", "a/b", " x", "..", "a\nb"])
def test_a_name_that_a_path_could_not_say_is_refused(shared: ClusterWorld, name: str) -> None:
    with pytest.raises(InvalidFields, match=r"body\.taxonomy_name"):
        shared.use_cases.taxonomies.update(shared.caller, "topics", TaxonomyChanges(taxonomy_name=name))


def test_documents_that_are_sent_are_classified_and_nothing_is_written(shared: ClusterWorld) -> None:
    before = payloads(shared, "things")
    sent: list[JsonObject] = [
        {"document_id": "x", "vectors": {"v": groups_of(1, 0)[0].tolist()}},
        {"title": "at its root", "v": groups_of(0, 1)[0].tolist()},
        {"document_id": "d00000", "collection_id": "things"},
        {"title": "without a vector"},
    ]
    _, found = shared.use_cases.classifying.try_out(shared.caller, "topics", sent)
    assert [one.has_vector for one in found] == [True, True, True, False]
    nodes = [one.assignments[0].node.node_id for one in found[:3]]
    assert nodes[0] == nodes[2] != nodes[1]
    assert found[0].values["topics_node_id"] == nodes[0]
    assert (found[3].assignments, found[3].values) == ((), {})
    _, some = shared.use_cases.classifying.try_out(shared.caller, "topics", sent, filters={"document_id": "x"})
    assert [bool(one.assignments) for one in some] == [True, False, False, False]
    with pytest.raises(InvalidFields, match=r"body\.source_documents\.0\.v: has 2 components; the nodes have 16"):
        shared.use_cases.classifying.try_out(shared.caller, "topics", [{"v": [1.0, 2.0]}])
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.classifying.try_out(shared.caller, "topics", sent, version=2)
    assert payloads(shared, "things") == before


def test_a_collection_without_the_vector_is_refused(shared: ClusterWorld) -> None:
    shared.store(np.ones((1, 3), dtype=np.float32), collection="narrow")
    with pytest.raises(InvalidFields, match=r"body\.taxonomy_id: needs a dense vector 'v' of 16 components"):
        shared.use_cases.classifying.apply(shared.caller, "narrow", ClassificationRequest(taxonomy="topics"))


@pytest.mark.parametrize("at_call", [1, 2])
def test_a_classification_that_was_killed_is_done_anew_and_brought_back_whole(
    world: ClusterWorld, at_call: int
) -> None:
    promote(world, a_run(world))
    before = payloads(world, "things")
    request = ClassificationRequest(taxonomy="topics", batch_size=7)
    started = world.use_cases.classifying.apply(world.caller, "things", request)
    kill_attempt(world, started.job, PostgresEnrichments, "write", at_call=at_call + 1)
    assert sum("topics_label" in one for one in payloads(world, "things").values()) == 7 * at_call
    assert world.run(started.job).state == "COMPLETED"
    found = world.use_cases.classifying.get(world.caller, "topics", started.enrichment.enrichment_id)
    assert (found.status, found.position, found.enriched, found.batches) == ("completed", 20, 20, 3)
    undone = world.use_cases.classifying.undo(world.caller, "topics", found.enrichment_id)
    world.adapters.jobs.runner.run(undone.job_id, dispatch=True)
    assert payloads(world, "things") == before


def test_a_newer_classification_replaces_an_older_one(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    request = ClassificationRequest(taxonomy="topics")
    classifying = world.use_cases.classifying
    first, second = (classifying.apply(world.caller, "things", request) for _ in range(2))
    world.run(second.job)
    world.run(first.job)
    shown = [classifying.get(world.caller, "topics", one.enrichment.enrichment_id) for one in (first, second)]
    assert [(one.status, one.enriched) for one in shown] == [("replaced", 0), ("completed", 20)]
    with pytest.raises(Conflict, match="replaced"):
        classifying.undo(world.caller, "topics", first.enrichment.enrichment_id)


def test_what_another_namespace_has_makes_no_nodes(world: ClusterWorld, shared: ClusterWorld) -> None:
    theirs = shared.use_cases.collections.get(shared.caller, "things").collection_id
    cluster = shared.use_cases.clusters.list(shared.caller, ListQuery())[0].items[0].cluster
    run = RunReference(cluster=cluster.cluster_id, run_id=str(cluster.last_run_id))
    with pytest.raises(ClusterNotFound):
        promote(world, run)
    own = a_run(world)
    with pytest.raises(ExecutionNotFound):
        promote(world, replace(run, cluster=own.cluster))
    foreign = PromotionRequest(documents=(DocumentReference(collection=theirs, document_id="d00000"),), node_label="L")
    with pytest.raises(CollectionNotFound):
        world.use_cases.taxonomies.promote(world.caller, NewTaxonomy(taxonomy_name="topics"), foreign)
    promote(world, own)
    sent: list[JsonObject] = [{"document_id": "d00000", "collection_id": theirs}]
    _, (found,) = world.use_cases.classifying.try_out(world.caller, "topics", sent)
    assert not found.has_vector
    taxonomy = shared.use_cases.taxonomies.get(shared.caller, "topics").taxonomy
    with pytest.raises(TaxonomyNotFound):
        attach(world, "things", {"taxonomy_id": taxonomy.taxonomy_id})


def test_a_namespace_goes_with_its_taxonomies(world: ClusterWorld) -> None:
    taxonomy = promote(world, a_run(world)).taxonomy
    attach(world, "things", {"taxonomy_id": taxonomy.taxonomy_id})
    world.use_cases.namespaces.delete(world.caller.namespace_id, force=True)
    act_as(None)
    with world.adapters.open_unit_of_work() as uow:
        assert uow.taxonomies.find(taxonomy.namespace_id, taxonomy.taxonomy_id) is None


def test_people_are_told_of_taxonomies(world: ClusterWorld) -> None:
    taxonomy = promote(world, a_run(world)).taxonomy
    world.use_cases.taxonomies.update(world.caller, "topics", TaxonomyChanges(description="x"))
    classified(world)
    world.use_cases.taxonomies.delete(world.caller, "topics")
    with psycopg.connect(str(world.adapters.settings.database_url)) as connection:
        told = connection.execute(
            "SELECT event_type, metadata FROM events WHERE namespace_id = %s AND metadata ->> 'taxonomy_id' = %s"
            " ORDER BY event_no",
            [world.caller.namespace_id, taxonomy.taxonomy_id],
        ).fetchall()
    assert [one for one, _ in told] == [
        "taxonomy.created",
        "taxonomy.updated",
        "documents.updated.batch",
        "taxonomy.deleted",
    ]
    assert told[2][1]["cause"] == "enrichment"
    assert "cluster_id" not in told[2][1]


def test_a_vector_that_is_named_as_what_is_written_is_refused(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    upsert(world, "clash", IncomingDocument("a", {}, {"topics_label": [1.0, 0.0]}))
    request = ClassificationRequest(taxonomy="topics", target="clash")
    with pytest.raises(InvalidFields, match=r"body\.target_collection_id: would write the keys topics_label"):
        world.use_cases.classifying.apply(world.caller, "things", request)
    world.use_cases.collections.create(world.caller, NewCollection(collection_name="bare"))
    attach(world, "bare", {"taxonomy_id": "topics"})
    with pytest.raises(Conflict, match="writes topics_label, which are vectors of these documents"):
        upsert(world, "bare", IncomingDocument("a", {}, {"topics_label": [1.0, 0.0]}))
    assert payloads(world, "bare") == {}


def test_a_collection_that_an_index_keeps_takes_no_taxonomies(shared: ClusterWorld) -> None:
    found = shared.use_cases.collections.get(shared.caller, "things")
    with shared.adapters.open_unit_of_work() as uow:
        kept = replace(found, index_id="an index")
        with pytest.raises(InvalidFields, match=r"body\.taxonomy_applications: cannot be set"):
            attach_taxonomies(uow, shared.caller, kept, [{"taxonomy_id": "topics"}])
        with pytest.raises(InvalidFields, match=r"body\.taxonomy_applications: names a taxonomy twice"):
            attach_taxonomies(uow, shared.caller, found, [{"taxonomy_id": "topics"}] * 2)
        with pytest.raises(InvalidFields, match=r"body\.taxonomy_applications: at most 16"):
            attach_taxonomies(uow, shared.caller, found, [{"taxonomy_id": "topics"}] * 17)
        attach_taxonomies(uow, shared.caller, kept, [])
