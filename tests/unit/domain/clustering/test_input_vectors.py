from __future__ import annotations

import numpy as np
import pytest

from shoald.domain.clustering.input_vectors import checked_vectors
from shoald.domain.failures import InvalidVectors, NotEnoughPoints


def test_rows_become_unit_float32_whatever_they_were() -> None:
    rows = checked_vectors(np.array([[3, 4], [0, -2]]), normalize=True)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_allclose(rows, np.array([[0.6, 0.8], [0.0, -1.0]]), atol=1e-7)


def test_tiny_and_huge_rows_keep_their_direction() -> None:
    rows = checked_vectors(np.array([[3e-25, 4e-25], [3e25, 4e25]]), normalize=True)
    np.testing.assert_allclose(rows, [[0.6, 0.8]] * 2, atol=1e-6)


def test_rows_are_left_as_they_are_when_asked() -> None:
    np.testing.assert_array_equal(
        checked_vectors(np.array([[3.0, 0.0], [0.0, 0.0]]), normalize=False), [[3, 0], [0, 0]]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_rows_that_are_no_numbers_are_named(bad: float) -> None:
    vectors = np.ones((30, 3))
    vectors[[4, 17], 1] = bad
    with pytest.raises(InvalidVectors, match="vectors 4, 17 hold NaN or infinity") as failure:
        checked_vectors(vectors, normalize=True)
    assert failure.value.detail["rows"] == [4, 17]


def test_opposite_infinities_do_not_cancel() -> None:
    with pytest.raises(InvalidVectors, match="vectors 0 hold"):
        checked_vectors(np.array([[np.inf, -np.inf], [1.0, 1.0]]), normalize=True)


def test_zero_rows_are_named_and_counted() -> None:
    vectors = np.ones((40, 3))
    vectors[5:25] = 0
    with pytest.raises(InvalidVectors, match="and 10 more are zero") as failure:
        checked_vectors(vectors, normalize=True)
    assert failure.value.detail["count"] == 20


def test_no_vectors_are_not_enough() -> None:
    with pytest.raises(NotEnoughPoints):
        checked_vectors(np.empty((0, 3)), normalize=True)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (2, 2, 2)])
def test_what_is_no_table_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidVectors, match="table"):
        checked_vectors(np.ones(shape), normalize=True)
