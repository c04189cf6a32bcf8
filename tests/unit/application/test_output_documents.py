"""The documents of an output collection, made of a run's artifacts as they pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.application.enrichment_fields import MemberValues, checked_mappings, named_mappings, partition_of
from shoald.application.output_documents import OutputDocuments
from shoald.domain.failures import InvalidFields
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.enrichment import FieldMapping

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def row(cluster_id: str, members: int, **more: Any) -> dict[str, Any]:
    return {"cluster_id": cluster_id, "num_members": members, "label": f"label of {cluster_id}", "keywords": [], **more}


def run_of(*rows: dict[str, Any], **more: Any) -> ClusterRun:
    return ClusterRun(
        run_id="run_1",
        cluster_id="clust_1",
        namespace_id="ns_1",
        job_id="job",
        status="completed",
        mode="full",
        num_clusters=len(rows),
        num_points=0,
        metrics={},
        effective={"map": {"dimensions": 2}, **more.pop("effective", {})},
        artifacts={},
        error_message=None,
        created_at=NOW,
        completed_at=NOW,
        centroids=rows,
        **more,
    )


def members(*groups: str, first: int = 0, **more: list[Any]) -> dict[str, Any]:
    n = len(groups)
    return {
        "point_id": [f"d{first + at}" for at in range(n)],
        "collection_id": ["col_1"] * n,
        "cluster_id": list(groups),
        "cosine_similarity_to_centroid": [None if one == "-1" else 0.75 for one in groups],
        "raw_cosine_to_centroid": [0.75] * n,
        "x": [1.0] * n,
        "y": [2.0] * n,
        "z": [None] * n,
        "probability": [1.0] * n,
        **more,
    }


def groups_of(run: ClusterRun) -> dict[str, Any]:
    ids = [one["cluster_id"] for one in run.centroids]
    return {"cluster_id": ids, "centroid_vector": [np.ones(3, np.float32) for _ in ids]}


@given(st.lists(st.lists(st.sampled_from(["cl_0", "cl_1", "-1"]), min_size=1, max_size=9), max_size=4))
def test_every_member_and_every_group_is_one_document(batches: list[list[str]]) -> None:
    run = run_of(row("cl_0", 0), row("cl_1", 0))
    firsts = [sum(map(len, batches[:at])) for at in range(len(batches))]
    stored = [members(*batch, first=first) for batch, first in zip(batches, firsts, strict=True)]
    found: dict[str, Any] = {}
    for made in OutputDocuments(run=run).batches([groups_of(run)], stored):
        found |= dict(zip(made.ids, made.payloads, strict=True))
    words = [word for batch in batches for word in batch]
    noise = ["centroid:cl_cluster_noise"] if "-1" in words else []
    assert sorted(found) == sorted(
        ["centroid:cl_0", "centroid:cl_1", *noise, *(f"member:col_1:d{at}" for at in range(len(words)))]
    )
    assert [found[f"member:col_1:d{at}"]["cluster_id"] for at in range(len(words))] == words
    if noise:
        assert found[noise[0]]["member_count"] == words.count("-1")


def test_members_are_read_as_they_are_written() -> None:
    read = []

    def stored() -> Iterator[dict[str, Any]]:
        for at in range(1000):
            read.append(at)
            yield members("cl_0", first=at)

    run = run_of(row("cl_0", 1000))
    batches = OutputDocuments(run=run).batches([groups_of(run)], stored())
    for _ in range(4):
        next(batches)
    assert read == [0, 1, 2]


def test_what_a_member_carries() -> None:
    run = replace(run_of(row("cl_0", 1)), label_overrides={"cl_0": "by hand"})
    *_, made = OutputDocuments(run=run).batches([groups_of(run)], [members("cl_0", source_run_id=["run_0"])])
    assert made.payloads == [
        {
            "is_centroid": False,
            "cluster_id": "cl_0",
            "cluster_label": "by hand",
            "source_document_id": "d0",
            "source_collection_id": "col_1",
            "distance_to_centroid": 0.25,
            "run_id": "run_1",
            "x": 1.0,
            "y": 2.0,
            "probability": 1.0,
            "source_run_id": "run_0",
        }
    ]


def test_one_feature_is_written_alone() -> None:
    rows = [row("a:cl_0", 1), row("b:cl_0", 1)]
    run = run_of(*rows, effective={"features": {"a": {}, "b": {}}})
    alone = OutputDocuments(run=run, feature="b").batches([groups_of(run)], [members("b:cl_0", feature=["b"])])
    assert [one for made in alone for one in made.ids] == ["centroid:b:cl_0", "member:col_1:d0"]
    both = OutputDocuments(run=run).batches([groups_of(run)], [members("b:cl_0", feature=["b"])])
    made = list(both)
    assert [one for batch in made for one in batch.ids] == ["centroid:a:cl_0", "centroid:b:cl_0", "member:b:col_1:d0"]
    assert [column.name for batch in made for column in batch.vectors] == ["centroid_a", "centroid_b"]


def cluster(**metadata: Any) -> Cluster:
    return Cluster(
        cluster_id="clust_1",
        namespace_id="ns_1",
        cluster_name="topics",
        description=None,
        cluster_type="vector",
        collection_ids=("col_1",),
        definition={},
        metadata=metadata,
        last_run_id=None,
        created_at=NOW,
        updated_at=NOW,
    )


def test_features_apart_are_written_side_by_side() -> None:
    run = run_of(row("shoal://m@1/a:cl_0", 1), effective={"features": {"shoal://m@1/a": {}}})
    values = MemberValues(cluster=cluster(), run=run, mappings=named_mappings(["cluster_id"]))
    batch = members("shoal://m@1/a:cl_0", feature=["shoal://m@1/a"])
    assert list(values.of(batch)) == [("col_1", "d0", {"cluster_id_a": "shoal://m@1/a:cl_0"})]


def test_a_partition_stands_before_the_groups_of_an_own_choice() -> None:
    run = run_of(row("cl_0", 1), overrides={"filters": {"brand": "acme"}})
    partition = partition_of(run)
    assert partition == partition_of(run_of(overrides={"filters": {"brand": "acme"}, "sample_size": 3}))
    assert partition != partition_of(run_of(overrides={"filters": {"brand": "other"}}))
    values = MemberValues(cluster=cluster(), run=run, mappings=named_mappings(["cluster_id"]), partition=partition)
    assert [one for _, _, one in values.of(members("cl_0"))] == [{"cluster_id": f"{partition}:cl_0"}]


@pytest.mark.parametrize(
    ("source", "target"),
    [("nothing", "a"), ("cluster_id", "document_id"), ("cluster_id", "a.b"), ("cluster_id", ""), ("x", "taken")],
)
def test_what_cannot_be_written_is_named(source: str, target: str) -> None:
    mappings = [FieldMapping(source="label", target="taken"), FieldMapping(source=source, target=target)]
    with pytest.raises(InvalidFields) as refused:
        checked_mappings(mappings, "field_mappings")
    assert [problem.loc for problem in refused.value.problems] == [("body", "field_mappings", 1)]
