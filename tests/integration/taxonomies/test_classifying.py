"""Documents are classified by taxonomies, on a real PostgreSQL: by a job, when they are stored, and to try it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest

from shoald.adapters.postgres.enrichments import PostgresEnrichments
from shoald.application.classifying import ClassificationRequest
from shoald.application.collection_documents import Import
from shoald.application.collections import NewCollection
from shoald.application.document_vectors import IncomingDocument
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.promotion_sources import DocumentReference, PromotionRequest
from shoald.application.taxonomies import NewTaxonomy, TaxonomyChanges
from shoald.application.taxonomy_applications import attach_taxonomies
from shoald.application.taxonomy_nodes import read_nodes
from shoald.domain.failures import (
    CollectionNotFound,
    Conflict,
    InvalidFields,
    TaxonomyNotFound,
)
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import NodeTree
from shoald.domain.records.collection import Collection, DocumentBatch
from shoald.domain.records.taxonomy import Taxonomy
from support.cluster_world import ClusterWorld, groups_of
from support.killed_attempt import kill_attempt
from support.taxonomy_world import (
    a_flat_config,
    a_run,
    attach,
    payloads,
    promote,
    upsert,
)

pytestmark = pytest.mark.integration


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


def test_a_taxonomy_outlives_its_run_and_its_documents(world: ClusterWorld) -> None:
    run = a_run(world)
    made = promote(world, run)
    world.use_cases.clusters.delete(world.caller, run.cluster)
    world.use_cases.collections.delete(world.caller, "things")
    state = world.use_cases.taxonomies.get(world.caller, made.taxonomy.taxonomy_id)
    assert (state.is_ready, len(state.nodes)) == (True, 2)
    world.store(groups_of(3, 3, seed=1))
    assert classified(world) == {"cl_0": 3, "cl_1": 3}


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


def count_readings(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what says how often nodes were read from the database."""
    seen = list[str]()

    def reading(uow: UnitOfWork, taxonomy: Taxonomy, found: Collection) -> NodeTree:
        seen.append(found.collection_id)
        return read_nodes(uow, taxonomy, found)

    monkeypatch.setattr("shoald.application.kept_nodes.read_nodes", reading)
    return lambda: len(seen)


def test_nodes_are_read_again_only_after_a_change(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = promote(world, a_run(world)).taxonomy.node_collection_id
    world.use_cases.collections.create(world.caller, NewCollection(collection_name="fresh"))
    attach(world, "fresh", {"taxonomy_id": "topics"})
    readings = count_readings(monkeypatch)
    vector = groups_of(1, 0)[0].tolist()
    for document_id in ("a", "b"):
        upsert(world, "fresh", IncomingDocument(document_id, {}, {"v": vector}))
    world.use_cases.document_changes.create(world.caller, "fresh", {"document_id": "c", "vectors": {"v": vector}})
    world.use_cases.classifying.try_out(world.caller, "topics", [{"v": vector}])
    assert readings() == 1
    node = payloads(world, "fresh")["a"]["topics_node_id"]
    world.use_cases.document_changes.update(world.caller, nodes, node, {"label": "Renamed"})
    upsert(world, "fresh", IncomingDocument("d", {}, {"v": vector}))
    assert payloads(world, "fresh")["d"]["topics_label"] == "Renamed"
    world.use_cases.document_changes.delete(world.caller, nodes, node)
    upsert(world, "fresh", IncomingDocument("e", {}, {"v": vector}))
    assert payloads(world, "fresh")["e"]["topics_node_id"] != node
    assert readings() == 3


def test_nodes_are_read_again_after_an_enrichment_wrote_into_them(world: ClusterWorld) -> None:
    promote(world, a_run(world))
    fields = [{"field_path": "topics_label", "target_field": "found"}]
    config = a_flat_config(world, source_collection={"collection_id": "things", "enrichment_fields": fields})
    world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="near"), config)
    vector = groups_of(1, 0)[0].tolist()

    def found() -> Any:
        _, (one,) = world.use_cases.classifying.try_out(world.caller, "near", [{"v": vector}])
        return one.values["found"]

    assert found() is None
    started = world.use_cases.classifying.apply(world.caller, "things", ClassificationRequest(taxonomy="topics"))
    world.run(started.job)
    assert found() == payloads(world, "things")["d00000"]["topics_label"]
    undone = world.use_cases.classifying.undo(world.caller, "topics", started.enrichment.enrichment_id)
    world.adapters.jobs.runner.run(undone.job_id, dispatch=True)
    assert found() is None


def test_nodes_of_an_import_that_was_taken_back_are_not_kept(world: ClusterWorld) -> None:
    """It reads the nodes that it has replaced itself, in a revision that the next change makes anew."""
    world.store(groups_of(2, 2))
    world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name="near"), a_flat_config(world))
    attach(world, "things", {"taxonomy_id": "near"})

    def breaks(_: int) -> DocumentBatch:
        raise ConnectionResetError

    target = Import(collection="things", replace=True)
    with pytest.raises(ConnectionResetError):
        world.use_cases.collection_documents.import_batches(world.caller, target, map(breaks, [0]))
    world.use_cases.document_changes.update(world.caller, "things", "d00000", {"n": 7})
    _, (one,) = world.use_cases.classifying.try_out(world.caller, "near", [{"v": groups_of(1, 0)[0].tolist()}])
    assert one.assignments


