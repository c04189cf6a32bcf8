from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shoal.rag.v1 import document_service_pb2

from shoald.application.keyword_indexing import KeywordIndexing, KeywordIndexJobs
from shoald.application.segmenting import SegmentsHandler
from shoald.application.waiting import Patience
from shoald.application.whole_lists import ListRange
from shoald.domain.failures import (
    ChunkSetNotFound,
    DocumentNotFound,
    EmptyChunkSet,
    Failure,
    IndexNotFound,
    InvalidFields,
    InvalidLoaderParams,
    JobCanceled,
    ProjectNotFound,
    SegmentSetNotFound,
    TooLarge,
    Unavailable,
)
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job
from shoald.domain.records.segment_set import SetItem
from shoald.domain.vocabulary import JobType
from shoald.transport.mapping.rag import segment_sets
from shoald.transport.mapping.rag.documents import file_info_of
from shoald.transport.mapping.rag.items import with_items
from support.builders import make_item
from support.rag_path import RagPath

pytestmark = pytest.mark.integration


def at_once(count: int, work: Callable[[], object]) -> list[BaseException]:
    """Run the same thing in several threads and return what they raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_one_chunk_set_is_active_however_many_are_made_at_once(path: RagPath) -> None:
    segment_set = path.texts("one", "two")
    assert at_once(4, lambda: path.chunk(segment_set)) == []
    with path.adapters.open_unit_of_work() as uow:
        sets = uow.chunk_sets.list(path.project.project_id, offset=0, limit=10)
    assert sorted(one.is_active for one in sets) == [False, False, False, True]


def test_one_build_is_active_however_many_end_at_once(path: RagPath) -> None:
    chunk_set = path.chunk(path.texts("one", "two"))
    index = path.index()
    assert at_once(3, lambda: path.build(index, chunk_set)) == []
    with path.adapters.open_unit_of_work() as uow:
        builds = uow.index_builds.list(index.index_id, offset=0, limit=10)
        collection = uow.collections.of_index(index.index_id)
    assert sorted(build.is_active for build in builds) == [False, False, True]
    assert collection is not None
    assert collection.index_build_id == next(build.build_id for build in builds if build.is_active)
    assert collection.document_count == 2


def test_a_file_that_cannot_be_read_leaves_no_set_and_the_active_one_stays(path: RagPath) -> None:
    version = path.upload(b'["one"]')
    good = path.segment(version)
    broken = replace(version, version_id=path.upload(b'["one", {').version_id)
    with pytest.raises(InvalidLoaderParams):
        path.segment(broken)
    with path.adapters.open_unit_of_work() as uow:
        sets = uow.segment_sets.list(path.project.project_id, offset=0, limit=10)
    assert [(one.segment_set_version_id, one.is_active) for one in sets] == [(good.segment_set_version_id, True)]


class Interrupting:
    """A loader whose job is canceled after some items."""

    def __init__(self, path: RagPath) -> None:
        self._path = path

    def check(self, loader_type: str, loader_params: JsonObject) -> None:
        """Every parameter is right."""

    def load(self, path: str, **_: Any) -> Iterator[SetItem]:
        del path
        jobs, caller = self._path.use_cases.jobs, self._path.caller
        for position in range(2000):
            if position == 1500:
                jobs.cancel(caller, jobs.list(caller)[0][0].job_id)
                raise JobCanceled
            yield make_item(position, f"text {position}")


def test_a_job_that_is_canceled_in_the_middle_leaves_nothing(path: RagPath) -> None:
    handler = path.adapters.job_handlers[JobType.SEGMENTS]
    assert isinstance(handler, SegmentsHandler)
    handler._loader = Interrupting(path)
    with pytest.raises(JobCanceled):
        path.segment(path.upload(b"[]"))
    with path.adapters.open_unit_of_work() as uow:
        assert uow.segment_sets.list(path.project.project_id, offset=0, limit=10) == []


def test_a_failed_build_leaves_the_one_before_it_serving(path: RagPath) -> None:
    chunk_set = path.chunk(path.texts("the cat sat", "a dog ran"))
    index = path.index()
    good = path.build(index, chunk_set)
    with pytest.raises(EmptyChunkSet):
        path.build(index, path.chunk(path.texts()))
    with path.adapters.open_unit_of_work() as uow:
        newest, before = uow.index_builds.list(index.index_id, offset=0, limit=10)
    assert (newest.status, newest.is_active) == ("failed", False)
    assert (before.build_id, before.status, before.is_active) == (good.build_id, "succeeded", True)
    assert path.by_vectors("the cat sat", good).items[0].page_content == "the cat sat"


def test_a_build_that_is_canceled_at_the_end_leaves_no_storage_behind(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, index = path.use_cases.jobs, path.index()

    def cancel(*_: object, **__: object) -> None:
        jobs.cancel(path.caller, jobs.list(path.caller)[0][0].job_id)
        raise JobCanceled

    monkeypatch.setattr("shoald.application.index_building.publish_index_collection", cancel)
    with pytest.raises(JobCanceled):
        path.build(index, path.chunk(path.texts("one")))
    assert list(path.adapters.objects.list("builds/")) == []
    with path.adapters.open_unit_of_work() as uow:
        (build,) = uow.index_builds.list(index.index_id, offset=0, limit=10)
    assert (build.status, build.is_active) == ("failed", False)


def test_equal_bytes_are_stored_once(path: RagPath) -> None:
    first, second = path.upload(b"same"), path.upload(b"same", "copy.json")
    assert first.artifact_uri == second.artifact_uri
    assert len(list(path.adapters.objects.list("blobs/"))) == 1


def test_an_upload_beyond_the_limit_stores_nothing(path: RagPath) -> None:
    path.use_cases.documents._max_upload_bytes = 10
    with pytest.raises(TooLarge):
        path.upload(b"x" * 11)
    assert list(path.adapters.objects.list("")) == []
    path.upload(b"x" * 10)


def test_nothing_is_seen_from_another_namespace(path: RagPath) -> None:
    version = path.upload(b'["one"]')
    segment_set = path.segment(version)
    chunk_set = path.chunk(segment_set)
    index = path.index()
    stranger = replace(path.caller, namespace_id="ns_stranger0")
    cases = path.use_cases
    reads: list[tuple[type[Failure], Callable[[], object]]] = [
        (ProjectNotFound, lambda: cases.projects.get(stranger, path.project.project_id)),
        (DocumentNotFound, lambda: cases.documents.get(stranger, version.document_id)),
        (SegmentSetNotFound, lambda: cases.segmenting.get(stranger, segment_set.segment_set_version_id)),
        (ChunkSetNotFound, lambda: cases.chunking.get(stranger, chunk_set.chunk_set_version_id)),
        (IndexNotFound, lambda: cases.indexes.get(stranger, index.index_id)),
        (ProjectNotFound, lambda: cases.joining.create(stranger, path.project.project_id, [], None)),  # type: ignore[arg-type]
    ]
    for failure, read in reads:
        with pytest.raises(failure):
            read()


def test_unchanged_texts_are_not_embedded_again(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    index = path.index(config={"embedding_provider": "local"})
    path.build(index, path.chunk(path.texts("one", "two")))
    embedder = path.adapters.embedders.get("local", None)
    asked: list[str] = []
    embed = type(embedder).embed_passages

    def noted(self: Any, texts: list[str], **more: Any) -> Any:
        asked.extend(texts)
        return embed(self, texts, **more)

    monkeypatch.setattr(type(embedder), "embed_passages", noted)
    path.build(index, path.chunk(path.texts("two", "three", "one")))
    assert asked == ["three"]


def test_later_pages_and_repeated_questions_do_not_search_again(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chunk(path.texts(*[f"word {number}" for number in range(5)]))
    first = path.by_words("word", limit=2)

    def never(*_: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(path.adapters.keyword_indexes, "of", never)
    second = path.by_words("word", limit=2, offset=2)
    assert [item.metadata["position"] for item in (*first.items, *second.items)] == [0, 1, 2, 3]
    with pytest.raises(AssertionError, match="searched again"):
        path.by_words("other")


def test_without_a_cache_every_page_is_the_same(path: RagPath) -> None:
    path.chunk(path.texts(*[f"word {number}" for number in range(5)]))
    cached = path.by_words("word 3", limit=3)
    path.adapters.searches._cache._alone_until = float("inf")  # type: ignore[attr-defined]
    assert path.by_words("word 3", limit=3) == cached


def test_a_keyword_index_is_made_once_and_read_by_the_next_process(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk_set = path.chunk(path.texts("alpha beta", "beta gamma"))
    indexes, namespace = path.adapters.keyword_indexes, path.caller.namespace_id
    made: list[object] = []
    make = KeywordIndexing.make

    def noted(self: KeywordIndexing, stored: Any, *more: Any) -> Any:
        made.append(stored)
        return make(self, stored, *more)

    monkeypatch.setattr(KeywordIndexing, "make", noted)
    assert at_once(4, lambda: indexes.of(chunk_set, namespace, Patience())) == []
    indexes._kept.clear()
    assert indexes.of(chunk_set, namespace, Patience()).words.search("gamma", k=5)[0].tolist() == [1]
    assert len(made) == 1
    for damage in (lambda _: None, lambda key: path.adapters.objects.put(key, b"damaged")):
        with path.adapters.open_unit_of_work() as uow:
            files = uow.keyword_indexes.get(chunk_set.chunk_set_version_id)
        assert files is not None
        path.adapters.objects.delete(files.words.key)
        damage(files.words.key)
        indexes._kept.clear()
        assert indexes.of(chunk_set, namespace, Patience()).words.search("gamma", k=5)[0].tolist() == [1]
    assert len(made) == 3


def test_keyword_indexes_that_are_open_are_bounded(path: RagPath) -> None:
    sets = [path.chunk(path.texts(f"alpha {number}")) for number in range(3)]
    indexes, namespace = path.adapters.keyword_indexes, path.caller.namespace_id
    indexes._most_bytes = indexes.of(sets[0], namespace, Patience()).words.nbytes + 1
    for one in sets:
        indexes.of(one, namespace, Patience())
    assert list(indexes._kept) == [sets[-1].chunk_set_version_id]


def test_a_worker_makes_the_keyword_index_of_a_large_set_in_the_background(
    path: RagPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoald.application.keyword_indexing._SMALL_CHARACTERS", 10)
    chunk_set = path.chunk(path.texts("alpha beta", "beta gamma"))
    (job,), _ = path.adapters.jobs.list(path.caller, job_types=[JobType.KEYWORD_INDEX])
    assert job.payload["set_id"] == chunk_set.chunk_set_version_id
    path.adapters.jobs.runner.run(job.job_id, dispatch=True)
    with path.adapters.open_unit_of_work() as uow:
        assert uow.keyword_indexes.get(chunk_set.chunk_set_version_id) is not None
    monkeypatch.setattr(KeywordIndexing, "make", _never)
    assert path.by_words("gamma").total == 1


def test_the_first_search_of_a_large_set_waits_for_a_worker(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk_set = path.chunk(path.texts("alpha beta", "beta gamma"))
    monkeypatch.setattr("shoald.application.keyword_indexing._SMALL_CHARACTERS", 10)
    finish = KeywordIndexJobs.finish

    def here(self: KeywordIndexJobs, job: Job, seconds: float) -> None:
        path.adapters.jobs.runner.run(job.job_id, dispatch=True)
        finish(self, job, seconds)

    monkeypatch.setattr(KeywordIndexJobs, "finish", here)
    assert path.by_words("gamma", target_id=chunk_set.chunk_set_version_id).total == 1


def test_few_searches_wait_for_a_worker_at_a_time(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chunk(path.texts("alpha beta"))
    monkeypatch.setattr("shoald.application.keyword_indexing._SMALL_CHARACTERS", 5)
    monkeypatch.setattr(path.adapters.keyword_indexes, "_waiting", threading.BoundedSemaphore(1))
    begun, go_on = threading.Event(), threading.Event()

    def waits(*_: object) -> None:
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(KeywordIndexJobs, "finish", waits)
    first = threading.Thread(target=path.by_words, args=["alpha"])
    first.start()
    assert begun.wait(10)
    with pytest.raises(Unavailable, match="is being made"):
        path.by_words("beta")
    go_on.set()
    first.join()
    assert path.by_words("beta").total == 1


def _never(*_: object, **__: object) -> None:
    raise AssertionError("done again")


def test_mmr_prefers_what_differs(path: RagPath) -> None:
    texts = ("red apple pie", "red apple pie!", "blue whale song")
    build = path.build(path.index(), path.chunk(path.texts(*texts)))
    nearest = path.by_vectors("red apple pie", build, k=2)
    varied = path.by_vectors("red apple pie", build, k=2, search_type="mmr")
    assert [item.page_content for item in nearest.items] == ["red apple pie", "red apple pie!"]
    assert varied.items[0].page_content == "red apple pie"
    assert varied.total == 2


def test_more_hits_than_can_be_ordered_are_refused_by_name(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.application.vector_searching._MOST_HITS", 3)
    monkeypatch.setattr("shoald.application.vector_searching._MOST_DIFFERING_HITS", 2)
    build = path.build(path.index(), path.chunk(path.texts(*"abcd")))
    for search_type, most in (("similarity", 3), ("mmr", 2)):
        assert path.by_vectors("a", build, k=most, search_type=search_type).total == most
        with pytest.raises(InvalidFields) as refused:
            path.by_vectors("a", build, k=100, search_type=search_type)
        (problem,) = refused.value.problems
        assert (problem.loc, problem.kind) == (("body", "strategy", "vector", "k"), "less_than_equal")
        assert problem.message == f"Input should be less than or equal to {most}"


def test_the_collection_holds_the_chunks_with_their_vectors(path: RagPath) -> None:
    chunk_set = path.chunk(path.texts("one", "two"))
    index = path.index()
    path.build(index, chunk_set)
    (items,) = path.use_cases.chunking.items(chunk_set)
    with path.adapters.open_unit_of_work() as uow:
        collection = uow.collections.of_index(index.index_id)
        assert collection is not None
        vectors = uow.collections.vectors(collection.collection_id, [item.item_id for item in items])
        payloads = uow.collections.payloads(collection.collection_id, [item.item_id for item in items])
    embedder = path.adapters.embedders.get("mock", None)
    for item in items:
        assert payloads[item.item_id]["content"] == item.content
        expected = embedder.embed_passages([item.content])[0]
        kept = vectors[item.item_id]["embedding"]
        assert isinstance(kept, np.ndarray)
        np.testing.assert_allclose(kept, expected, atol=1e-6)


def _many_items(path: RagPath, count: int) -> None:
    version = path.upload(json.dumps([{"n": n, "text": "lorem ipsum " * 20} for n in range(count)]).encode())
    tracemalloc.start()
    try:
        segment_set = path.segment(version)
        chunk_set = path.chunk(segment_set)
        message = segment_sets.to_message(segment_set)
        size = sum(
            len(part.data) for part in with_items("s", message, path.use_cases.segmenting.items_as_json(segment_set))
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert chunk_set.total_items == segment_set.total_items == count
    assert size > count * 200
    assert peak < 24 * 1024 * 1024


def test_sets_are_made_and_read_in_flat_memory(path: RagPath) -> None:
    _many_items(path, 8_000)


@pytest.mark.nightly
def test_sets_of_a_hundred_thousand_items_are_made_and_read_in_flat_memory(path: RagPath) -> None:
    _many_items(path, 100_000)


def test_bytes_with_another_hash_than_announced_make_no_document(path: RagPath) -> None:
    project_id = path.project.project_id
    told = document_service_pb2.DocumentInfo(filename="a.txt", sha256=hashlib.sha256(b"whole").hexdigest())
    for content in (b"who", b""):
        with path.use_cases.documents.upload(path.caller, project_id) as upload:
            upload.write(content)
            with pytest.raises(InvalidFields, match="the bytes that came"):
                upload.finish(file_info_of(told))
    assert not path.use_cases.documents.list(path.caller, project_id, ListRange()).rows
    with path.use_cases.documents.upload(path.caller, project_id) as upload:
        upload.write(b"whole")
        assert upload.finish(file_info_of(told))[1].content_hash == told.sha256
