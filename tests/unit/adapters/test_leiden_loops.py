from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shoald.adapters.estimators import leiden_kernels
from shoald.adapters.estimators.communities import leiden_pass
from shoald.domain.clustering.methods.leiden import community_edges
from shoald.domain.clustering.spaces import Neighbours


def test_loops_compile_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(*, cache: bool = False, nogil: bool) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda loop: ("compiled", loop, nogil)

    monkeypatch.setattr(leiden_kernels, "njit", njit)
    assert leiden_kernels.compiled(len) == ("compiled", len, True)  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_rows_without_edges_stay_alone(n: int) -> None:
    none = np.empty(0, dtype=np.int64)
    labels, _ = leiden_pass(none, none, np.empty(0), n, None, 1.0, modularity=True, seed=0)
    assert labels.tolist() == list(range(n))


def test_memberships_that_underflow_are_no_edges() -> None:
    distances = np.zeros((17, 16))
    distances[:, -2:] = 1.0, 1e6
    ids = (np.arange(17)[:, None] + np.arange(16)).astype(np.int32) % 17
    assert (community_edges(Neighbours(ids, distances, "euclidean", None)).data > 0).all()
