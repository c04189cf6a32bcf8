from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from shoald.domain.clustering.map_keeping import aligned, packed_places, placed_among, some_of, standing_places

RANDOM = np.random.default_rng(3)
FORMER = RANDOM.normal(size=(40, 2)).astype(np.float32)


def turned(places: np.ndarray) -> np.ndarray:
    quarter = np.array([[0, -1], [1, 0]], dtype=np.float32)
    return np.asarray((places @ quarter) * np.array([-2, 2], dtype=np.float32) + 7)


def test_a_map_that_was_only_turned_comes_back() -> None:
    found = aligned(turned(FORMER), FORMER)
    assert found is not None
    assert np.allclose(found, FORMER, atol=1e-5)


def test_rows_that_are_new_turn_with_the_others() -> None:
    former = FORMER.copy()
    former[30:] = np.nan
    found = aligned(turned(FORMER), former)
    assert found is not None
    assert np.allclose(found, FORMER, atol=1e-5)


def test_too_few_common_rows_fix_no_turn() -> None:
    former = np.full_like(FORMER, np.nan)
    former[:2] = FORMER[:2]
    assert aligned(FORMER, former) is None
    assert aligned(np.ones_like(FORMER), FORMER) is None


def test_standing_points_stay_and_new_ones_come_among_their_like() -> None:
    vectors = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    labels = np.repeat(np.array([0, 1], dtype=np.int32), 10)
    former = np.repeat(np.array([[0, 0], [9, 9]], dtype=np.float32), 10, axis=0)
    former[[9, 19]] = np.nan
    places = np.full((20, 2), 100, dtype=np.float32)
    found = standing_places(vectors, labels, former, places)
    assert found[9].tolist() == [0, 0]
    assert found[19].tolist() == [9, 9]
    lonely = standing_places(vectors, np.arange(20, dtype=np.int32), former, places)
    assert lonely[9].tolist() == [100, 100]


def test_a_new_point_lies_between_the_nearest() -> None:
    standing = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    places = np.array([[0, 0], [4, 0], [99, 99]], dtype=np.float32)
    found = placed_among(np.array([[1, 1]], dtype=np.float32), standing[:2], places[:2])
    assert found[0] == pytest.approx([2, 0])
    assert some_of(np.arange(1000)).shape == (256,)


def test_many_new_points_are_placed_a_few_at_a_time() -> None:
    vectors = RANDOM.normal(size=(6000, 4)).astype(np.float32)
    places = RANDOM.normal(size=(256, 2)).astype(np.float32)
    tracemalloc.start()
    found = placed_among(vectors, vectors[:256], places)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6
    assert np.array_equal(found[5120:], placed_among(vectors[5120:], vectors[:256], places))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_groups_without_vectors_lie_apart(dimensions: int) -> None:
    labels = np.repeat(np.array([0, 1, 2, -1], dtype=np.int32), [50, 20, 5, 5])
    found = packed_places(labels, 3, dimensions)
    assert found.shape == (80, dimensions)
    assert len(np.unique(found, axis=0)) == 80
    middles = [found[labels == group].mean(axis=0) for group in range(3)]
    reach = [np.linalg.norm(found[labels == group] - middles[group], axis=1).max() for group in range(3)]
    for one in range(3):
        for other in range(one):
            assert np.linalg.norm(middles[one] - middles[other]) > max(reach[one], reach[other])
    assert packed_places(np.empty(0, np.int32), 0, 2).shape == (0, 2)
