"""Builds of every provider and type: what they store, what they say, and how one takes the place of another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from shoald.application.chunking import Cutting
from shoald.application.index_building import IndexBuildHandler, NewBuild
from shoald.application.jobs import Jobs
from shoald.application.listing import Selection
from shoald.application.whole_lists import ListRange
from shoald.domain.failures import (
    ChunkSetNotFound,
    DataCorrupt,
    EmptyChunkSet,
    Failure,
    IndexBuildNotFound,
    IndexNotFound,
    InvalidIndexConfig,
    JobCanceled,
)
from shoald.domain.job_states import Claimed, LeaseExpired
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.job import Job
from shoald.wiring import Adapters, build_application
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration
_NOTES = ("apples grow on trees. apples are sweet", "dogs bark at night. dogs run", "stars shine far away")


def _index_of(path: RagPath, index: Index) -> Index:
    return path.use_cases.indexes.get(path.caller, index.index_id)


def _manifest(path: RagPath, build: IndexBuild) -> dict[str, Any]:
    assert build.artifact_uri is not None
    manifest: dict[str, Any] = json.loads(path.adapters.objects.get(path.adapters.objects.key_of(build.artifact_uri)))
    return manifest


@pytest.mark.parametrize("provider", ["faiss", "pgvector"])
def test_the_manifest_says_what_was_built_and_the_config_where_it_lies(path: RagPath, provider: str) -> None:
    given = {"mine": 1, "faiss_local_dir": "/etc", "table": 5, "embedding_model_name": "e5"}
    index = path.index(provider=provider, index_type="mine", config=given)
    chunk_set = path.chunk(path.texts(*_NOTES), chunk_size=20, chunk_overlap=0)
    build = path.build(index, chunk_set)
    manifest = _manifest(path, build)
    assert manifest == build.manifest
    said = {
        "provider": provider,
        "vectors": chunk_set.total_items,
        "dimension": 256,
        "metric": "cosine",
        "kind": "flat",
        "index_id": index.index_id,
        "build_id": build.build_id,
        "chunk_set_version_id": chunk_set.chunk_set_version_id,
        "indexed": "chunks",
        "index_type": "mine",
        "notes": [
            "index_type 'mine' has no effect; known are chunk_vectors, segment_vectors.",
            "embedding_model_name 'e5' has no effect; the embedding provider mock has no models.",
        ],
        "embedder": "mock@1",
        "embedding_provider": "mock",
        "embedding_model_name": "e5",
    }
    assert said.items() <= manifest.items()
    where = "faiss_local_dir" if provider == "faiss" else "table"
    config = _index_of(path, index).config
    assert config[where] == manifest[where]
    assert config["mine"] == 1
    assert build.build_id in str(manifest[where])
    assert str(path.adapters.settings.data_dir) not in json.dumps(config)


@pytest.mark.parametrize("provider", ["faiss", "pgvector"])
def test_segments_are_indexed_where_the_type_says_so(path: RagPath, provider: str) -> None:
    segment_set = path.texts(*_NOTES)
    chunk_set = path.chunk(segment_set, chunk_size=20, chunk_overlap=0)
    assert chunk_set.total_items > segment_set.total_items
    build = path.build(path.index(provider=provider, index_type="segment_vectors"), chunk_set)
    assert (build.manifest["indexed"], build.manifest["vectors"]) == ("segments", 3)
    assert build.manifest["segment_set_version_id"] == segment_set.segment_set_version_id
    assert "notes" not in build.manifest
    page = path.by_vectors("dogs bark at night. dogs run", build, k=2)
    assert page.items[0].page_content == _NOTES[1]
    assert page.items[0].metadata["segment_set_version_id"] == segment_set.segment_set_version_id
    assert "chunk_set_version_id" not in page.items[0].metadata
    collection = path.adapters.open_unit_of_work
    with collection() as uow:
        kept = uow.collections.of_index(build.index_id)
        assert kept is not None
        assert kept.document_count == 3


def test_segments_without_chunks_are_left_out_and_the_others_keep_their_positions(path: RagPath) -> None:
    segment_set = path.texts("apples grow", "  ", "dogs bark", "  ", "stars shine")
    with path.adapters.open_unit_of_work() as uow:
        wanted = [
            item.position
            for item in uow.segment_sets.items(segment_set.segment_set_version_id, start=0, limit=9)
            if item.content.strip()
        ]
    build = path.build(path.index(index_type="segment_vectors"), path.chunk(segment_set))
    assert build.manifest["vectors"] == 3
    index = path.adapters.vector_indexes.get("faiss")
    query = path.adapters.embedders.get("mock", None).embed_query("stars shine")
    hits, vectors = index.search(build.manifest, query, k=9, with_vectors=True)
    assert (hits[0].position, sorted(hit.position for hit in hits)) == (wanted[-1], wanted)
    assert vectors is not None
    assert vectors[0] @ query == pytest.approx(1)
    some = np.array([0, 1, wanted[1]])
    assert [hit.position for hit in index.search(build.manifest, query, k=9, allowed=some)[0]][-2:]
    assert {hit.position for hit in index.search(build.manifest, query, k=9, allowed=some)[0]} <= {0, wanted[1]}
    assert path.by_vectors("dogs bark", build, k=1).items[0].page_content == "dogs bark"


def test_documents_of_a_build_are_its_items_as_their_readers_know_them(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoald.application.index_building._DOCUMENTS_TOGETHER", 2)
    path.texts('apples "grow"\n', "  ", "dogs \\ bark", "stars")
    path.texts("snow falls")
    joined = path.use_cases.joining.create(path.caller, path.project.project_id, [], Here())
    for index_type in ("chunk_vectors", "segment_vectors"):
        build = path.build(path.index(index_type=index_type), path.chunk(joined))
        with path.adapters.open_unit_of_work() as uow:
            collection = uow.collections.of_index(build.index_id)
            assert collection is not None
            found = uow.collections.documents([collection.collection_id], Selection(limit=20))
            repository = uow.chunk_sets if index_type == "chunk_vectors" else uow.segment_sets
            set_id = build.manifest.get("segment_set_version_id") or build.chunk_set_version_id
            items = {item.item_id: item for item in repository.items(set_id, start=0, limit=20) if item.content.strip()}
        assert collection.document_count == len(found) == len(items) == 4
        for document in found:
            item = items[document.document_id]
            expected = {
                ("source_document_id" if key == "document_id" else key): item.metadata[key] for key in item.metadata
            }
            assert "source_document_id" in expected
            expected |= {"content": item.content, "position": item.position}
            expected |= {"chunk_set_version_id": build.chunk_set_version_id}
            if index_type == "segment_vectors":
                expected["segment_set_version_id"] = set_id
            assert document.payload == expected


def test_positions_that_are_not_what_was_stored_are_refused(path: RagPath) -> None:
    build = path.build(path.index(index_type="segment_vectors"), path.chunk(path.texts("apples", "  ", "dogs")))
    file = path.adapters.settings.objects_folder / build.manifest["positions"]["key"]
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    with pytest.raises(DataCorrupt):
        path.by_vectors("dogs", build)


def test_a_failed_build_says_why(path: RagPath) -> None:
    index = path.index()
    empty = path.use_cases.chunking.create(
        path.caller, path.texts("  ").segment_set_version_id, Cutting(strategy="recursive", params={}), Here()
    )
    with pytest.raises(EmptyChunkSet):
        path.build(index, empty)
    (build,) = path.use_cases.index_building.list(path.caller, index.index_id, ListRange()).rows
    assert build.status == "failed"
    assert build.input_refs["failure"] == {"code": "empty_chunk_set", "message": "The chunk set has no items."}
    assert build.input_refs["chunk_set_version_id"] == empty.chunk_set_version_id


def test_a_canceled_build_says_so(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    index, chunk_set, jobs = path.index(), path.chunk(path.texts(*_NOTES)), path.use_cases.jobs

    def cancel(*_: object, **__: object) -> None:
        jobs.cancel(path.caller, jobs.list(path.caller)[0][0].job_id)
        raise JobCanceled

    monkeypatch.setattr(type(path.adapters.embed_texts), "embed", cancel)
    with pytest.raises(JobCanceled):
        path.build(index, chunk_set)
    (build,) = path.use_cases.index_building.list(path.caller, index.index_id, ListRange()).rows
    assert (build.status, build.input_refs["failure"]["code"]) == ("failed", "canceled")


def test_a_build_whose_last_worker_was_killed_has_failed_and_says_why(path: RagPath) -> None:
    index, chunk_set = path.index(), path.chunk(path.texts(*_NOTES))
    good = path.build(index, chunk_set)
    adapters = Adapters(path.adapters.settings.model_copy(update={"job_max_failures": 1}))
    building = build_application(adapters).index_building
    new = NewBuild(chunk_set_version_id=chunk_set.chunk_set_version_id, is_async=True)
    accepted = building.create(path.caller, index.index_id, new, Here())
    assert accepted.job_id is not None
    adapters.job_moves.move(accepted.job_id, Claimed("w", timedelta(0)))
    assert building.get(path.caller, accepted.build.build_id).status == "running"
    adapters.job_moves.move(accepted.job_id, LeaseExpired())
    build = building.get(path.caller, accepted.build.build_id)
    adapters.close()
    assert (build.status, build.input_refs["failure"]["code"]) == ("failed", "attempts_exhausted")
    assert _index_of(path, index).status == "ready"
    assert path.by_vectors("dogs", good, k=1).items


@pytest.mark.parametrize(
    ("provider", "config", "field"),
    [
        ("faiss", {"kind": "trees"}, "kind"),
        ("faiss", {"ivf_lists": 5_000}, "ivf_lists"),
        ("pgvector", {"hnsw_ef_search": 5_000}, "hnsw_ef_search"),
        ("faiss", {"embedding_provider": "word2vec"}, "embedding_provider"),
        ("faiss", {"embedding_provider": "local", "embedding_model_name": "other"}, "embedding_model_name"),
    ],
)
def test_a_wrong_config_names_its_field(path: RagPath, provider: str, config: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidIndexConfig) as caught:
        path.build(path.index(provider=provider, config=config), path.chunk(path.texts(*_NOTES)))
    assert caught.value.detail["field"] == field


@contextmanager
def _asking(path: RagPath, index: Index) -> Iterator[list[str]]:
    """Ask the index's active build all the time; what goes wrong, and answers that mix builds, are noted."""
    wrong: list[str] = []
    ends = threading.Event()
    answered = threading.Event()

    def ask() -> None:
        while not ends.is_set():
            try:
                rows = path.use_cases.index_building.list(path.caller, index.index_id, ListRange()).rows
                (build,) = [row for row in rows if row.is_active]
                answers = {item.page_content.split()[0] for item in path.by_vectors("dogs", build, k=3).items}
                if answers != {build.params["round"]}:
                    wrong.append(f"{build.params} answered {answers}")
            except Exception as error:  # noqa: BLE001 - any is one too many
                wrong.append(repr(error))
            answered.set()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert answered.wait(20)
    try:
        yield wrong
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def test_builds_take_each_others_place_while_they_are_searched(path: RagPath) -> None:
    """R33: no query fails, and none is answered from two builds."""
    index = path.index()
    builds = [_round(path, index, 0)]
    with _asking(path, index) as wrong:
        builds += [_round(path, index, number) for number in range(1, 5)]
    assert wrong == []
    for number, build in enumerate(builds):  # each is searchable for ever
        assert {item.page_content.split()[0] for item in path.by_vectors("dogs", build).items} == {f"round{number}"}


