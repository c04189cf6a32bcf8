from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from shoald.domain.clustering.agreement import agreement


@pytest.mark.parametrize("seed", range(5))
def test_the_index_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = random.integers(0, 4, 60), random.integers(0, 3, 60)
    found = agreement(before, after)
    assert found.adjusted_rand_index == pytest.approx(adjusted_rand_score(before, after))
    assert found.differing == int((before != after).sum())


def test_the_same_groups_under_other_names_agree_and_differ() -> None:
    found = agreement(np.array(["cl_0", "cl_0", "-1"]), np.array(["cl_1", "cl_1", "-1"]))
    assert (found.differing, found.adjusted_rand_index) == (2, 1.0)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows: int) -> None:
    assert agreement(np.zeros(rows), np.zeros(rows)).adjusted_rand_index == 1.0
