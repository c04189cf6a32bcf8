"""Collections, their documents and their vectors in a real PostgreSQL, and the snapshots that runs read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from shoald.adapters.postgres.snapshots import SnapshotFiles
from shoald.adapters.postgres.vector_copying import copy_pieces, encoded_ids
from shoald.adapters.postgres.vector_reading import VectorReader
from shoald.application.collection_documents import Import, Upsert
from shoald.application.collections import BuiltIndex, publish_index_collection
from shoald.application.document_vectors import IncomingDocument, batch_of
from shoald.application.listing import ListQuery, SortKey
from shoald.domain.failures import Conflict, InvalidFields, InvalidVectors, Unavailable
from shoald.domain.records.collection import DocumentBatch, SparseVector, VectorColumn
from support.cluster_world import ClusterWorld, cluster_world

pytestmark = pytest.mark.integration


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def stored_vectors(world: ClusterWorld, collection_id: str, ids: list[str]) -> dict[str, list[float]]:
    with world.adapters.open_unit_of_work() as uow:
        found = uow.collections.vectors(collection_id, ids)
    return {one: np.asarray(named["v"]).tolist() if "v" in named else [] for one, named in found.items()}


def one_document(document_id: str, dimension: int) -> DocumentBatch:
    vectors = VectorColumn(name="v", values=np.ones((1, dimension), np.float32))
    return DocumentBatch(ids=[document_id], payloads=[{}], vectors=[vectors])


def test_ids_of_any_length_keep_their_own_vectors(world: ClusterWorld) -> None:
    ids = ["a", "bb", "é", "日本語", "x" * 512, "d'; --", "  ", "%", "c" * 36, "dd"]
    vectors = np.random.default_rng(0).normal(size=(len(ids), 5)).astype(np.float32)
    collection_id = world.store(vectors, ids=ids)
    assert stored_vectors(world, collection_id, ids) == {
        one: vector.tolist() for one, vector in zip(ids, vectors, strict=True)
    }


def test_copy_pieces_are_bounded_and_whole() -> None:
    ids = encoded_ids([f"{at:036d}" for at in range(3000)])
    vectors = np.ones((3000, 384), np.float32)
    pieces = list(copy_pieces(("col_1", "v"), ids, vectors))
    assert max(map(len, pieces)) <= 1 << 20
    row = 2 + (4 + 5) + (4 + 1) + (4 + 36) + (4 + 4 * 384)
    assert sum(map(len, pieces)) == 19 + 3000 * row + 2


def test_vectors_of_every_kind_keep_to_their_ids(world: ClusterWorld) -> None:
    random = np.random.default_rng(0)
    ids = ["a", "bb", "é", "日本語", "x" * 512, *(f"d{at}" for at in range(2000))]
    terms = {one: np.sort(random.choice(9000, random.integers(1, 200), replace=False)).tolist() for one in ids}
    rows = {one: random.normal(size=(random.integers(1, 30), 3)).astype(np.float32) for one in ids}
    documents = [
        IncomingDocument(
            one, {}, {"s": {"indices": terms[one][::-1], "values": terms[one][::-1]}, "m": rows[one].tolist()}
        )
        for one in ids
        if one != "bb"
    ]
    documents.insert(1, IncomingDocument("bb", {}, {}))
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="kinds"), [batch_of(documents)])
    with world.adapters.open_unit_of_work() as uow:
        collection = uow.collections.find("ns_default", "kinds")
        assert collection is not None
        found = uow.collections.vectors(collection.collection_id, ids)
    assert found.pop("bb") == {}
    for one, named in found.items():
        sparse = named["s"]
        assert isinstance(sparse, SparseVector)
        assert sparse.indices.tolist() == terms[one] == sparse.values.tolist()
        assert np.array_equal(np.asarray(named["m"]), rows[one])
    snapshots = world.adapters.cluster_inputs._snapshots
    read = snapshots.open_sparse(collection.collection_id, "s", revision=1)
    assert [one.decode() for one in read.ids] == sorted(found, key=str.encode)
    chosen = np.array([len(read.ids) - 1, 3])
    indices, values, bounds = read.of_rows(chosen)
    assert [part.tolist() for part in np.split(indices, bounds[1:-1])] == [
        terms[read.ids[at].decode()] for at in chosen
    ]
    assert np.array_equal(indices, values)
    pooled = snapshots.open_pooled(collection.collection_id, "m", dimension=3, revision=1)
    assert pooled.vectors.shape == (len(ids) - 1, 3)
    again = snapshots.open_sparse(collection.collection_id, "s", revision=1)
    assert (again.was_read, again.sha256) == (False, read.sha256)


def test_a_document_that_comes_again_is_replaced_with_all_its_vectors(world: ClusterWorld) -> None:
    collection_id = world.store(np.eye(3, dtype=np.float32), ids=["a", "b", "c"])
    again = [IncomingDocument("b", {"new": 1}, {"v": [5, 5, 5]}), IncomingDocument("c", {}, {})]
    world.use_cases.collection_documents.upsert(
        world.caller, Upsert(namespace="default", collection="things", documents=again)
    )
    assert stored_vectors(world, collection_id, ["a", "b", "c"]) == {"a": [1, 0, 0], "b": [5, 5, 5], "c": []}
    with world.adapters.open_unit_of_work() as uow:
        stored = uow.collections.find("ns_default", "things")
    assert stored is not None
    assert (stored.document_count, stored.revision) == (3, 2)


def test_an_import_that_fails_in_its_middle_stores_nothing(world: ClusterWorld) -> None:
    collection_id = world.store(np.eye(3, dtype=np.float32))

    def batches() -> Iterator[DocumentBatch]:
        yield DocumentBatch(
            ids=["new"], payloads=[{}], vectors=[VectorColumn(name="v", values=np.ones((1, 3), np.float32))]
        )
        yield DocumentBatch(
            ids=["bad"], payloads=[{}], vectors=[VectorColumn(name="v", values=np.ones((1, 2), np.float32))]
        )

    with pytest.raises(InvalidVectors):
        world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), batches())
    page = world.use_cases.collection_documents.list(world.caller, collection_id, ListQuery(include_total=True))
    assert page.total == 3


def test_an_import_keeps_what_own_keys_would_hide_and_refuses_ids_that_no_path_takes(world: ClusterWorld) -> None:
    documents = world.use_cases.collection_documents
    vectors = [VectorColumn(name="v", values=np.ones((1, 3), np.float32))]
    batch = DocumentBatch(ids=["a"], payloads=[{"collection_id": "elsewhere"}], vectors=vectors)
    documents.import_batches(world.caller, Import(collection="things"), [batch])
    assert documents.get(world.caller, "things", "a").document.payload == {"source_collection_id": "elsewhere"}
    with pytest.raises(InvalidFields):
        documents.import_batches(world.caller, Import(collection="things"), [replace(batch, ids=["i" * 5000])])


def test_what_deletes_a_collection_waits_for_its_writers_and_leaves_nothing(
    world: ClusterWorld, postgres_database: str
) -> None:
    collection_id = world.store(np.eye(3, dtype=np.float32))
    deleting = threading.Thread(target=lambda: world.use_cases.collections.delete(world.caller, collection_id))

    def batches() -> Iterator[DocumentBatch]:
        deleting.start()
        deleting.join(timeout=0.3)
        assert deleting.is_alive()
        vectors = [VectorColumn(name="v", values=np.ones((1, 3), np.float32))]
        yield DocumentBatch(ids=["late"], payloads=[{}], vectors=vectors)

    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="things"), batches())
    deleting.join()
    with psycopg.connect(postgres_database) as connection:
        left = "SELECT document_id FROM collection_documents UNION ALL SELECT document_id FROM document_vectors"
        assert connection.execute(left).fetchall() == []


def test_an_import_may_replace_everything(world: ClusterWorld) -> None:
    world.store(np.eye(3, dtype=np.float32))
    batch = DocumentBatch(
        ids=["x"], payloads=[{}], vectors=[VectorColumn(name="v", values=np.ones((1, 3), np.float32))]
    )
    world.use_cases.collection_documents.import_batches(
        world.caller, Import(collection="things", replace=True), [batch]
    )
    page = world.use_cases.collection_documents.list(world.caller, "things", ListQuery(include_total=True))
    assert [read.document.document_id for read in page.items] == ["x"]


def test_pages_in_the_order_of_ids_miss_nothing_while_documents_come(world: ClusterWorld) -> None:
    world.store(np.ones((10, 2), np.float32), ids=[f"k{at}" for at in range(10)])
    documents = world.use_cases.collection_documents
    first = documents.list(world.caller, "things", ListQuery(limit=5))
    world.store(np.ones((1, 2), np.float32), ids=["a-before"])
    second = documents.list(world.caller, "things", ListQuery(limit=50, cursor=first.next_cursor))
    seen = [read.document.document_id for page in (first, second) for read in page.items]
    assert seen == [f"k{at}" for at in range(10)]


def test_documents_are_sorted_by_their_payload(world: ClusterWorld) -> None:
    world.store(np.ones((12, 2), np.float32))
    query = ListQuery(limit=3, sort=(SortKey(field="n", descending=True),))
    page = world.use_cases.collection_documents.list(world.caller, "things", query)
    assert [read.document.payload["n"] for read in page.items] == [11, 10, 9]


def test_a_snapshot_is_read_once_and_follows_the_revision(world: ClusterWorld) -> None:
    vectors = np.random.default_rng(1).normal(size=(500, 8)).astype(np.float32)
    collection_id = world.store(vectors, ids=[f"{999 - at}" for at in range(500)])
    snapshots = world.adapters.cluster_inputs._snapshots
    first = snapshots.open(collection_id, "v", dimension=8, revision=1)
    again = snapshots.open(collection_id, "v", dimension=8, revision=1)
    assert (first.was_read, again.was_read) == (True, False)
    assert first.sha256 == again.sha256
    assert list(first.ids) == sorted(f"{999 - at}".encode() for at in range(500))
    assert np.array_equal(first.vectors, vectors[::-1])
    world.store(np.ones((1, 8), np.float32), ids=["new"])
    newer = snapshots.open(collection_id, "v", dimension=8, revision=2)
    assert (newer.was_read, newer.revision, len(newer.ids)) == (True, 2, 501)
    assert len(first.ids) == 500


def test_equal_content_has_one_snapshot(world: ClusterWorld) -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32)
    snapshots = world.adapters.cluster_inputs._snapshots
    one, two = (world.store(vectors, collection=name) for name in ("things", "others"))
    taken = [snapshots.open(one_id, "v", dimension=8, revision=1) for one_id in (one, two)]
    assert taken[0].sha256 == taken[1].sha256


def test_lost_snapshot_files_are_made_again(world: ClusterWorld, data_dir: Path) -> None:
    collection_id = world.store(np.ones((5, 8), np.float32))
    snapshots = world.adapters.cluster_inputs._snapshots
    first = snapshots.open(collection_id, "v", dimension=8, revision=1)
    for path in (data_dir / "snapshots").glob("*.npy"):
        path.unlink()
    again = snapshots.open(collection_id, "v", dimension=8, revision=1)
    assert again.was_read
    assert again.sha256 == first.sha256


def test_vectors_are_stored_as_they_are(world: ClusterWorld) -> None:
    world.store(np.ones((1, 8), np.float32))
    query = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'document_vectors'::regclass AND attname = 'vector'"
    with psycopg.connect(world.adapters.settings.database_url) as connection:
        (storage,) = connection.execute(query).fetchone() or (None,)
    assert storage in {"e", b"e"}


def test_an_index_keeps_one_collection_whose_documents_are_its_chunks(world: ClusterWorld) -> None:
    def publish(build: str, n: int) -> str:
        built = BuiltIndex(
            namespace_id="ns_default",
            index_id="index-1",
            index_name="things",
            build_id=build,
            embedder="mini",
            embedder_version="1",
            dimension=4,
        )
        batch = DocumentBatch(
            ids=[f"{build}-{at}" for at in range(n)],
            payloads=[{"content": "text", "document_id": "source", "embedding": "no"}] * n,
            vectors=[VectorColumn(name="embedding", values=np.ones((n, 4), np.float32))],
        )
        with world.adapters.open_unit_of_work() as uow:
            collection = publish_index_collection(uow, built, [batch], at=world.adapters.clock.now())
            uow.commit()
        return collection.collection_id

    world.store(np.ones((1, 4), np.float32))
    first = publish("b1", 3)
    assert publish("b2", 2) == first
    kept = world.use_cases.collections.get(world.caller, first)
    assert (kept.index_build_id, kept.document_count) == ("b2", 2)
    assert kept.collection_name == "things (index-1)"
    assert kept.vector_configs[0].feature_uri == "shoal://mini@1/embedding"
    page = world.use_cases.collection_documents.list(world.caller, first, ListQuery())
    assert [read.document.document_id for read in page.items] == ["b2-0", "b2-1"]
    assert page.items[0].document.payload == {
        "content": "text",
        "source_document_id": "source",
        "source_embedding": "no",
    }
    with pytest.raises(Conflict):
        world.store(np.ones((1, 4), np.float32), collection=first)
    with pytest.raises(Conflict):
        world.use_cases.collections.delete(world.caller, first)


@pytest.mark.parametrize("lacking", [["a"], ["c"], ["b"], ["a", "b", "c"]])
def test_a_snapshot_holds_only_documents_that_have_the_vector(
    world: ClusterWorld, postgres_database: str, data_dir: Path, lacking: list[str]
) -> None:
    collection_id = world.store(np.eye(3, dtype=np.float32), ids=["a", "b", "c"])
    without = [IncomingDocument(one, {}, {}) for one in lacking]
    world.use_cases.collection_documents.upsert(
        world.caller, Upsert(namespace="default", collection="things", documents=without)
    )
    files = SnapshotFiles(data_dir / "snapshots", VectorReader(postgres_database))
    snapshot = files.open(collection_id, "v", dimension=3, revision=2)
    kept = [one for one in ("a", "b", "c") if one not in lacking]
    assert [one.decode() for one in snapshot.ids] == kept
    assert snapshot.vectors.tolist() == [np.eye(3)["abc".index(one)].tolist() for one in kept]


def test_a_reading_that_the_server_breaks_off_is_an_outage_and_the_next_one_connects_again(
    world: ClusterWorld, postgres_database: str
) -> None:
    collection_id = world.store(np.random.default_rng(0).normal(size=(30_000, 256)).astype(np.float32))
    reader = VectorReader(postgres_database)

    def read(step: Callable[[float], None]) -> tuple[int, int]:
        with psycopg.connect(postgres_database) as connection:
            others = connection.execute(_OTHERS, ["%FROM document_vectors%"]).fetchall()
        assert others == []
        ids, revision = reader.read(collection_id, "v", lambda most: np.empty((most, 256), np.float32), step)
        return len(ids), revision

    def break_off(_: float) -> None:
        with psycopg.connect(postgres_database) as connection:
            for (pid,) in connection.execute(_OTHERS, ["%FROM document_vectors%"]).fetchall():
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    with pytest.raises(Unavailable):
        read(break_off)
    assert read(lambda _: None) == (30_000, 1)


_OTHERS = """SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s"""
