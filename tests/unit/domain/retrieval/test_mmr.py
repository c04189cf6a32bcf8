"""Variety among the nearest."""

from __future__ import annotations

import numpy as np

from shoald.domain.retrieval.mmr import most_relevant

QUERY = np.array([1, 0, 0], dtype=np.float32)
VECTORS = np.array([[1, 0.1, 0], [1, 0.1, 0.01], [0.7, 0, 0.7], [0, 1, 0]], dtype=np.float32)


def test_a_repetition_comes_late() -> None:
    assert most_relevant(QUERY, VECTORS, k=3) == [0, 2, 1]


def test_nearness_alone_is_the_order_of_cosines() -> None:
    assert most_relevant(QUERY, VECTORS, k=4, balance=1.0) == [0, 1, 2, 3]


def test_zero_vectors_do_no_harm() -> None:
    zeros = np.zeros((3, 3), dtype=np.float32)
    assert most_relevant(QUERY, zeros, k=2) == [0, 1]


def test_more_than_there_are() -> None:
    assert sorted(most_relevant(QUERY, VECTORS, k=9)) == [0, 1, 2, 3]
