from __future__ import annotations

import numpy as np
import pytest

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.whitening import moments, whiten
from support.vectors import texture

BACKEND = NumpyArrays()


def test_the_covariance_becomes_the_identity() -> None:
    white = whiten(texture(3000, 40), 0.0, backend=BACKEND)
    assert white.dtype == np.float32
    np.testing.assert_allclose(np.cov(white.T.astype(np.float64)), np.eye(40), atol=2e-3)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)


def test_coordinates_keep_their_meaning() -> None:
    vectors = texture(2000, 30)
    white = whiten(vectors, 1e-5, backend=BACKEND)
    for column in range(30):
        assert np.corrcoef(vectors[:, column], white[:, column])[0, 1] > 0.5


def test_regularization_shrinks_weak_directions_only() -> None:
    vectors = texture(2000, 30)
    variance = np.linalg.eigvalsh(np.cov(vectors.T.astype(np.float64)))
    soft = np.linalg.eigvalsh(np.cov(whiten(vectors, 1e-3, backend=BACKEND).T.astype(np.float64)))
    np.testing.assert_allclose(soft, np.sort(variance / (variance + 1e-3)), atol=1e-3)


def test_directions_that_do_not_vary_stay_zero_without_regularization() -> None:
    vectors = np.concatenate([texture(500, 10), np.full((500, 5), 7, dtype=np.float32)], axis=1)
    white = whiten(vectors, 0.0, backend=BACKEND)
    np.testing.assert_allclose(white[:, 10:], 0, atol=1e-5)
    assert np.isfinite(white).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_rows_are_whitened_where_they_vary(n: int) -> None:
    white = whiten(texture(20, 8)[:n], 1e-5, backend=BACKEND)
    assert white.shape == (n, 8)
    assert np.isfinite(white).all()


def test_equal_rows_become_zero() -> None:
    np.testing.assert_array_equal(whiten(np.ones((50, 4), dtype=np.float32), 1e-5, backend=BACKEND), 0)


def test_moments_are_those_of_all_rows_whatever_the_blocks() -> None:
    vectors = texture(20_000, 6)
    mean, covariance = moments(vectors, backend=BACKEND)
    np.testing.assert_allclose(mean, vectors.mean(axis=0, dtype=np.float64), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(vectors.T.astype(np.float64)), atol=1e-12)
