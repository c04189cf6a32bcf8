"""Groups are kept as a classification, on a real PostgreSQL: promoted, configured, cloned, changed and deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shoald.application.access import act_as
from shoald.application.classifying import ClassificationRequest
from shoald.application.listing import ListQuery
from shoald.application.promotion_sources import DocumentReference, PromotionRequest, RunReference
from shoald.application.taxonomies import NewTaxonomy, TaxonomyChanges
from shoald.domain.failures import (
    AlreadyExists,
    ArtifactNotFound,
    BadRequest,
    ClusterNotFound,
    CollectionNotFound,
    Conflict,
    ExecutionNotFound,
    InvalidFields,
    TaxonomyNotFound,
)
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from support.cluster_world import ClusterWorld, groups_of
from support.taxonomy_world import (
    KMEANS,
    a_flat_config,
    a_run,
    attach,
    count_transactions,
    nested,
    payloads,
    promote,
    run_of,
    vectors,
)

pytestmark = pytest.mark.integration


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
    for hidden in ("document_id", "_internal", "v"):
        with pytest.raises(InvalidFields, match=rf"body\.node_fields\.{hidden}: is "):
            taxonomies.promote(world.caller, new, of("a", node_fields={hidden: "x"}))
    with pytest.raises(InvalidFields, match=r"body\.node_fields\.metadata: must be an object"):
        taxonomies.promote(world.caller, new, of("a", node_fields={"metadata": "mine"}))
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


def test_groups_of_several_levels_become_nodes_under_nodes(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    for most in range(1, len(state.nodes)):
        monkeypatch.setattr("shoald.application.taxonomies.MOST_SHOWN", most)
        assert world.use_cases.taxonomies.get(world.caller, "topics").nodes == state.nodes[:most]


def test_the_documents_of_an_index_get_no_nodes_among_them(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(np.array([[1.0, 0.2], [0.2, 1.0]], dtype=np.float32), ids=["a", "b"])
    world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="near"), a_flat_config(world))
    kept = replace(world.use_cases.collections.get(world.caller, "things"), index_id="an index")
    monkeypatch.setattr("shoald.application.taxonomies.node_collection", lambda *_: kept)
    documents = (DocumentReference(collection="things", document_id="a"),)
    with pytest.raises(Conflict, match="kept by an index"):
        world.use_cases.taxonomies.add_nodes(
            world.caller, "near", PromotionRequest(documents=documents, node_label="L")
        )
    assert sorted(payloads(world, "things")) == ["a", "b"]


def test_more_nodes_than_fit_into_memory_are_refused_and_not_read(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store(np.array([[1.0, 0.2], [0.2, 1.0]], dtype=np.float32), ids=["a", "b"])
    world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="near"), a_flat_config(world))
    for module in ("taxonomy_nodes", "taxonomy_configs"):
        monkeypatch.setattr(f"shoald.application.{module}.MOST_NODES", 1)
    with pytest.raises(Conflict, match="has 2 nodes, more than 1"):
        world.use_cases.classifying.try_out(world.caller, "near", [{"v": [1.0, 0.0]}])
    state = world.use_cases.taxonomies.get(world.caller, "near")
    assert (state.is_ready, state.node_count, len(state.nodes)) == (False, 2, 2)
    with pytest.raises(InvalidFields, match=r"source_collection\.collection_id: has 2 documents; at most 1"):
        world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="too"), a_flat_config(world))


def test_more_groups_than_can_be_nodes_are_refused_before_any_is_stored(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(world)
    before = world.use_cases.collections.list(world.caller, ListQuery()).total
    for module in ("taxonomy_nodes", "promotion_sources"):
        monkeypatch.setattr(f"shoald.application.{module}.MOST_NODES", 1)
    with pytest.raises(InvalidFields, match=r"body\.cluster_run\.run_id: has 2 groups; at most 1"):
        promote(world, run)
    assert world.use_cases.collections.list(world.caller, ListQuery()).total == before
    for module in ("taxonomy_nodes", "promotion_sources"):
        monkeypatch.setattr(f"shoald.application.{module}.MOST_NODES", 3)
    made = promote(world, run).taxonomy
    with pytest.raises(Conflict, match="would have 4 nodes, more than 3"):
        world.use_cases.taxonomies.add_nodes(world.caller, "topics", PromotionRequest(run=run))
    assert len(payloads(world, made.node_collection_id)) == 2


def test_centroids_are_read_while_no_transaction_is_open(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    run, taxonomies = a_run(world), world.use_cases.taxonomies
    read, seen = taxonomies._former_runs.centroids, list[int]()
    are_open = count_transactions(monkeypatch, taxonomies)

    def reading(of: ClusterRun) -> Any:
        seen.append(are_open())
        return read(of)

    monkeypatch.setattr(taxonomies._former_runs, "centroids", reading)
    promote(world, run)
    taxonomies.add_nodes(world.caller, "topics", PromotionRequest(run=run))
    assert seen == [0, 0]


def test_a_change_of_nothing_is_refused(shared: ClusterWorld) -> None:
    with pytest.raises(BadRequest, match="give taxonomy_name, description or metadata"):
        shared.use_cases.taxonomies.update(shared.caller, "topics", TaxonomyChanges())
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.taxonomies.update(shared.caller, "nothing", TaxonomyChanges())


@pytest.mark.parametrize("name", ["tax_0123", "list", "Execute", "from-documents", "a/b", " x", "..", "a\nb"])
def test_a_name_that_a_path_could_not_say_is_refused(shared: ClusterWorld, name: str) -> None:
    with pytest.raises(InvalidFields, match=r"body\.taxonomy_name"):
        shared.use_cases.taxonomies.update(shared.caller, "topics", TaxonomyChanges(taxonomy_name=name))


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
