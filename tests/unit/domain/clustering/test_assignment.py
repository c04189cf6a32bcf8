"""Rows and centres are multiplied in parts that stay near the processor, alike for any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.domain.clustering.assignment import assign_by_cosine, nearest_centres
from support.vectors import texture

Part = TypeVar("Part")
Result = TypeVar("Result")


class _CountedParts(NumpyArrays):
    """Counts the parts that work is cut into."""

    def __init__(self, near_entries: int = 1000) -> None:
        self.near_entries = near_entries
        self.parts: list[int] = []

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        self.parts.append(len(parts))
        return super().each(work, parts)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_rows_meet_centroids_in_small_parts_that_no_number_of_threads_changes(threads: int) -> None:
    vectors, backend, steps = texture(500), _CountedParts(), list[float]()
    with threadpool_limits(threads):
        labels, cosines = assign_by_cosine(vectors, vectors[:20], 0.1, backend=backend, step=steps.append)
        ids, squares = nearest_centres(vectors, vectors[:20], backend=backend)
    # 64 rows are the fewest: 50 would do for 20 centroids, and fewer for rows of 64 columns
    assert backend.parts == [8, 8]
    assert steps[-1] == 1.0
    known, found = assign_by_cosine(vectors, vectors[:20], 0.1, backend=backend)
    assert (labels.tobytes(), cosines.tobytes()) == (known.tobytes(), found.tobytes())
    exact = np.square(vectors[:, None] - vectors[None, :20]).sum(axis=2)
    assert ids.tolist() == exact.argmin(axis=1).tolist()
    np.testing.assert_allclose(squares, exact.min(axis=1), atol=1e-4)


def test_parts_of_wide_rows_are_as_small_as_those_of_wide_products() -> None:
    vectors, backend = texture(500), _CountedParts(near_entries=64 * 100)
    assign_by_cosine(vectors, vectors[:2], 0.1, backend=backend)
    nearest_centres(vectors, vectors[:2], backend=backend)
    assert backend.parts == [5, 5]
