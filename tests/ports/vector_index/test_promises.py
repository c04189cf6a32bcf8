"""What every vector index promises, held against comparing all rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pytest

from shoald.application.ports.vector_index import VectorIndex
from shoald.domain.failures import DataCorrupt, InvalidIndexConfig, MissingFaissArtifact
from shoald.domain.json_types import JsonObject

Rows = npt.NDArray[np.float32]


def unit_rows(n: int, d: int, seed: int = 0) -> Rows:
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def build(index: VectorIndex, rows: Rows, *, attempt: int = 1, build_id: str | None = None) -> JsonObject:
    ids = [str(uuid4()) for _ in rows]
    return index.build(
        build_id or str(uuid4()),
        ids,
        rows,
        attempt=attempt,
        config={},
        progress=lambda part: None,  # noqa: ARG005
    )


def brute_force(rows: Rows, query: Rows, k: int) -> list[tuple[int, float]]:
    scores = rows.astype(np.float64) @ query.astype(np.float64)
    order = np.lexsort((np.arange(len(rows)), -scores.round(9)))[:k]
    return [(int(position), float(scores[position])) for position in order]


def assert_same(index: VectorIndex, manifest: JsonObject, rows: Rows, query: Rows, k: int) -> None:
    hits, _ = index.search(manifest, query, k=k)
    expected = brute_force(rows, query, k)
    assert [hit.position for hit in hits] == [position for position, _ in expected]
    np.testing.assert_allclose([hit.score for hit in hits], [score for _, score in expected], atol=1e-5)


@pytest.mark.parametrize(("n", "d"), [(1, 4), (2, 1), (300, 64), (2_500, 384)])
def test_hits_are_those_of_brute_force(index: VectorIndex, n: int, d: int) -> None:
    rows = unit_rows(n, d)
    manifest = build(index, rows)
    assert (manifest["vectors"], manifest["dimension"]) == (n, d)
    for query in [*unit_rows(5, d, seed=1), rows[0], -rows[0]]:
        assert_same(index, manifest, rows, query, 10)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_only_what_is_allowed_is_found_and_all_of_it(index: VectorIndex, share: float) -> None:
    rows = unit_rows(1_500, 32)
    manifest = build(index, rows)
    chance = np.random.default_rng(3)
    for query in unit_rows(3, 32, seed=1):
        allowed = np.flatnonzero(chance.random(len(rows)) < share)
        farthest = np.sort(np.argsort(rows @ query)[: len(allowed)])
        for some in (allowed, farthest):
            for k in (10, len(some) + 5):
                assert_same_among(index, manifest, rows, query, some, k)


def assert_same_among(
    index: VectorIndex, manifest: JsonObject, rows: Rows, query: Rows, allowed: npt.NDArray[np.int64], k: int
) -> None:
    hits, vectors = index.search(manifest, query, k=k, allowed=allowed, with_vectors=True)
    expected = [(int(allowed[row]), score) for row, score in brute_force(rows[allowed], query, k)]
    assert [hit.position for hit in hits] == [position for position, _ in expected]
    np.testing.assert_allclose([hit.score for hit in hits], [score for _, score in expected], atol=1e-5)
    assert vectors is not None
    np.testing.assert_allclose(vectors, rows[[hit.position for hit in hits]], atol=1e-6)


def test_nothing_allowed_is_nothing_found(index: VectorIndex) -> None:
    rows = unit_rows(20, 8)
    hits, vectors = index.search(build(index, rows), rows[0], k=5, allowed=np.empty(0, np.int64), with_vectors=True)
    assert hits == []
    assert vectors is not None
    assert vectors.shape == (0, 8)


def test_more_than_there_are_gives_all(index: VectorIndex) -> None:
    rows = unit_rows(7, 8)
    assert_same(index, build(index, rows), rows, rows[3], 1000)


def test_a_great_many_are_all_given(index: VectorIndex) -> None:
    rows = unit_rows(6_000, 1_024)
    assert_same(index, build(index, rows), rows, rows[3], 6_000)


def test_a_great_many_that_are_equally_near_are_all_given(index: VectorIndex) -> None:
    rows = np.repeat(unit_rows(3, 1_024), 2_000, axis=0)
    assert_same(index, build(index, rows), rows, rows[3_000], 6_000)


def test_no_rows_give_no_hits(index: VectorIndex) -> None:
    manifest = build(index, np.empty((0, 8), np.float32))
    assert index.search(manifest, unit_rows(1, 8)[0], k=5) == ([], None)


def test_equal_rows_come_in_their_order_however_many(index: VectorIndex) -> None:
    rows = np.repeat(unit_rows(2, 16), 400, axis=0)
    rows[::2] = rows[0]
    manifest = build(index, rows)
    assert_same(index, manifest, rows, rows[0], 20)
    assert_same(index, manifest, rows, rows[-1], 20)


def test_a_row_of_zeros_is_near_to_nothing(index: VectorIndex) -> None:
    rows = unit_rows(5, 8)
    rows[2] = 0
    manifest = build(index, rows)
    hits, _ = index.search(manifest, rows[0], k=5)
    assert {hit.position: hit.score for hit in hits}[2] == 0
    assert_same(index, manifest, rows, rows[0], 5)


def test_vectors_come_with_their_hits(index: VectorIndex) -> None:
    rows = unit_rows(50, 32)
    hits, vectors = index.search(build(index, rows), rows[5], k=7, with_vectors=True)
    assert vectors is not None
    np.testing.assert_allclose(vectors, rows[[hit.position for hit in hits]], atol=1e-6)


def test_a_query_of_another_dimension_is_refused(index: VectorIndex) -> None:
    manifest = build(index, unit_rows(5, 8))
    with pytest.raises(InvalidIndexConfig):
        index.search(manifest, unit_rows(1, 9)[0], k=5)


def test_builds_do_not_touch_each_other(index: VectorIndex) -> None:
    one, two = unit_rows(20, 8, seed=1), unit_rows(30, 8, seed=2)
    manifests = [build(index, rows) for rows in (one, two)]
    assert_same(index, manifests[0], one, one[0], 20)
    assert_same(index, manifests[1], two, one[0], 20)
    index.drop(manifests[0])
    assert_same(index, manifests[1], two, one[0], 20)


def test_a_later_attempt_at_a_build_is_searched_by_its_own_manifest(index: VectorIndex) -> None:
    one, two = unit_rows(20, 8, seed=1), unit_rows(30, 8, seed=2)
    build_id = str(uuid4())
    build(index, one, attempt=1, build_id=build_id)
    manifest = build(index, two, attempt=2, build_id=build_id)
    assert_same(index, manifest, two, one[0], 30)


def test_a_dropped_build_is_gone_and_may_be_dropped_again(index: VectorIndex) -> None:
    rows = unit_rows(5, 8)
    manifest = build(index, rows)
    index.search(manifest, rows[0], k=1)
    index.drop(manifest)
    index.drop(manifest)
    with pytest.raises((MissingFaissArtifact, DataCorrupt)):
        index.search(manifest, rows[0], k=1)


def test_many_may_search_at_once(index: VectorIndex) -> None:
    rows = unit_rows(500, 32)
    manifests = [build(index, rows), build(index, rows[::-1].copy())]

    def search(number: int) -> None:
        order = rows if number % 2 == 0 else rows[::-1]
        assert_same(index, manifests[number % 2], order, rows[number], 10)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(search, range(60)))


def test_progress_rises_to_one(index: VectorIndex) -> None:
    seen: list[float] = []
    rows = unit_rows(3_000, 8)
    index.build(str(uuid4()), ["x"] * len(rows), rows, attempt=1, config={}, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_progress_raises_ends_the_build(index: VectorIndex) -> None:
    def stop(_part: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        index.build(str(uuid4()), ["x"] * 100, unit_rows(100, 8), attempt=1, config={}, progress=stop)
