"""The figures of composite runs."""

from __future__ import annotations

import numpy as np
import pytest

from shoald.application.composite_runs import composite_metrics
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.group_tree import GroupTree


@pytest.mark.parametrize(
    ("labels", "advised"),
    [([0, 0, 1, 1], 0.0), ([0, 0, 0, 0], 1.0), ([0, 1, -1, -1, -1], 1.0)],
    ids=["two groups", "one group", "mostly noise"],
)
def test_a_useless_grouping_should_be_done_again(labels: list[int], advised: float) -> None:
    found = np.array(labels, dtype=np.int32)
    k = int(found.max()) + 1
    nothing = np.full(len(found), np.nan, dtype=np.float32)
    centres = Centroids(
        vectors=np.eye(k, dtype=np.float32),
        sizes=np.bincount(found[found >= 0], minlength=k),
        similarities=nothing,
        cosines=nothing,
        mean_similarity=np.full(k, 0.9, dtype=np.float32),
        min_similarity=np.full(k, np.nan, dtype=np.float32),
    )
    assert composite_metrics(GroupTree.flat(found), centres)["should_recluster"] == advised