def _round(path: RagPath, index: Index, number: int) -> IndexBuild:
    name = f"round{number}"
    chunk_set = path.chunk(path.texts(*[f"{name} {note}" for note in _NOTES]))
    new = NewBuild(chunk_set_version_id=chunk_set.chunk_set_version_id, params={"round": name})
    return path.use_cases.index_building.create(path.caller, index.index_id, new, Here()).build


def test_a_build_of_another_projects_set_is_refused_before_anything_is_stored(path: RagPath) -> None:
    other = path.use_cases.projects.create(path.caller, name="Other", description=None, settings=None)
    elsewhere = replace(path, project=other)
    index = path.index()
    with pytest.raises(ChunkSetNotFound):
        path.build(index, elsewhere.chunk(elsewhere.texts(*_NOTES)))
    assert path.use_cases.index_building.list(path.caller, index.index_id, ListRange()).rows == []


@pytest.mark.parametrize("deleted", ["chunk set", "document", "index", "build"])
def test_a_build_says_which_of_its_parts_was_deleted_meanwhile(path: RagPath, deleted: str) -> None:
    segment_set = path.texts(*_NOTES)
    chunk_set, index = path.chunk(segment_set), path.index()
    document_id = path.use_cases.documents.list(path.caller, path.project.project_id, ListRange()).rows[0].document_id
    words: dict[str, tuple[type[Failure], str]] = {
        "chunk set": (ChunkSetNotFound, "chunk set, or what"),
        "document": (ChunkSetNotFound, "or what it was made of"),
    }
    words |= {"index": (IndexNotFound, "index was deleted"), "build": (IndexBuildNotFound, "build was deleted")}

    class Deleting(Here):
        def finish(self, jobs: Jobs, job: Job) -> Job:
            ids = {"chunk set": chunk_set.chunk_set_version_id, "document": document_id}
            ids |= {"index": index.index_id, "build": job.payload["build_id"]}
            path.use_cases.lineage.delete(path.caller, ids[deleted])
            return super().finish(jobs, job)

    failure, message = words[deleted]
    new = NewBuild(chunk_set_version_id=chunk_set.chunk_set_version_id)
    with pytest.raises(failure, match=message) as caught:
        path.use_cases.index_building.create(path.caller, index.index_id, new, Deleting())
    assert "build_id" in caught.value.detail


def test_a_build_that_was_hidden_as_it_was_made_says_why(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_set, index = path.chunk(path.texts(*_NOTES)), path.index()
    publish = IndexBuildHandler._publish

    def deleting(self: IndexBuildHandler, context: Any, result: Any) -> None:
        path.use_cases.lineage.delete(path.caller, chunk_set.chunk_set_version_id)
        publish(self, context, result)

    monkeypatch.setattr(IndexBuildHandler, "_publish", deleting)
    with pytest.raises(ChunkSetNotFound, match="was deleted while an index was being built over it"):
        path.build(index, chunk_set)
