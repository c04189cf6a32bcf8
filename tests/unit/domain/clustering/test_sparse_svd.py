from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.pooling import pooled
from shoald.domain.clustering.sparse_svd import (
    LEAST_COLUMNS,
    OVERSAMPLED,
    ROUNDS,
    SparseRows,
    svd_bytes,
    truncated_svd,
)
from shoald.domain.ragged_arrays import bounds_of, entries_of

ARRAYS = NumpyArrays()


def matrix_of(n: int, t: int, rank: int, seed: int = 0) -> sparse.csr_matrix:
    """Return a sparse matrix near to one of a low rank."""
    random = np.random.default_rng(seed)
    dense = random.random((n, rank)) @ (random.random((rank, t)) * (random.random((rank, t)) < 0.3))
    dense[random.random((n, t)) < 0.6] = 0
    return sparse.csr_matrix(dense.astype(np.float32))


@pytest.mark.parametrize(("n", "t", "components"), [(300, 500, 20), (40, 500, 30), (300, 12, 12), (1, 5, 1), (3, 1, 1)])
def test_the_scores_are_those_of_the_exact_decomposition(n: int, t: int, components: int) -> None:
    matrix = matrix_of(n, t, 8)
    found = truncated_svd(matrix, components, seed=1, backend=ARRAYS)
    left, values, right = np.linalg.svd(matrix.toarray().astype(np.float64), full_matrices=False)
    kept = min(6, components, len(values))
    scores, loadings = found.scores[:, :kept], found.loadings[:, :kept]
    assert np.allclose(np.linalg.norm(scores, axis=0), values[:kept], rtol=1e-3, atol=1e-5)
    assert np.allclose(np.abs(np.sum(loadings * right[:kept].T, axis=0)), 1, atol=1e-3)
    assert np.allclose(found.loadings.T @ found.loadings, np.eye(found.loadings.shape[1]), atol=1e-4)
    whole = matrix.toarray().var(axis=0).sum()
    exact = (left[:, :components] * values[:components]).var(axis=0).sum() / whole if whole else 1.0
    assert found.variance_kept == pytest.approx(exact, abs=5e-3)


def test_the_same_bytes_come_with_any_number_of_threads() -> None:
    matrix = matrix_of(2000, 900, 30)
    results = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads, user_api="blas"):
            results.append(truncated_svd(matrix, 40, seed=3, backend=ARRAYS).scores.tobytes())
    assert results[0] == results[1] == results[2]


def test_it_can_be_stopped_within_a_product_and_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, seen = matrix_of(300, 200, 30), list[float]()
    whole = truncated_svd(matrix, 20, seed=3, backend=ARRAYS)
    monkeypatch.setattr("shoald.domain.clustering.sparse_svd.PRODUCTS_AT_ONCE", 1)
    found = truncated_svd(matrix, 20, seed=3, backend=ARRAYS, step=seen.append)
    assert found.loadings.tobytes() == whole.loadings.tobytes()
    assert found.scores.tobytes() == whole.scores.tobytes()
    assert len(seen) > 2 * ROUNDS * (20 + OVERSAMPLED) / LEAST_COLUMNS
    assert seen == sorted(seen)
    assert (seen[0], seen[-1], len(set(seen))) == (0.0, 1.0, ROUNDS + 2)


def test_rows_go_with_their_terms_alone() -> None:
    rows = SparseRows(
        indices=np.array([1, 5, 9, 5], dtype=np.int32),
        values=np.array([3, 4, 2, 2], dtype=np.float32),
        bounds=np.array([0, 2, 3, 4]),
    )
    assert rows.over(np.array([1, 9], dtype=np.int32)).toarray().tolist() == [[3, 0], [0, 2], [0, 0]]
    assert rows.of_unit_length().values.tolist() == pytest.approx([0.6, 0.8, 1, 1])
    entries, bounds = entries_of(rows.bounds, np.array([2, 0]))
    turned = SparseRows(indices=rows.indices[entries], values=rows.values[entries], bounds=bounds)
    assert turned.hashes().tolist() == rows.hashes()[[2, 0]].tolist()
    assert len(set(rows.hashes().tolist())) == 3


def test_rows_are_pooled_by_their_directions_whatever_stands_beside_them() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 6, 50)
    bounds = bounds_of(lengths)
    rows = random.normal(size=(int(bounds[-1]), 7)).astype(np.float32)
    found = pooled(rows, bounds)
    for at in range(50):
        part = rows[bounds[at] : bounds[at + 1]]
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        assert np.allclose(found[at], unit.mean(axis=0), atol=1e-6)
        assert np.array_equal(found[at], pooled(part, np.array([0, len(part)]))[0])
    assert not np.isnan(pooled(np.zeros((2, 3), np.float32), np.array([0, 2]))).any()


def test_over_few_terms_scores_are_held_once() -> None:
    matrix = sparse.random(8000, 100, density=0.05, format="csr", dtype=np.float32, random_state=0)
    tracemalloc.start()
    truncated_svd(matrix, 100, seed=0, backend=NumpyArrays())
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 1.1 * (4 * 8000 * 100 + 16 * 2048 * 100)
    assert taken < svd_bytes(8000, matrix.nnz, 100, 100)
