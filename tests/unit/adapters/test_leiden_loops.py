from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

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


def test_edges_between_parts_are_added_up_and_those_within_one_become_its_loop() -> None:
    random = np.random.default_rng(0)
    upper = sparse.triu(sparse.random_array((60, 60), density=0.2, rng=random), format="csr")
    graph = sparse.csr_array(upper + upper.T)
    parts = random.integers(0, 7, 60)
    begins = np.searchsorted(np.sort(parts), np.arange(8))
    arrays = (graph.indptr, graph.indices, graph.data)
    ends, others, sums = leiden_kernels.merged_rows(arrays, parts, np.argsort(parts, kind="stable"), begins)
    found = sparse.csr_array((sums, others, ends), shape=(7, 7)).toarray()
    wanted = np.array([[graph.toarray()[parts == a][:, parts == b].sum() for b in range(7)] for a in range(7)])
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert ends[-1] == np.count_nonzero(wanted), "each pair of parts once"
    assert leiden_kernels.weight_within(arrays, parts) == pytest.approx(np.trace(wanted))


def test_an_edge_counts_for_both_ends_whichever_is_named_first() -> None:
    left, right, weights = np.array([0, 2, 1, 3, 5, 4]), np.array([1, 0, 2, 4, 3, 5]), np.ones(6)
    labels, quality = leiden_pass(left, right, weights, 6, None, 1.0, modularity=True, seed=0)
    assert len({*labels[:3]}) == len({*labels[3:]}) == 1
    assert quality == pytest.approx(0.5), "two triangles: 1 less twice the square of a half"
