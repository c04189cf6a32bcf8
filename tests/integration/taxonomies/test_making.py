"""Taxonomies of configurations and like others, on a real PostgreSQL: flat, hierarchical, cloned and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shoald.application.classifying import ClassificationRequest
from shoald.application.former_runs import FormerRuns
from shoald.application.listing import ListQuery
from shoald.application.taxonomies import NewTaxonomy, TaxonomyState
from shoald.domain.failures import ClusterNotFound, InvalidFields, TaxonomyNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from support.cluster_world import ClusterWorld
from support.taxonomy_world import (
    KMEANS,
    a_flat_config,
    a_run,
    count_transactions,
    in_a_namespace_of_its_own,
    nested,
    payloads,
    promote,
    run_of,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shared(installation: ClusterWorld) -> ClusterWorld:
    """A world in which there is a run over `things`; tests read it, or are refused."""
    made = in_a_namespace_of_its_own(installation)
    a_run(made)
    return made


def make(world: ClusterWorld, config: JsonObject, name: str = "levels") -> TaxonomyState:
    return world.use_cases.taxonomy_making.create(world.caller, NewTaxonomy(taxonomy_name=name), config)


def a_hierarchy(*clusters: str, **more: Any) -> JsonObject:
    return {"taxonomy_type": "hierarchical", "inference_strategy": "cluster", "cluster_ids": list(clusters), **more}


def two_levels(world: ClusterWorld) -> tuple[str, str]:
    """Two clusters with a run each: one of two groups, one of three."""
    nested(world)
    coarse, fine = (world.define(**KMEANS, algorithm_params={"n_clusters": n}) for n in (2, 3))
    for one in (coarse, fine):
        run_of(world, one)
    return coarse, fine


def test_a_hierarchy_is_found_in_the_runs_of_several_clusters(world: ClusterWorld) -> None:
    coarse, fine = two_levels(world)
    made = make(world, a_hierarchy(coarse, fine))
    assert made.taxonomy.config["cluster_overlap_threshold"] == 0.7
    assert made.taxonomy.config["cluster_ids"] == [coarse, fine]
    assert sorted(one.payload["member_count"] for one in made.nodes if one.level == 0) == [40, 40, 140]
    assert sorted(one.payload["member_count"] for one in made.nodes if one.level == 1) == [60, 80]
    world.run(world.use_cases.classifying.apply(world.caller, "things", ClassificationRequest(taxonomy="levels")).job)
    assert len(payloads(world, "things")["d00000"]["levels_path"]) == 2


def test_more_members_than_can_be_compared_are_refused(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first = a_run(world)
    second = run_of(world, world.define(**KMEANS, algorithm_params={"n_clusters": 3}))
    monkeypatch.setattr("shoald.application.taxonomy_making._MOST_COMPARED", 39)
    with pytest.raises(InvalidFields, match=r"body\.config\.cluster_ids: their runs have 40 members; at most 39"):
        make(world, a_hierarchy(first.cluster, second.cluster))


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


def test_a_flat_taxonomy_stands_over_a_collection_that_stays(world: ClusterWorld) -> None:
    world.store(np.array([[1.0, 0.2], [0.2, 1.0]], dtype=np.float32), ids=["a", "b"])
    world.store(np.array([[1.0, 0.3]], dtype=np.float32), collection="others")
    config = a_flat_config(world, top_k=2)
    made = make(world, config, "near").taxonomy
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


OWN_FIELDS = [
    {"field_path": "label", "target_field": "theme", "merge_mode": "replace"},
    {"field_path": "member_count", "target_field": "member_count", "merge_mode": "replace"},
]


def test_a_hierarchy_copies_the_fields_that_it_names_and_so_does_its_clone(world: ClusterWorld) -> None:
    mappings = [{"input_key": "mine", "source_type": "vector", "path": "v"}]
    given = [{"field_path": "label", "target_field": "theme"}, {"field_path": "member_count"}]
    config = a_hierarchy(*two_levels(world), enrichment_fields=given, input_mappings=mappings)
    made = make(world, config).taxonomy
    assert (made.config["enrichment_fields"], made.config["input_mappings"]) == (OWN_FIELDS, mappings)
    clone, _ = world.use_cases.taxonomy_making.clone(world.caller, "levels", NewTaxonomy(taxonomy_name="copy"), None)
    assert clone.taxonomy.config["enrichment_fields"] == OWN_FIELDS
    world.run(world.use_cases.classifying.apply(world.caller, "things", ClassificationRequest(taxonomy="copy")).job)
    first = payloads(world, "things")["d00000"]
    nodes = {one.node_id: one for one in clone.nodes}
    assert first["theme"] == nodes[first["copy_node_id"]].label
    assert first["member_count"] == nodes[first["copy_node_id"]].payload["member_count"]
    assert {"copy_label", "levels_label"}.isdisjoint(first)


def test_the_label_of_a_cloned_hierarchy_goes_to_its_own_key(world: ClusterWorld) -> None:
    make(world, a_hierarchy(a_run(world).cluster))
    clone, _ = world.use_cases.taxonomy_making.clone(world.caller, "levels", NewTaxonomy(taxonomy_name="copy"), None)
    (field,) = clone.taxonomy.config["enrichment_fields"]
    assert (field["field_path"], field["target_field"]) == ("label", "copy_label")


def test_a_cluster_that_is_named_twice_has_its_groups_once(world: ClusterWorld) -> None:
    cluster = a_run(world).cluster
    name = world.use_cases.clusters.get(world.caller, cluster).cluster.cluster_name
    made = make(world, a_hierarchy(cluster, name))
    assert made.taxonomy.config["cluster_ids"] == [cluster]
    assert (made.node_count, {one.level for one in made.nodes}) == (2, {0})


def noting(name: str, seen: list[tuple[str, int]], are_open: Callable[[], int]) -> Callable[..., Any]:
    """Return a reader of runs that notes how many transactions are open when it is called."""
    read = getattr(FormerRuns, name)

    def reading(former: FormerRuns, run: ClusterRun) -> Any:
        seen.append((name, are_open()))
        return read(former, run)

    return reading


def test_files_of_runs_are_read_while_no_transaction_is_open(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = a_hierarchy(*two_levels(world))
    are_open, seen = count_transactions(monkeypatch, world.use_cases.taxonomy_making), list[tuple[str, int]]()
    for name in ("centroids", "members"):
        monkeypatch.setattr(FormerRuns, name, noting(name, seen, are_open))
    make(world, config)
    world.use_cases.taxonomy_making.clone(world.caller, "levels", NewTaxonomy(taxonomy_name="copy"), config)
    assert sorted(seen) == [("centroids", 0)] * 4 + [("members", 0)] * 4


def test_a_run_that_goes_while_it_is_read_leaves_nothing_behind(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse, fine = two_levels(world)
    read = FormerRuns.members

    def goes(former: FormerRuns, run: ClusterRun) -> Any:
        found = read(former, run)
        if run.cluster_id == fine:
            world.use_cases.clusters.delete(world.caller, fine)
        return found

    monkeypatch.setattr(FormerRuns, "members", goes)
    with pytest.raises(ClusterNotFound):
        make(world, a_hierarchy(coarse, fine))
    assert world.use_cases.taxonomies.list(world.caller, ListQuery())[1].total == 0
    names = {one.collection_name for one in world.use_cases.collections.list(world.caller, ListQuery()).items}
    assert "levels_nodes" not in names


REFUSED: list[tuple[JsonObject, str]] = [
    ({"taxonomy_type": "deep"}, "taxonomy_type"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "llm"}, "inference_strategy"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "schema"}, "inference_strategy"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "cluster"}, "cluster_ids"),
    ({"path_field": "folder"}, "path_field"),
    ({"hierarchical_nodes": [{"collection_id": "col_a"}]}, "hierarchical_nodes"),
    ({"step_analytics": {"timestamp_field": "at"}}, "step_analytics"),
    ({"retriever_id": "ret_other"}, "retriever_id"),
    (
        {
            "taxonomy_type": "hierarchical",
            "inference_strategy": "cluster",
            "cluster_ids": ["any"],
            "retriever_id": "ret_other",
        },
        "retriever_id",
    ),
    ({"source_collection": None}, "source_collection"),
    ({"source_collection": {}}, r"source_collection\.collection_id"),
    ({"input_mappings": []}, "input_mappings"),
    ({"input_mappings": [{"input_key": "q", "source_type": "payload", "path": "title"}]}, "input_mappings"),
    ({"input_mappings": [{"input_key": "q", "source_type": "vector", "path": "w"}]}, r"input_mappings\.0\.path"),
    ({"input_mappings": [{"input_key": "q", "source_type": "vector"}]}, r"input_mappings\.0\.path"),
    ({"input_mappings": [{"source_type": "vector", "path": "v"}]}, r"input_mappings\.0\.input_key"),
    (
        {"input_mappings": [{"input_key": "q", "source_type": "vector", "path": "v", "override": [1.0]}]},
        r"input_mappings\.0\.override",
    ),
    ({"cluster_ids": ["any"]}, "cluster_ids"),
    ({"enrichment_fields": [{"field_path": "title"}]}, "enrichment_fields"),
    ({"topk": 3}, "topk"),
    ({"path_separator": "."}, "path_separator"),
    ({"source_collection": {"collection_id": "things", "fields": ["title"]}}, r"source_collection\.fields"),
    ({"top_k": 0}, "top_k"),
    ({"top_k": 1.5}, "top_k"),
    ({"top_k": "many"}, "top_k"),
    ({"top_k": [1]}, "top_k"),
    ({"taxonomy_type": "hierarchical", "inference_strategy": "cluster", "cluster_ids": "abc"}, "cluster_ids"),
    (
        {
            "source_collection": {
                "collection_id": "things",
                "enrichment_fields": [{"field_path": "a", "merge_mode": ["replace"]}],
            }
        },
        r"source_collection\.enrichment_fields\.0\.merge_mode",
    ),
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
    (
        {
            "source_collection": {
                "collection_id": "things",
                "enrichment_fields": [{"field_path": "a", "target_field": "v"}],
            }
        },
        r"source_collection\.enrichment_fields\.0\.target_field",
    ),
    (
        {"source_collection": {"collection_id": "things", "enrichment_fields": [{"field_path": "a", "mode": "x"}]}},
        r"source_collection\.enrichment_fields\.0\.mode",
    ),
    (
        {
            "source_collection": {
                "collection_id": "things",
                "enrichment_fields": [{"field_path": "a"}, {"field_path": "b", "target_field": "a"}],
            }
        },
        r"source_collection\.enrichment_fields\.1\.target_field",
    ),
]


@pytest.mark.parametrize(("changed", "field"), REFUSED)
def test_what_a_configuration_cannot_say_is_refused_by_its_name(
    shared: ClusterWorld, changed: JsonObject, field: str
) -> None:
    config = a_flat_config(shared, **changed)
    with pytest.raises(InvalidFields, match=rf"body\.config\.{field}: "):
        make(shared, config, "never")
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.taxonomies.get(shared.caller, "never")


DEEP: list[tuple[JsonObject, str]] = [
    ({"cluster_ids": []}, "cluster_ids"),
    ({"cluster_overlap_threshold": 0}, "cluster_overlap_threshold"),
    ({"cluster_overlap_threshold": True}, "cluster_overlap_threshold"),
    ({"top_k": 2}, "top_k"),
    ({"source_collection": {"collection_id": "things"}}, "source_collection"),
    ({"overlap": 0.5}, "overlap"),
    ({"input_mappings": [{"input_key": "q", "source_type": "payload", "path": "title"}]}, "input_mappings"),
    ({"input_mappings": [{"input_key": "q", "source_type": "vector"}]}, r"input_mappings\.0\.path"),
    ({"input_mappings": [{"input_key": "q", "source_type": "vector", "path": "w"}]}, r"input_mappings\.0\.path"),
    ({"enrichment_fields": "label"}, "enrichment_fields"),
    ({"enrichment_fields": [{"field_path": "label", "target_field": "v"}]}, r"enrichment_fields\.0\.target_field"),
    ({"enrichment_fields": [{"field_path": "label"}] * 2}, r"enrichment_fields\.1\.target_field"),
]


@pytest.mark.parametrize(("changed", "field"), DEEP)
def test_what_a_hierarchy_cannot_say_is_refused_by_its_name(
    shared: ClusterWorld, changed: JsonObject, field: str
) -> None:
    cluster = shared.use_cases.clusters.list(shared.caller, ListQuery())[0].items[0].cluster.cluster_id
    with pytest.raises(InvalidFields, match=rf"body\.config\.{field}: "):
        make(shared, {**a_hierarchy(cluster), **changed})
    with pytest.raises(TaxonomyNotFound):
        shared.use_cases.taxonomies.get(shared.caller, "levels")
