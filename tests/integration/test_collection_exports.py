"""Collections exported over a real PostgreSQL and object store, and the files read back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoald.adapters.postgres.collections import PostgresCollections
from shoald.application.collection_exports import CollectionExport, ExportedFile, ExportQuestion
from shoald.application.object_sweep import ObjectSweep
from shoald.domain.failures import ArtifactNotFound, CollectionNotFound, FileLinkNotFound, InvalidFields
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration
COUNT = 1100


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def exported(world: ClusterWorld, word: str = "parquet", **asked: Any) -> CollectionExport:
    question = ExportQuestion(format=word, **asked)
    return world.use_cases.collection_exports.export(world.caller, "things", question, seconds=30)


def content(world: ClusterWorld, file: ExportedFile) -> bytes:
    found = b"".join(world.use_cases.artifacts.open_file(file.url.rsplit("/", 1)[1]).parts)
    assert len(found) == file.size
    return found


def test_documents_and_vectors_are_written_into_two_files(world: ClusterWorld) -> None:
    vectors = groups_of(COUNT)
    collection_id = world.store(vectors)
    export = exported(world, include_vectors=True)
    table = pq.read_table(io.BytesIO(content(world, export.documents)))
    assert table.column_names == ["document_id", "collection_id", "n", "title"]
    assert table.column("n").to_pylist() == list(range(COUNT))
    assert set(table.column("collection_id").to_pylist()) == {collection_id}
    assert export.document_count == COUNT
    assert export.vectors is not None
    stored = pq.read_table(io.BytesIO(content(world, export.vectors)))
    assert stored.column("document_id") == table.column("document_id")
    assert np.array_equal(np.array(stored.column("v").to_pylist(), np.float32), vectors)


def test_what_is_written_meanwhile_is_not_in_the_files(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every vector is replaced, and documents come and go, when some of the documents have been read."""
    vectors = groups_of(COUNT)
    world.store(vectors)
    read, writes = PostgresCollections.vectors, 0

    def read_after_a_write(rows: PostgresCollections, *asked: Any) -> Any:
        nonlocal writes
        if not writes:
            writes += 1
            world.store(-vectors)
            world.store(vectors[:2], ids=["d01099a", "e"])
            world.use_cases.document_changes.delete(world.caller, "things", "d01098")
        return read(rows, *asked)

    monkeypatch.setattr(PostgresCollections, "vectors", read_after_a_write)
    export = exported(world, include_vectors=True)
    table = pq.read_table(io.BytesIO(content(world, export.documents)))
    assert table.column("n").to_pylist() == list(range(COUNT))
    assert export.vectors is not None
    stored = pq.read_table(io.BytesIO(content(world, export.vectors)))
    assert np.array_equal(np.array(stored.column("v").to_pylist(), np.float32), vectors)
    assert writes == 1


def test_fields_documents_and_their_number_are_chosen(world: ClusterWorld) -> None:
    world.store(groups_of(30))
    filters = {"AND": [{"field": "n", "operator": "gte", "value": 10}]}
    export = exported(world, "json", fields=("n", "title.none"), filters=filters, most=2)
    lines = [json.loads(line) for line in content(world, export.documents).splitlines()]
    assert [(one["document_id"], one["n"], one["title.none"]) for one in lines] == [
        ("d00010", 10, None),
        ("d00011", 11, None),
    ]
    assert (export.document_count, export.vectors) == (2, None)


def test_what_cannot_be_exported_is_refused_before_a_job_is_made(world: ClusterWorld) -> None:
    with pytest.raises(CollectionNotFound):
        exported(world)
    world.store(groups_of(2))
    with pytest.raises(InvalidFields, match="dots"):
        exported(world, fields=("a..b",))
    with pytest.raises(InvalidFields):
        exported(world, filters={"AND": [{"field": "n", "operator": "near", "value": 1}]})


def test_addresses_end_and_old_files_are_swept(world: ClusterWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store(groups_of(2))
    export = exported(world)
    adapters = world.adapters
    sweep = ObjectSweep(open_unit_of_work=adapters.open_as_system, objects=adapters.objects, clock=adapters.clock)
    assert sweep.run_pass() == 0
    now = datetime.now(UTC)
    monkeypatch.setattr(adapters.clock, "now", lambda: now + timedelta(hours=2), raising=False)
    with pytest.raises(FileLinkNotFound):
        content(world, export.documents)
    monkeypatch.setattr(adapters.clock, "now", lambda: now + timedelta(hours=30), raising=False)
    assert sweep.run_pass() == 1
    with pytest.raises(ArtifactNotFound):
        adapters.objects.size(adapters.objects.key_of(export.documents.uri))
