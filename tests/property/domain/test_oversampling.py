"""What is sorted out here is what comparing all that is allowed would find, or nothing at all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.retrieval.nearest import Candidates
from shoald.domain.retrieval.oversampling import oversampled

_ROWS = np.random.default_rng(3).standard_normal((200, 6)).astype(np.float32)
_ROWS /= np.linalg.norm(_ROWS, axis=1, keepdims=True)


@given(
    st.integers(1, 200),
    st.lists(st.integers(0, 199), min_size=1, unique=True),
    st.integers(1, 30),
    st.integers(0, 199),
)
def test_the_nearest_allowed_are_found_or_none(n: int, some: list[int], m: int, asked: int) -> None:
    rows, allowed = _ROWS[:n], np.array(sorted(position for position in some if position < n), np.int64)
    if not len(allowed):
        return
    m, query = min(m, len(allowed)), _ROWS[asked]
    order = np.argsort(-(rows @ query), kind="stable")

    def fetch(count: int) -> Candidates:
        return order[:count], rows[order[:count]]

    found = oversampled(fetch, allowed, m, n=n)
    wanted = [position for position in order.tolist() if position in set(allowed.tolist())][:m]
    if found is None:
        return
    positions, vectors = found
    np.testing.assert_array_equal(vectors, rows[positions])
    assert positions[:m].tolist() == wanted
    assert set(positions.tolist()) <= set(allowed.tolist())


def test_where_most_is_allowed_one_answer_is_enough() -> None:
    asked: list[int] = []

    def fetch(count: int) -> Candidates:
        asked.append(count)
        return np.arange(count), _ROWS[:count]

    found = oversampled(fetch, np.arange(0, 200, 2), 10, n=200)
    assert found is not None
    assert found[0][:10].tolist() == list(range(0, 20, 2))
    assert asked == [50]


def test_where_little_is_allowed_the_store_must_be_told() -> None:
    def never(_count: int) -> Candidates:
        raise AssertionError

    assert oversampled(never, np.arange(5), 3, n=200) is None
