"""Embedding by content, over the stored embeddings of PostgreSQL and over those in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application import embedding
from shoald.application.embedding import EmbedTexts, cache_name, content_hash
from shoald.application.ports.embedder import EmbedderInfo
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import JobCanceled
from support.fakes.embeddings import EmbeddingsOnly


class CountingEmbedder(MockEmbedder):
    """Keeps what it was asked for."""

    def __init__(self, version: str = "1") -> None:
        self.info = EmbedderInfo(name="mock", version=version, dimension=256)
        self.asked: list[str] = []

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        self.asked.extend(texts)
        return super().embed_passages(texts, progress=progress)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
def open_unit_of_work(request: pytest.FixtureRequest) -> Iterator[OpenUnitOfWork]:
    if request.param == "memory":
        yield cast("OpenUnitOfWork", EmbeddingsOnly())
        return
    engine = make_engine(request.getfixturevalue("postgres_database"))
    yield PostgresUnitsOfWork(engine)
    engine.dispose()


def test_vectors_come_in_the_order_of_the_texts_and_each_text_is_embedded_once(
    open_unit_of_work: OpenUnitOfWork,
) -> None:
    texts = ["apple", "banana", "apple", "", "cherry \0 ü \ud800", "banana"]
    embedder = CountingEmbedder()
    embedded = EmbedTexts(open_unit_of_work=open_unit_of_work).embed(embedder, texts, count=6)
    np.testing.assert_array_equal(embedded.vectors, MockEmbedder().embed_passages(texts))
    assert sorted(embedder.asked) == sorted(set(texts))
    assert embedded.reused == 0


def test_only_new_texts_are_embedded_the_next_time(open_unit_of_work: OpenUnitOfWork) -> None:
    use_case = EmbedTexts(open_unit_of_work=open_unit_of_work)
    use_case.embed(CountingEmbedder(), ["a", "b"], count=2)
    embedder = CountingEmbedder()
    embedded = use_case.embed(embedder, ["b", "c", "b", "a"], count=4)
    assert embedder.asked == ["c"]
    assert embedded.reused == 3
    np.testing.assert_array_equal(embedded.vectors, MockEmbedder().embed_passages(["b", "c", "b", "a"]))


def test_another_version_has_vectors_of_its_own(open_unit_of_work: OpenUnitOfWork) -> None:
    use_case = EmbedTexts(open_unit_of_work=open_unit_of_work)
    use_case.embed(CountingEmbedder("1"), ["a"], count=1)
    embedder = CountingEmbedder("2")
    assert use_case.embed(embedder, ["a"], count=1).reused == 0
    assert embedder.asked == ["a"]


def test_work_that_is_stopped_goes_on_where_it_was(
    open_unit_of_work: OpenUnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_WINDOW", 40)
    monkeypatch.setattr(embedding, "_WRITTEN_TOGETHER", 10)
    texts = [f"text {number}" for number in range(100)]
    use_case = EmbedTexts(open_unit_of_work=open_unit_of_work)

    def stop_at_sixty(done: int) -> None:
        if done >= 65:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        use_case.embed(CountingEmbedder(), iter(texts), count=100, progress=stop_at_sixty)
    seen: list[int] = []
    embedded = use_case.embed(CountingEmbedder(), iter(texts), count=100, progress=seen.append)
    assert embedded.reused == 60
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (40, 100)
    np.testing.assert_array_equal(embedded.vectors, MockEmbedder().embed_passages(texts))


def test_vectors_that_are_as_quick_to_make_as_to_read_are_not_stored(open_unit_of_work: OpenUnitOfWork) -> None:
    use_case = EmbedTexts(open_unit_of_work=open_unit_of_work)
    seen: list[int] = []
    for _ in range(2):
        embedded = use_case.embed(MockEmbedder(), ["a", "b"], count=2, progress=seen.append)
        assert embedded.reused == 0
        np.testing.assert_array_equal(embedded.vectors, MockEmbedder().embed_passages(["a", "b"]))
    assert seen == [2, 2]
    with open_unit_of_work() as uow:
        assert not len(uow.embeddings.known(cache_name(MockEmbedder()), [content_hash("a")], dimension=256)[0])


def test_no_texts_are_an_empty_matrix(open_unit_of_work: OpenUnitOfWork) -> None:
    assert EmbedTexts(open_unit_of_work=open_unit_of_work).embed(MockEmbedder(), [], count=0).vectors.shape == (0, 256)


def test_a_wrong_count_is_a_fault_of_the_caller(open_unit_of_work: OpenUnitOfWork) -> None:
    for count in (1, 3):
        with pytest.raises(ValueError, match="texts than were announced"):
            EmbedTexts(open_unit_of_work=open_unit_of_work).embed(MockEmbedder(), ["a", "b"], count=count)


def test_a_stored_vector_of_another_length_is_not_used(open_unit_of_work: OpenUnitOfWork) -> None:
    with open_unit_of_work() as uow:
        uow.embeddings.add(cache_name(CountingEmbedder()), [content_hash("a")], np.ones((1, 3), np.float32))
        uow.commit()
    embedded = EmbedTexts(open_unit_of_work=open_unit_of_work).embed(CountingEmbedder(), ["a"], count=1)
    np.testing.assert_array_equal(embedded.vectors, MockEmbedder().embed_passages(["a"]))


@pytest.mark.integration
def test_two_who_embed_the_same_texts_at_once_do_not_block_each_other(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_WRITTEN_TOGETHER", 50)
    engine = make_engine(postgres_database)
    texts = [f"text {number}" for number in range(1_000)]
    together = threading.Barrier(4)

    def embed(number: int) -> None:
        together.wait()
        order = texts if number % 2 else texts[::-1]
        EmbedTexts(open_unit_of_work=PostgresUnitsOfWork(engine)).embed(CountingEmbedder(), order, count=len(order))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(embed, range(4)))
    engine.dispose()
