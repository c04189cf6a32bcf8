"""The same vectors, parameters and seed give the same bytes, with 1, 2 and 4 threads; progress rises; a stop stops."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.parameters import ALGORITHMS, parse_algorithm
from shoald.domain.clustering.spaces import Grouping, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools
from support.vectors import texture

GIVEN: dict[str, dict[str, Any]] = {
    "kmeans": {"n_clusters": 12, "n_init": 3},
    "dbscan": {"eps": 0.7, "min_samples": 3},
    "hdbscan": {"min_cluster_size": 6},
    "agglomerative": {"n_clusters": 12},
    "spectral": {"n_clusters": 12, "affinity": "nearest_neighbors"},
    "gaussian_mixture": {"n_components": 6, "covariance_type": "diag"},
    "mean_shift": {"bandwidth": 0.7},
    "optics": {},
    "leiden": {},
    "evoc": {},
    "auto": {},
}
SEEDED = ["kmeans", "spectral", "gaussian_mixture", "leiden", "evoc"]


class Stopped(Exception):  # noqa: N818 - it is what a stop raises
    """The run was to end."""


def run(method: str, step: Step = no_step, **more: Any) -> Grouping:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))
    parameters, _ = parse_algorithm(method, {**GIVEN[method], **more}, loc=())
    return group(Space(texture(700, 40)), parameters, tools=tools, step=step)


@pytest.mark.parametrize("method", sorted(ALGORITHMS))
def test_any_number_of_threads_gives_the_same_bytes(method: str) -> None:
    answers = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            found = run(method)
        answers.append((found.labels.tobytes(), found.probabilities.tobytes(), repr(found.notes)))
    assert answers[0][0] == answers[1][0] == answers[2][0]
    assert answers[0][1] == answers[1][1] == answers[2][1]


@pytest.mark.parametrize("method", SEEDED)
def test_an_open_seed_is_drawn_and_recorded_so_that_the_run_can_be_repeated(method: str) -> None:
    found = run(method, random_state=None)
    seed = found.effective["random_state"]
    assert isinstance(seed, int)
    np.testing.assert_array_equal(run(method, random_state=seed).labels, found.labels)


@pytest.mark.parametrize("method", sorted(ALGORITHMS))
def test_progress_rises_to_one(method: str) -> None:
    seen: list[float] = []
    run(method, seen.append)
    assert len(seen) >= 2
    assert seen[-1] == pytest.approx(1)
    assert all(0 <= share <= 1.000001 for share in seen)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(seen))


@pytest.mark.parametrize("method", sorted(ALGORITHMS))
def test_what_the_step_raises_ends_the_algorithm(method: str) -> None:
    calls = 0

    def stop(_share: float) -> None:
        nonlocal calls
        calls += 1
        raise Stopped

    with pytest.raises(Stopped):
        run(method, stop)
    assert calls == 1
