"""Vectors that nobody names any more go; whatever a build names, or may come to name, stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest

from shoald.adapters.pgvector.vector_index import PgvectorIndex
from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
from shoald.application.embedding import content_hash
from shoald.application.embedding_prune import EmbeddingPrune
from shoald.application.vector_sweep import VectorSweep
from shoald.domain.failures import Failure
from shoald.domain.json_types import JsonObject
from support.qdrant_owner import owner_process
from support.rag_path import RagPath
from support.vectors import texture

pytestmark = pytest.mark.integration
_ROWS = texture(20, 8)
Index = PgvectorIndex | QdrantVectorIndex


@pytest.fixture(params=["pgvector", "qdrant"])
def index(
    request: pytest.FixtureRequest, postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Index]:
    if request.param == "pgvector":
        with closing(PgvectorIndex(postgres_database)) as tables:
            yield tables
        return
    with owner_process(tmp_path_factory.mktemp("owner")) as owner, closing(QdrantVectorIndex(owner.url)) as collections:
        yield collections


def _store(index: Index, build_id: str, attempt: int) -> JsonObject:
    """Store vectors; the highest attempt is to come first, since it removes what earlier ones left."""
    return index.build(build_id, ["x"] * 20, _ROWS, attempt=attempt, config={}, progress=lambda _part: None)


def _sweep(path: RagPath, index: Index) -> int:
    return VectorSweep(
        open_unit_of_work=path.adapters.open_unit_of_work, clock=path.adapters.clock, indexes=lambda: [index]
    ).run_pass()


def _build_ids(index: Index) -> list[str]:
    return [stored.build_id for stored in index.stored()]


def _build(path: RagPath, status: str, index: Index) -> str:
    """Make a build in this status, for which two attempts have stored vectors; the second may have succeeded."""
    build = path.build(path.index(), path.chunk(path.texts("one")))
    manifest = _store(index, build.build_id, 2) if status == "succeeded" else {}
    _store(index, build.build_id, 2)
    _store(index, build.build_id, 1)
    with path.adapters.open_unit_of_work() as uow:
        uow.index_builds.publish(replace(build, status=status, is_active=False, manifest=manifest))
        uow.commit()
    return build.build_id


def test_what_a_failed_build_left_goes_and_what_is_needed_stays(path: RagPath, index: Index) -> None:
    kept = [_build(path, status, index) for status in ("queued", "running", "succeeded")]
    gone = _build(path, "failed", index)
    foreign = str(uuid4())
    _store(index, foreign, 1)
    assert _sweep(path, index) == 3  # the failed build's two, and the first attempt of the one that succeeded
    left = _build_ids(index)
    assert gone not in left
    assert {build_id: left.count(build_id) for build_id in (*kept, foreign)} == dict(
        zip((*kept, foreign), (2, 2, 1, 1), strict=True)
    )
    assert _sweep(path, index) == 0


def test_no_store_is_asked_while_no_build_has_failed(path: RagPath) -> None:
    path.build(path.index(), path.chunk(path.texts("one")))

    def never() -> list[Index]:
        raise AssertionError("asked")

    sweep = VectorSweep(open_unit_of_work=path.adapters.open_unit_of_work, clock=path.adapters.clock, indexes=never)
    assert sweep.run_pass() == 0
    with pytest.raises(Failure):
        path.build(path.index(provider="chroma"), path.chunk(path.texts("one")))
    with pytest.raises(AssertionError, match="asked"):
        sweep.run_pass()


def _known(path: RagPath, hashes: list[bytes]) -> list[int]:
    with path.adapters.open_unit_of_work() as uow:
        places, _ = uow.embeddings.known("e@1", hashes, dimension=4)
        uow.commit()
    found: list[int] = sorted(places.tolist())
    return found


@pytest.fixture
def hashes(path: RagPath) -> list[bytes]:
    """Ten embeddings; number n was last used 10·n days ago."""
    made = [content_hash(str(number)) for number in range(10)]
    with path.adapters.open_unit_of_work() as uow:
        uow.embeddings.add("e@1", made, np.ones((10, 4), np.float32))
        _age(uow, made)
        uow.commit()
    return made


def _age(uow: object, hashes: list[bytes]) -> None:
    from shoald.adapters.postgres.set_items import driver_connection

    connection = driver_connection(uow.embeddings._connection)  # type: ignore[attr-defined]
    for number, digest in enumerate(hashes):
        statement = "UPDATE embeddings SET used_on = CURRENT_DATE - %s::int WHERE content_hash = %s"
        connection.execute(statement, (10 * number, digest))


@pytest.fixture
def prune(path: RagPath) -> Callable[..., int]:
    def run(*, days: int = 0, most_bytes: int = 0) -> int:
        return EmbeddingPrune(
            open_unit_of_work=path.adapters.open_unit_of_work,
            clock=path.adapters.clock,
            keep=timedelta(days=days),
            most_bytes=most_bytes,
        ).run_pass()

    return run


def test_embeddings_that_nobody_used_for_long_are_forgotten(
    path: RagPath, hashes: list[bytes], prune: Callable[..., int]
) -> None:
    assert prune() == 0
    assert prune(days=55) == 4
    assert _known(path, hashes) == [0, 1, 2, 3, 4, 5]
    # which was a use, so that none is old now
    assert prune(days=10) == 0


def test_a_use_is_noted_for_those_that_were_asked_for(
    path: RagPath, hashes: list[bytes], prune: Callable[..., int]
) -> None:
    assert _known(path, hashes[8:]) == [0, 1]
    assert prune(days=15) == 6
    assert _known(path, hashes) == [0, 1, 8, 9]


def test_where_there_are_too_many_the_longest_unused_go(
    path: RagPath, hashes: list[bytes], prune: Callable[..., int]
) -> None:
    assert prune(most_bytes=7 * (16 + 120)) == 3
    assert _known(path, hashes) == [0, 1, 2, 3, 4, 5, 6]
    assert prune(most_bytes=1 << 20) == 0


def test_every_round_looks_through_the_same_connections(path: RagPath) -> None:
    """The scheduler sweeps for months: a round must not open connections of its own."""
    indexes = path.adapters.vector_indexes
    assert list(map(id, indexes.swept())) == list(map(id, indexes.swept()))