def test_documents_are_stored_though_their_taxonomy_is_not_ready(world: ClusterWorld) -> None:
    taxonomy = promote(world, a_run(world)).taxonomy
    attach(world, "things", {"taxonomy_id": "topics"})
    world.use_cases.collections.delete(world.caller, taxonomy.node_collection_id)
    answer = upsert(world, "things", IncomingDocument("new", {"n": 1}, {"v": [1.0] * 16}))
    assert answer.warnings == (
        "documents are not classified: The taxonomy 'topics' is not ready: its node collection is gone.",
    )
    assert payloads(world, "things")["new"] == {"n": 1}
    imported = world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [])
    assert imported.warnings == answer.warnings
    world.use_cases.taxonomies.delete(world.caller, "topics")
    assert world.use_cases.collections.taxonomy_applications([taxonomy.node_collection_id]) == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "taxonomy_id"),
        ({"taxonomy_id": "topics", "execution_mode": "on_demand"}, "execution_mode"),
        ({"taxonomy_id": "topics", "execution_mode": ["materialize"]}, "execution_mode"),
        ({"taxonomy_id": "topics", "priority": 2.5}, "priority"),
        ({"taxonomy_id": "topics", "priority": {}}, "priority"),
        ({"taxonomy_id": "topics", "execution_phase": 2}, "execution_phase"),
        ({"taxonomy_id": "topics", "hierarchical_enrichment_style": "full_chain"}, "hierarchical_enrichment_style"),
        ({"taxonomy_id": "topics", "target_collection_id": "other"}, "target_collection_id"),
        ({"taxonomy_id": "topics", "priority": 1001}, "priority"),
        ({"taxonomy_id": "topics", "mode": "materialize"}, "mode"),
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
    for given, wrong in (([1e39] * 16, "single precision"), ([True] * 16, "list of numbers")):
        with pytest.raises(InvalidFields, match=rf"body\.source_documents\.0\.v: .*{wrong}"):
            shared.use_cases.classifying.try_out(shared.caller, "topics", [{"v": given}])
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.classifying.try_out(shared.caller, "topics", sent, version=2)
    assert payloads(shared, "things") == before


def test_documents_that_are_named_are_classified_by_their_stored_vectors(shared: ClusterWorld) -> None:
    things = shared.use_cases.collections.get(shared.caller, "things").collection_id
    named = [("things", "d00000"), (things, "d00000"), ("things", "d00019"), ("nothing", "d00000"), ("things", "gone")]
    sent: list[JsonObject] = [{"collection_id": one, "document_id": document_id} for one, document_id in named]
    sent.insert(2, {**sent[0], "v": groups_of(0, 1)[0].tolist()})  # what is sent wins over what is stored
    _, found = shared.use_cases.classifying.try_out(shared.caller, "topics", sent)
    assert [one.has_vector for one in found] == [True, True, True, True, False, False]
    first, again, other, last = (one.assignments[0].node.node_id for one in found[:4])
    assert first == again != other == last


def test_a_collection_without_the_vector_is_refused(shared: ClusterWorld) -> None:
    shared.store(np.ones((1, 3), dtype=np.float32), collection="narrow")
    with pytest.raises(InvalidFields, match=r"body\.taxonomy_id: needs a dense vector 'v' of 16 components"):
        shared.use_cases.classifying.apply(shared.caller, "narrow", ClassificationRequest(taxonomy="topics"))


def test_classified_documents_become_no_nodes(shared: ClusterWorld) -> None:
    nodes = shared.use_cases.taxonomies.get(shared.caller, "topics").taxonomy.node_collection_id
    request = ClassificationRequest(taxonomy="topics", target=nodes)
    with pytest.raises(InvalidFields, match=r"body\.target_collection_id: holds the nodes of this taxonomy"):
        shared.use_cases.classifying.apply(shared.caller, "things", request)


@pytest.mark.parametrize("at_call", [1, pytest.param(2, marks=pytest.mark.nightly)])
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


def test_a_taxonomy_goes_with_its_nodes_and_what_it_wrote_stays(world: ClusterWorld) -> None:
    made = promote(world, a_run(world)).taxonomy
    assert sum(classified(world).values()) == 20
    world.use_cases.taxonomies.delete(world.caller, "topics")
    with pytest.raises(TaxonomyNotFound):
        world.use_cases.taxonomies.get(world.caller, made.taxonomy_id)
    with pytest.raises(CollectionNotFound):
        world.use_cases.collections.get(world.caller, made.node_collection_id)
    assert all(one["topics_label"] for one in payloads(world, "things").values())
