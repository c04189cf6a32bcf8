"""Documents, vectors and items have no policy: each statement over them asks whether its caller sees where they lie.

Every method of a repository that names a collection or a set is called with what is another namespace's, and with what
nobody has: it must say the same, bring nothing over, and leave everything as it was.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pytest

from shoald.adapters.postgres.chunk_sets import PostgresChunkSets
from shoald.adapters.postgres.collections import PostgresCollections
from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.enrichments import PostgresEnrichments
from shoald.adapters.postgres.identity import NOBODY
from shoald.adapters.postgres.output_collections import PostgresOutputCollections
from shoald.adapters.postgres.segment_sets import PostgresSegmentSets
from shoald.adapters.postgres.triggers import PostgresTriggers
from shoald.adapters.postgres.unit_of_work import PostgresUnitOfWork, PostgresUnitsOfWork
from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.application.access import Caller, act_as
from shoald.application.listing import Selection
from shoald.domain.failures import Failure
from shoald.domain.filters.conditions import Exists
from shoald.domain.json_types import JsonObject
from shoald.domain.records.aggregation import Aggregation, Figure
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.collection import Collection, DocumentBatch, VectorColumn, VectorConfig
from shoald.domain.records.enrichment import Enrichment, FieldMapping
from shoald.domain.records.payload_index import BUILDING, REMOVING, DeclaredIndex
from shoald.domain.records.segment_set import SegmentSet
from support.builders import NOW, make_document, make_item, make_project, make_segment_set
from support.servers import DatabaseMaker

pytestmark = pytest.mark.integration

UNGUARDED = {
    "collection_documents": "collection_id",
    "document_vectors": "collection_id",
    "segment_items": "segment_set_version_id",
    "chunk_items": "chunk_set_version_id",
}
REPOSITORIES = {
    "collections": PostgresCollections,
    "segment_sets": PostgresSegmentSets,
    "chunk_sets": PostgresChunkSets,
    "enrichments": PostgresEnrichments,
    "output_collections": PostgresOutputCollections,
    "triggers": PostgresTriggers,
}
NAMING = {"collection_id", "collection_ids", "set_id", "source_id", "source"}
METHODS = [
    f"{attribute}.{name}"
    for attribute, repository in REPOSITORIES.items()
    for name, method in inspect.getmembers(repository, inspect.isfunction)
    if not name.startswith("_") and NAMING & set(inspect.signature(method).parameters)
]
EXISTS = Exists(("kind",))


@dataclass(frozen=True)
class Place:
    """A namespace with a collection of one document, a set of one segment and a set of one chunk."""

    caller: Caller
    collection_id: str
    segments: SegmentSet
    chunks: ChunkSet

    def set_id(self, attribute: str) -> str:
        return self.chunks.chunk_set_version_id if attribute == "chunk_sets" else self.segments.segment_set_version_id


@dataclass(frozen=True)
class World:
    """Two namespaces of one database."""

    opens: PostgresUnitsOfWork
    url: str
    owner: Place
    stranger: Place
    nothing: Place

    def rows(self) -> list[Any]:
        """Return all that the owner has in the tables without policies."""
        place = self.owner
        held = [place.collection_id, place.set_id("segment_sets"), place.set_id("chunk_sets")]
        with psycopg.connect(self.url) as connection:
            return [
                connection.execute(
                    f"SELECT t::text FROM {table} t WHERE {column} = ANY (%s)".encode(),  # noqa: S608 - ours
                    [held],
                ).fetchall()
                for table, column in UNGUARDED.items()
            ]


def a_place(namespace_id: str) -> Place:
    project = make_project(namespace_id=namespace_id)
    _, version = make_document(project)
    segments = make_segment_set(version, project.project_id, document_version_id=None)
    chunks = ChunkSet(
        chunk_set_version_id=f"chunks_{namespace_id}",
        project_id=project.project_id,
        segment_set_version_id=segments.segment_set_version_id,
        parent_chunk_set_version_id=None,
        params={},
        input_refs={},
        artifact_uri=None,
        producer_type="rag_lib",
        producer_version="0",
        is_active=False,
        is_deleted=False,
        created_at=NOW,
        total_items=0,
        total_characters=0,
    )
    return Place(Caller(namespace_id=namespace_id), f"col_{namespace_id}", segments, chunks)


def a_batch(place: Place) -> DocumentBatch:
    vectors = [VectorColumn(name="v", values=np.ones((1, 2), np.float32))]
    return DocumentBatch(ids=["d1"], payloads=[{"kind": place.caller.namespace_id, "cluster_id": "x"}], vectors=vectors)


def fill(opens: PostgresUnitsOfWork, url: str, place: Place) -> None:
    name = place.caller.namespace_id
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO namespaces (namespace_id, namespace_name, mode, created_at, updated_at)"
            " VALUES (%s, %s, 'managed', %s, %s)",
            [name, name, NOW, NOW],
        )
    act_as(place.caller)
    with opens() as uow:
        uow.projects.add(make_project(namespace_id=place.caller.namespace_id, project_id=place.segments.project_id))
        uow.segment_sets.add(place.segments)
        uow.chunk_sets.add(place.chunks)
        segment = make_item(0, "text", item_id="i1", metadata={"kind": "x"})
        uow.segment_sets.write_items(place.segments.segment_set_version_id, [segment])
        chunk = make_item(0, "text", item_id="i1", metadata={"kind": "x", "source_segment_item_id": "i1"})
        uow.chunk_sets.write_items(place.chunks.chunk_set_version_id, [chunk])
        uow.collections.add(a_collection(place))
        uow.collections.put_documents(place.collection_id, [a_batch(place)], at=NOW)
        uow.commit()


def a_collection(place: Place) -> Collection:
    return Collection(
        collection_id=place.collection_id,
        namespace_id=place.caller.namespace_id,
        collection_name="things",
        description=None,
        index_id=None,
        vector_configs=(VectorConfig(name="v", dimension=2, metric="cosine"),),
        metadata={},
        document_count=0,
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.fixture(scope="module")
def world(database_maker: DatabaseMaker) -> Iterator[World]:
    url = database_maker.make()
    engine = make_engine(url)
    world = World(PostgresUnitsOfWork(engine, nobody=NOBODY), url, *map(a_place, ("ns_a", "ns_b", "ns_none")))
    try:
        fill(world.opens, url, world.owner)
        fill(world.opens, url, world.stranger)
        act_as(None)
        yield world
    finally:
        act_as(None)
        engine.dispose()
        database_maker.drop(url)


def an_enrichment(place: Place) -> Enrichment:
    return Enrichment(
        enrichment_id="enr_1",
        namespace_id="ns_b",
        cluster_id="c",
        run_id="r",
        job_id="j",
        status="processing",
        source_collection_ids=(place.collection_id,),
        target_collection_id=None,
        mappings=(FieldMapping(source="cluster_id", target="group"),),
        partition="",
        is_automatic=False,
        batch_size=10,
        created_at=NOW,
    )


def arguments(attribute: str, place: Place, own: Place) -> dict[str, Any]:
    """Return a value for each parameter of the methods; what a caller makes itself is its own."""
    return {
        "collection_id": place.collection_id,
        "collection_ids": [place.collection_id],
        "set_id": place.set_id(attribute),
        "source_id": place.set_id(attribute),
        "source": place.segments,
        "target_id": own.set_id(attribute),
        "namespace_id": own.caller.namespace_id,
        "document_id": "d1",
        "document_ids": ["d1"],
        "selection": Selection(limit=10),
        "condition": EXISTS,
        "path": ("kind",),
        "most": 10,
        "limit": 10,
        "asked": Aggregation(keys=(), figures=(Figure(function="count", alias="count"),)),
        "batches": [a_batch(own)],
        "changes": {"d1": _spoiled},
        "change": _spoiled,
        "at": NOW,
        "since": NOW.replace(year=2000),
        "configs": [],
        "item_id": "i1",
        "item_ids": ["i1"],
        "items": [make_item(1, "mine")],
        "changed": make_item(1, "mine", item_id="i2"),
        "positions": [0],
        "start": 0,
        "hidden": frozenset(),
        "laid_over": {},
        "first_position": 5,
        "metadata": {},
        "vector_name": "v",
        "enrichment": an_enrichment(place),
        "values": {"d1": {"group": "mine"}},
        "labels": {"x": "mine"},
        "places": {"d1": {"x": 1.0}},
    }


def _spoiled(_: JsonObject) -> JsonObject:
    return {"kind": "mine"}


def outcome(world: World, name: str, place: Place) -> str:
    """Return what the stranger hears of a method, and which texts its own sets hold then, without the ids asked for."""
    attribute, _, method = name.partition(".")
    own = world.stranger
    try:
        with world.opens() as uow:
            said = repr(_called(getattr(getattr(uow, attribute), method), arguments(attribute, place, own)))
            said += repr(_texts(uow, own))
            if method not in {"clone_items", "join_items"}:  # they write into the stranger's own set, twice the same
                uow.commit()
    except Failure as failure:
        said = failure.code
    for one in (place.collection_id, place.set_id("segment_sets"), place.set_id("chunk_sets")):
        said = said.replace(one, "<id>")
    return said


def _called(method: Any, values: dict[str, Any]) -> Any:
    wanted = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    return method(**{one.name: values[one.name] for one in wanted})


def _texts(uow: PostgresUnitOfWork, own: Place) -> list[tuple[str, str]]:
    sets = ((uow.segment_sets, "segment_sets"), (uow.chunk_sets, "chunk_sets"))
    return [text for items, name in sets for text in items.texts(own.set_id(name), start=0, limit=100)]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_what_is_not_seen_is_as_if_it_were_not_there(name: str, world: World) -> None:
    before = world.rows()
    act_as(world.stranger.caller)
    try:
        assert outcome(world, name, world.owner) == outcome(world, name, world.nothing)
    finally:
        act_as(None)
    assert world.rows() == before
    assert all(before), "there is nothing that could be seen"


@pytest.mark.parametrize(("who", "seen"), [("owner", 1), ("stranger", 0), (None, 0)])
def test_vectors_are_read_in_bulk_on_behalf_of_the_caller(world: World, who: str | None, seen: int) -> None:
    """The reader has connections of its own, whose login role owns the tables."""
    reader = VectorReader(world.url, nobody=NOBODY)
    collection_id = world.owner.collection_id
    act_as(None if who is None else getattr(world, who).caller)
    try:
        ids, _ = reader.read(collection_id, "v", lambda most: np.empty((most, 2), np.float32), lambda _: None)
        terms = reader.read_terms(collection_id, "v", lambda most: np.empty((most, 2), np.int32), lambda _: None)
    finally:
        act_as(None)
    assert (len(ids), len(terms.ids)) == (seen, seen)


def test_the_system_reads_vectors_of_every_namespace(world: World) -> None:
    reader = VectorReader(world.url)
    for place in (world.owner, world.stranger):
        ids, _ = reader.read(place.collection_id, "v", lambda most: np.empty((most, 2), np.float32), lambda _: None)
        assert ids.tolist() == [b"d1"]


@pytest.mark.parametrize("state", [BUILDING, REMOVING])
def test_an_index_is_built_and_removed_by_those_alone_who_see_its_documents(world: World, state: str) -> None:
    """The policies of the tables that it begins with stand before the documents, which have none."""
    index = DeclaredIndex(world.owner.caller.namespace_id, "kind", state, NOW)
    with psycopg.connect(world.url) as connection:
        connection.execute(
            "INSERT INTO payload_indexes (namespace_id, field_name, path, state, created_at)"
            " VALUES (%s, %s, '$.kind', %s, %s)",
            [index.namespace_id, index.field_name, state, NOW],
        )
    act_as(world.stranger.caller)
    try:
        with world.opens() as uow:
            assert uow.collections.advance_index(index, 10) is None
            uow.collections.finish_index(index)
            uow.commit()
    finally:
        act_as(None)
    with psycopg.connect(world.url) as connection:
        kept = connection.execute("DELETE FROM payload_indexes RETURNING state, done_document").fetchall()
        stored = connection.execute("SELECT count(*) FROM payload_values").fetchone()
    assert kept == [(state, None)]
    assert stored == (0,)
