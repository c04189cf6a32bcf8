"""Groups of several runs that belong together are joined, and nothing that a run tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from shoald.domain.clustering.composite_groups import (
    SourceGroups,
    composed_places,
    joined_centroids,
    joined_cohesion,
    joined_groups,
)


def groups_at(*angles: tuple[float, int, float, int], cohesion: float = 0.9) -> SourceGroups:
    """Make groups on a circle: angle in degrees, run, members; of centroids as long as `cohesion`."""
    turned = np.radians([one[0] for one in angles])
    return SourceGroups(
        centroids=(cohesion * np.stack([np.cos(turned), np.sin(turned)], axis=1)).astype(np.float32),
        sizes=np.array([one[2] for one in angles], dtype=np.float64),
        runs=np.array([one[1] for one in angles]),
        cohesion=np.full(len(angles), cohesion),
    )


def of(*groups: tuple[float, int, float]) -> SourceGroups:
    return groups_at(*((*one, 0) for one in groups))


def test_groups_of_two_runs_that_lie_near_are_one() -> None:
    labels = joined_groups(of((0, 0, 10), (90, 0, 30), (5, 1, 20), (85, 1, 5)))
    assert labels.tolist() == [1, 0, 1, 0]


def test_groups_of_one_run_are_never_joined() -> None:
    assert joined_groups(of((0, 0, 10), (1, 0, 10), (90, 1, 10))).tolist() == [0, 1, 2]


def test_what_is_farther_than_a_run_s_own_groups_are_from_each_other_is_not_joined() -> None:
    """The run 0 tells groups apart that are ten degrees from each other; a group twelve degrees away is another."""
    assert joined_groups(of((0, 0, 10), (10, 0, 10), (22, 1, 10))).tolist() == [0, 1, 2]
    assert len(set(joined_groups(of((0, 0, 10), (10, 0, 10), (11, 1, 10))).tolist())) == 2


def test_what_is_farther_than_members_are_is_not_joined() -> None:
    """A cosine of 0.9 is twenty-six degrees."""
    assert joined_groups(of((0, 0, 10), (25, 1, 10))).tolist() == [0, 0]
    assert joined_groups(of((0, 0, 10), (27, 1, 10))).tolist() == [0, 1]


def test_a_number_that_is_asked_for_is_reached() -> None:
    groups = of((0, 0, 1), (10, 0, 1), (90, 0, 1), (180, 1, 1), (185, 1, 1))
    assert joined_groups(groups, count=3).tolist() == [0, 0, 2, 1, 1]
    assert len(set(joined_groups(groups, count=1).tolist())) == 1
    assert len(set(joined_groups(groups, count=9).tolist())) == 5


def test_large_groups_weigh_more() -> None:
    """A large group that took up a small one stays where it was, and does not reach the third."""
    heavy = of((0, 0, 1000), (20, 1, 1), (40, 2, 1000))
    light = of((0, 0, 1), (20, 1, 1000), (40, 2, 1))
    assert len(set(joined_groups(heavy).tolist())) == 2
    assert len(set(joined_groups(light).tolist())) == 1


def test_a_centroid_is_the_mean_of_all_members() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(60, 8)) + 2.0
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    parts = [points[:10], points[10:40], points[40:]]
    means = np.array([part.mean(axis=0) for part in parts])
    groups = SourceGroups(
        centroids=means.astype(np.float32),
        sizes=np.array([10.0, 30.0, 20.0]),
        runs=np.array([0, 1, 2]),
        cohesion=np.linalg.norm(means, axis=1),
    )
    labels = np.zeros(3, dtype=np.int32)
    centroids = joined_centroids(groups, labels, 1)
    assert centroids[0] == pytest.approx(points.mean(axis=0), abs=1e-6)
    own = points @ (centroids[0] / np.linalg.norm(centroids[0]))
    assert joined_cohesion(groups, labels, centroids)[0] == pytest.approx(own.mean(), abs=1e-5)


@pytest.mark.parametrize("count", [None, 1, 2])
def test_no_groups_give_none(count: int | None) -> None:
    empty = SourceGroups(
        centroids=np.empty((0, 2), np.float32), sizes=np.empty(0), runs=np.empty(0, np.int64), cohesion=np.empty(0)
    )
    assert joined_groups(empty, count=count).tolist() == []


def test_groups_keep_their_shape_about_their_place() -> None:
    inner = np.array([[0, 0], [2, 0], [5, 5], [5, 9], [np.nan, np.nan]], dtype=np.float32)
    anchors = np.array([[0, 0], [6, 0]], dtype=np.float32)
    places = composed_places(np.array([0, 0, 1, 1, -1]), inner, anchors)
    first, second = places[:2], places[2:4]
    assert first.mean(axis=0) == pytest.approx([0, 0])
    assert second.mean(axis=0) == pytest.approx([6, 0])
    assert np.ptp(second[:, 1]) == pytest.approx(2 * np.ptp(first[:, 0]))
    assert np.linalg.norm(second - anchors[1], axis=1).max() < 3
    assert places[4].tolist() == [0, 0]
