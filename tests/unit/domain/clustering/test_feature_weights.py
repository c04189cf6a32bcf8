from __future__ import annotations

import numpy as np
import pytest

from shoald.domain.clustering.feature_weights import WORST, bayesian_search, grid_search
from shoald.domain.clustering.spaces import Doubles


def hill(weights: Doubles) -> float:
    """Best where the first weight is 1 and the second 0.3."""
    return -float(abs(weights[0] - 1) + abs(weights[1] - 0.3))


def test_a_grid_finds_the_nearest_of_its_points() -> None:
    found = grid_search(hill, 2, 11)
    assert found.weights == pytest.approx((1.0, 0.3))
    assert found.tried == 21


def test_a_grid_tries_no_combination_twice() -> None:
    seen: list[tuple[float, ...]] = []

    def score(weights: Doubles) -> float:
        seen.append(tuple((weights / weights.max()).round(6).tolist()))
        return 0.0

    assert grid_search(score, 3, 5).weights == (1.0, 1.0, 1.0)
    assert len(seen) == len(set(seen)) == 61


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_gaussian_process_comes_near_in_few_tries(seed: int) -> None:
    found = bayesian_search(hill, 2, 15, seed)
    assert found.score > -0.05
    assert found.tried == 15


def test_a_seed_gives_the_same_search() -> None:
    assert bayesian_search(hill, 2, 7, 3) == bayesian_search(hill, 2, 7, 3)


def test_weights_without_groups_are_not_chosen() -> None:
    def score(weights: Doubles) -> float:
        return WORST if weights[0] > 0.5 else float(weights[1])

    assert bayesian_search(score, 2, 8, 0).score > WORST


def test_progress_is_told() -> None:
    seen: list[float] = []
    bayesian_search(hill, 3, 6, 0, step=seen.append)
    assert seen[-1] == 1.0
    assert np.all(np.diff(seen) > 0)
