"""The dense parts of every algorithm on an array library that allows nothing but the standard, and on a device: the
same groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from shoald.adapters.arrays import ArrayLibraries
from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.clustering.spaces import Grouping, Space
from shoald.domain.clustering.tools import ClusterTools
from shoald.domain.failures import MissingDependency
from support.strict_arrays import StrictArrays
from support.vectors import planted


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def other(request: pytest.FixtureRequest) -> ArrayBackend:
    if request.param == "strict":
        return StrictArrays()
    try:
        return ArrayLibraries().get(request.param)
    except MissingDependency as missing:
        pytest.skip(missing.message)


def run(arrays: ArrayBackend, method: str, given: dict[str, Any]) -> Grouping:
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=NumpyArrays()))
    vectors = np.ascontiguousarray(planted(300, 6, 40, noise=0.05)[0])
    return group(Space(vectors), parse_algorithm(method, given, loc=())[0], tools=tools)


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("kmeans", {"n_clusters": 6, "n_init": 2}),
        ("dbscan", {"eps": 0.4}),
        ("dbscan", {"eps": 0.06, "metric": "cosine"}),
        ("hdbscan", {"min_cluster_size": 10}),
        ("agglomerative", {"n_clusters": 8}),
        ("agglomerative", {"n_clusters": 8, "linkage": "single"}),
        ("spectral", {"n_clusters": 6}),
        *(
            ("gaussian_mixture", {"n_components": 6, "covariance_type": kind, "reg_covar": 1e-3})
            for kind in ("full", "tied", "diag", "spherical")
        ),
        ("mean_shift", {"bandwidth": 0.6}),
        ("optics", {}),
        ("leiden", {}),
        ("evoc", {}),
    ],
)
def test_the_standard_is_all_that_is_needed(other: ArrayBackend, method: str, given: dict[str, Any]) -> None:
    theirs, ours = run(other, method, given), run(NumpyArrays(), method, given)
    assert adjusted_rand_score(theirs.labels, ours.labels) >= 0.99
    assert ((theirs.labels < 0) == (ours.labels < 0)).mean() >= 0.99
