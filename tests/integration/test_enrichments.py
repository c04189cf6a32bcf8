"""What a run found, written back into documents: all of it, once, and taken back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from shoald.adapters.postgres.enrichments import PostgresEnrichments
from shoald.adapters.postgres.jobs import PostgresJobRepository
from shoald.application.collection_documents import Import
from shoald.application.enriching import EnrichmentRequest
from shoald.application.enrichment_fields import named_mappings
from shoald.application.listing import ListQuery
from shoald.domain.failures import ArtifactNotFound, Conflict, EnrichmentNotFound, InvalidFields
from shoald.domain.records.collection import DocumentBatch
from shoald.domain.records.enrichment import Enrichment, FieldMapping
from shoald.domain.records.job import Job
from shoald.domain.triggers.counting import counted_of
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world
from support.killed_attempt import kill_attempt

pytestmark = pytest.mark.integration

Documents = dict[str, dict[str, Any]]


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def store(world: ClusterWorld, **kinds: dict[str, Any]) -> None:
    batch = DocumentBatch(ids=list(kinds), payloads=list(kinds.values()), vectors=[])
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), [batch])


def define(world: ClusterWorld, **more: Any) -> str:
    asked = {
        "collection_ids": ["things"],
        "cluster_type": "attribute",
        "attribute_config": {"attributes": ["kind"]},
        **more,
    }
    return world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id


def a_run(world: ClusterWorld, **more: Any) -> str:
    """Store ten documents of two kinds, define a cluster and run it."""
    store(world, **{f"d{at}": {"n": at, "kind": "ab"[at % 2]} for at in range(10)})
    cluster = define(world, **more)
    assert world.run(world.start(cluster)).state is JobState.COMPLETED
    return cluster


def documents(world: ClusterWorld, collection: str = "things", **filters: Any) -> Documents:
    query = ListQuery(limit=1000, filters=filters or None)
    page = world.use_cases.collection_documents.list(world.caller, collection, query)
    return {one.document.document_id: dict(one.document.payload) for one in page.items}


def job_of(world: ClusterWorld, enrichment: Enrichment) -> Job:
    return world.use_cases.jobs.get(world.caller, enrichment.job_id)


def done(world: ClusterWorld, enrichment: Enrichment) -> Enrichment:
    """Do the job of an enrichment, and return how it stands."""
    assert world.run(job_of(world, enrichment)).state is JobState.COMPLETED
    return world.use_cases.enrichments.get(world.caller, enrichment.cluster_id, enrichment.enrichment_id)


def start(world: ClusterWorld, cluster: str, *fields: str, **asked: Any) -> Enrichment:
    request = EnrichmentRequest(mappings=named_mappings(fields), **asked)
    return world.use_cases.enrichments.start(world.caller, cluster, request)


def test_documents_can_be_filtered_by_what_was_written(world: ClusterWorld) -> None:
    cluster = a_run(world)
    ended = done(world, start(world, cluster, "cluster_id", "label", "member_count"))
    assert (ended.status, ended.position, ended.enriched, ended.failed) == ("completed", 10, 10, 0)
    of_a = documents(world, label="a")
    assert sorted(of_a) == ["d0", "d2", "d4", "d6", "d8"]
    assert {one["member_count"] for one in of_a.values()} == {5}
    assert {one["kind"] for one in of_a.values()} == {"a"}


def test_what_a_run_writes_is_told_with_its_cause(world: ClusterWorld) -> None:
    cluster = a_run(world)
    done(world, start(world, cluster, "label"))
    with world.adapters.open_unit_of_work() as uow:
        uow.events.position("test")
        told = [one for one in uow.events.after(0, 100) if one.metadata.get("cause")]
    assert [(one.event_type, one.metadata["cause"], one.metadata["document_count"]) for one in told] == [
        ("collection.documents.written", "cluster_run", 12),
        ("documents.updated.batch", "enrichment", 10),
    ]
    assert [counted_of(one) for one in told] == [("", {}), ("", {})]


def test_a_run_is_not_stale_for_what_it_wrote(world: ClusterWorld) -> None:
    cluster = a_run(world)
    done(world, start(world, cluster))
    state = world.use_cases.executions.latest(world.caller, cluster)
    assert state is not None
    assert not state.is_stale


def test_what_was_there_before_comes_back(world: ClusterWorld) -> None:
    store(world, d0={"kind": "a", "label": "mine"}, d1={"kind": "b", "label": None}, d2={"kind": "b"})
    cluster = define(world)
    world.run(world.start(cluster))
    before = documents(world)
    ended = done(world, start(world, cluster, "cluster_id", "label", batch_size=2))
    assert {one["label"] for one in documents(world).values()} == {"a", "b"}
    undone = done(world, world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id))
    assert (undone.status, undone.restored, undone.undone_at is None) == ("undone", 3, False)
    assert documents(world) == before
    with pytest.raises(Conflict):
        world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id)


def test_any_payload_comes_back(world: ClusterWorld) -> None:
    random = Random(7)
    values = [None, 0, 1.5, "", "text", True, [], [1, {"a": None}], {}, {"label": {"label": 1}}]
    keys = ["kind", "label", "cluster_id", "x", "other"]
    kinds = {f"d{at}": {key: random.choice(values) for key in keys if random.random() < 0.6} for at in range(60)}
    store(world, **kinds)
    cluster = define(world)
    world.run(world.start(cluster))
    ended = done(world, start(world, cluster, "cluster_id", "label", "x", batch_size=7))
    assert ended.enriched == 60
    assert all({"cluster_id", "label", "x"} <= one.keys() for one in documents(world).values())
    done(world, world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id))
    assert documents(world) == kinds


def test_what_was_changed_since_stays(world: ClusterWorld) -> None:
    cluster = a_run(world)
    ended = done(world, start(world, cluster, "cluster_id", "label"))
    store(world, d0={"kind": "a", "label": "by hand", "cluster_id": documents(world)["d0"]["cluster_id"]})
    done(world, world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id))
    assert documents(world)["d0"] == {"kind": "a", "label": "by hand"}
    assert documents(world)["d1"] == {"n": 1, "kind": "b"}


@pytest.mark.parametrize("at_call", [1, 3])
def test_an_enrichment_that_was_killed_is_gone_on_with(world: ClusterWorld, at_call: int) -> None:
    cluster = a_run(world)
    before = documents(world)
    enrichment = start(world, cluster, "label", batch_size=2)
    kill_attempt(world, job_of(world, enrichment), PostgresEnrichments, "change", at_call=at_call + 1)
    ended = done(world, enrichment)
    assert (ended.position, ended.enriched, ended.failed, ended.batches) == (10, 10, 0, 5)
    assert all(one["label"] == one["kind"] for one in documents(world).values())
    undoing = world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id)
    kill_attempt(world, job_of(world, undoing), PostgresEnrichments, "restore", at_call=3)
    undone = done(world, undoing)
    assert (undone.status, undone.restored) == ("undone", 10)
    assert documents(world) == before


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 30))])
def test_kills_at_any_moment_lose_nothing_and_keep_nothing_twice(
    postgres_database: str, data_dir: Path, seed: int
) -> None:
    random = Random(seed)
    with cluster_world(postgres_database, data_dir, job_max_failures=100) as world:
        cluster = a_run(world)
        before = documents(world)
        enrichment = start(world, cluster, "cluster_id", "label", target=random.choice([None, "picked"]), batch_size=1)
        steps = [(PostgresEnrichments, "write"), (PostgresEnrichments, "change"), (PostgresJobRepository, "apply")]
        for _ in range(2):
            owner, method = random.choice(steps)
            kill_attempt(world, job_of(world, enrichment), owner, method, at_call=random.randint(1, 4))
        ended = done(world, enrichment)
        assert (ended.position, ended.enriched, ended.failed, ended.batches) == (10, 10, 0, 10)
        found = documents(world, "picked" if ended.target_collection_id else "things")
        assert {key: one["label"] for key, one in found.items()} == {key: one["kind"] for key, one in before.items()}
        undoing = world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id)
        kill_attempt(world, job_of(world, undoing), PostgresEnrichments, "restore", at_call=random.randint(1, 9))
        assert done(world, undoing).restored == 10
        assert documents(world) == before
        assert not ended.target_collection_id or documents(world, "picked") == {}


def test_a_target_gets_the_documents_and_keeps_its_own(world: ClusterWorld) -> None:
    cluster = a_run(world)
    into = Import(collection="picked")
    own = DocumentBatch(ids=["d1", "z"], payloads=[{"mine": True}, {"mine": True}], vectors=[])
    world.use_cases.collection_documents.import_batches(world.caller, into, [own])
    ended = done(world, start(world, cluster, "label", target="picked", batch_size=3))
    found = documents(world, "picked")
    assert (ended.enriched, len(found)) == (10, 11)
    assert found["d0"] == {"n": 0, "kind": "a", "label": "a"}
    assert (found["d1"], found["z"]) == ({"mine": True, "label": "b"}, {"mine": True})
    assert "label" not in documents(world)["d0"]
    assert world.use_cases.collections.get(world.caller, "picked").document_count == 11
    done(world, world.use_cases.enrichments.undo(world.caller, cluster, ended.enrichment_id))
    assert documents(world, "picked") == {"d1": {"mine": True}, "z": {"mine": True}}
    assert world.use_cases.collections.get(world.caller, "picked").document_count == 2


def test_documents_that_are_gone_are_counted(world: ClusterWorld) -> None:
    cluster = a_run(world)
    into = Import(collection="things", replace=True)
    left = DocumentBatch(ids=["d3"], payloads=[{"kind": "b"}], vectors=[])
    world.use_cases.collection_documents.import_batches(world.caller, into, [left])
    ended = done(world, start(world, cluster, "label"))
    assert (ended.position, ended.enriched, ended.failed) == (10, 1, 9)
    assert documents(world) == {"d3": {"kind": "b", "label": "b"}}


def test_a_definition_that_enriches_writes_back_after_each_run(world: ClusterWorld) -> None:
    mappings = [{"source_field": "cluster_label", "target_field": "topic"}]
    cluster = a_run(world, enrich_source_collection=True, source_enrichment_config={"field_mappings": mappings})
    world.run(_last_job(world))
    assert {one["topic"] for one in documents(world).values()} == {"a", "b"}
    store(world, **{f"d{at}": {"kind": "c"} for at in range(10)})
    world.run(world.start(cluster))
    world.run(_last_job(world))
    assert {one["topic"] for one in documents(world).values()} == {"c"}
    with world.adapters.open_unit_of_work() as uow:
        newest = uow.enrichments.newest([cluster])[cluster]
    assert (newest.is_automatic, newest.status) == (True, "completed")
    assert _kept(world) == {newest.enrichment_id}
    assert [one.collection_name for one in _collections(world)] == ["things"]


def test_an_older_enrichment_does_not_overwrite_a_newer_one(world: ClusterWorld) -> None:
    cluster = a_run(world)
    old, new = start(world, cluster, "label"), start(world, cluster, "label", "cluster_id")
    done(world, new)
    written = documents(world)
    assert done(world, old).status == "replaced"
    assert documents(world) == written
    with pytest.raises(Conflict):
        world.use_cases.enrichments.undo(world.caller, cluster, old.enrichment_id)


def test_partitions_of_a_cluster_share_no_value(world: ClusterWorld) -> None:
    cluster = a_run(world)
    done(world, start(world, cluster, "cluster_id"))
    whole = documents(world)
    world.run(world.start(cluster, {"filters": {"kind": "a"}}))
    ended = done(world, start(world, cluster, "cluster_id"))
    found = documents(world)
    assert {found[one]["cluster_id"].partition(":")[0] for one in ("d0", "d2")} == {ended.partition}
    assert found["d1"] == whole["d1"]
    assert len(ended.partition) == 8


def test_every_field_can_be_written_under_any_key(world: ClusterWorld) -> None:
    cluster = a_run(world, metadata={"team": {"name": "search"}})
    sources = ("cluster_id", "cluster_label", "distance_to_centroid", "member_count", "keywords", "x", "y", "z")
    mappings = tuple(FieldMapping(source=one, target=f"my_{one}") for one in (*sources, "summary"))
    team = FieldMapping(source="metadata.team.name", target="team")
    request = EnrichmentRequest(mappings=(*mappings, team))
    done(world, world.use_cases.enrichments.start(world.caller, cluster, request))
    found = documents(world)["d0"]
    assert found.keys() == {"n", "kind", "team", *(one.target for one in mappings)}
    assert (found["my_cluster_label"], found["my_member_count"], found["team"]) == ("a", 5, "search")
    assert isinstance(found["my_x"], float)
    assert (found["my_z"], found["my_distance_to_centroid"]) == (None, None)


def test_several_clusters_are_written_in_one_call(world: ClusterWorld) -> None:
    cluster = a_run(world)
    request = EnrichmentRequest(source="things", batch_size=4)
    accepted = world.use_cases.enrichments.start(world.caller, cluster, request)
    assert done(world, accepted).batches == 3


def test_what_cannot_be_written_is_refused(world: ClusterWorld) -> None:
    store(world, d0={"kind": "a"})
    cluster = define(world)
    with pytest.raises(ArtifactNotFound):
        start(world, cluster, "label")
    world.run(world.start(cluster))
    for fields in (["nothing"], ["metadata."]):
        with pytest.raises(InvalidFields):
            start(world, cluster, *fields)
    with pytest.raises(InvalidFields):
        start(world, cluster, "label", source="elsewhere")
    with pytest.raises(EnrichmentNotFound):
        world.use_cases.enrichments.get(world.caller, cluster, "enr_0")


def test_what_was_kept_goes_with_the_cluster(world: ClusterWorld) -> None:
    cluster = a_run(world)
    done(world, start(world, cluster, "label"))
    world.use_cases.clusters.delete(world.caller, cluster)
    assert _kept(world) == set()
    assert documents(world)["d0"]["label"] == "a"


def _collections(world: ClusterWorld) -> list[Any]:
    return list(world.use_cases.collections.list(world.caller, ListQuery(limit=100)).items)


def _last_job(world: ClusterWorld) -> Job:
    jobs, _ = world.use_cases.jobs.list(world.caller, job_types=["cluster_enrichment"])
    return jobs[0]


def _kept(world: ClusterWorld) -> set[str]:
    with psycopg.connect(str(world.adapters.settings.database_url)) as connection:
        rows = connection.execute("SELECT DISTINCT enrichment_id FROM enrichment_values").fetchall()
    return {one for (one,) in rows}
