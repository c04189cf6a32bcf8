from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shoald.application.cluster_changes import changed
from shoald.application.cluster_definitions import normalized
from shoald.domain.failures import InvalidFields
from shoald.domain.records.cluster import Cluster

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VECTORS = {
    "clustering_method": "hdbscan",
    "algorithm_params": {"min_cluster_size": 7, "min_samples": 3},
    "sample_size": 900,
}


def cluster(**asked: Any) -> Cluster:
    """A stored definition; of vectors unless something else is asked for."""
    definition = normalized({"collection_ids": ["c"], "vector_config": VECTORS, **asked})
    return Cluster(
        cluster_id="clust_1",
        namespace_id="ns_1",
        cluster_name="topics",
        description="first",
        cluster_type=definition["cluster_type"],
        collection_ids=("c",),
        definition=definition,
        metadata={"team": "a"},
        last_run_id=None,
        created_at=NOW,
        updated_at=NOW,
    )


def test_nothing_said_changes_nothing() -> None:
    asked: dict[str, Any] = {
        "cluster_name": None,
        "metadata": None,
        "filters": None,
        "source_cluster_ids": [],
        "sample_size": None,
    }
    assert changed(cluster(), asked) == cluster()


@pytest.mark.parametrize(
    ("asked", "read", "expected"),
    [
        ({"cluster_name": "new"}, lambda one: one.cluster_name, "new"),
        ({"description": ""}, lambda one: one.description, None),
        ({"metadata": {"n": 1}}, lambda one: one.metadata, {"n": 1}),
        ({"metadata": {}}, lambda one: one.metadata, {}),
        ({"filters": {"n": 2}}, lambda one: one.definition["filters"], {"n": 2}),
        ({"filters": {}}, lambda one: one.definition["filters"], None),
        ({"auto_execute_on_batch": False}, lambda one: one.definition["auto_execute_on_batch"], False),
        ({"layout_stability": "none"}, lambda one: one.definition["vector_config"]["layout_stability"], "none"),
        ({"sample_size": 5}, lambda one: one.definition["vector_config"]["sample_size"], 5),
        (
            {"algorithm_params": {"min_cluster_size": 9}},
            lambda one: one.definition["vector_config"]["algorithm_params"],
            {"min_cluster_size": 9},
        ),
        (
            {"face_cluster_merge": {"enabled": False}},
            lambda one: one.definition["vector_config"]["face_cluster_merge"],
            {"enabled": False},
        ),
        (
            {"llm_labeling": {"enabled": True, "model_name": "gpt-4o-mini"}},
            lambda one: one.definition["llm_labeling"],
            {"enabled": True, "model_name": "gpt-4o-mini-2024-07-18"},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_said_takes_the_place_of_what_was(asked: dict[str, Any], read: Any, expected: Any) -> None:
    before = cluster(filters={"n": 1}, auto_execute_on_batch=True)
    after = changed(before, asked)
    assert read(after) == expected
    assert after != before
    assert after.definition["vector_config"]["clustering_method"] == "hdbscan"
    assert before.definition == cluster(filters={"n": 1}, auto_execute_on_batch=True).definition


@pytest.mark.parametrize(
    ("asked", "loc"),
    [
        ({"cluster_name": "list"}, ("cluster_name",)),
        ({"algorithm_params": {"min_cluster_size": 1}}, ("algorithm_params", "min_cluster_size")),
        ({"filters": {"field": "n", "operator": "near", "value": 1}}, ("filters", "operator")),
        ({"source_cluster_ids": ["clust_2"]}, ("source_cluster_ids",)),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(asked: dict[str, Any], loc: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFields) as refused:
        changed(cluster(), asked)
    assert [problem.loc for problem in refused.value.problems] == [("body", *loc)]


@pytest.mark.parametrize("name", ["sample_size", "algorithm_params", "face_cluster_merge", "layout_stability"])
def test_groups_by_attributes_have_nothing_of_vectors(name: str) -> None:
    grouped = cluster(cluster_type="attribute", vector_config=None, attribute_config={"attributes": ["n"]})
    with pytest.raises(InvalidFields, match="does not apply to groups by attributes"):
        changed(grouped, {name: {"n": 1}})
    assert changed(grouped, {"filters": {"n": 1}}).definition["filters"] == {"n": 1}
