"""Every algorithm on inputs that are hardly any: an answer that says so, or a refusal with the number; never NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import ALGORITHM_OF, group
from shoald.domain.clustering.input_vectors import checked_vectors
from shoald.domain.clustering.parameters import ALGORITHMS, parse_algorithm
from shoald.domain.clustering.spaces import Floats, Grouping, Space
from shoald.domain.clustering.tools import ClusterTools
from shoald.domain.failures import InvalidVectors, NotEnoughPoints
from support.vectors import planted, texture

EVERY = sorted(ALGORITHMS)
COUNTED = {
    "kmeans": "n_clusters",
    "agglomerative": "n_clusters",
    "spectral": "n_clusters",
    "gaussian_mixture": "n_components",
}


@pytest.fixture
def tools() -> ClusterTools:
    arrays = NumpyArrays()
    return ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))


def run(method: str, vectors: Floats, tools: ClusterTools, **given: Any) -> Grouping:
    return group(Space(np.ascontiguousarray(vectors)), parse_algorithm(method, given, loc=())[0], tools=tools)


def assert_whole(found: Grouping, n: int) -> None:
    """Every row has a label from 0 up or -1, by falling size, and a finite probability."""
    assert found.labels.shape == (n,)
    assert found.labels.dtype == np.int32
    assert found.probabilities.shape == (n,)
    assert np.isfinite(found.probabilities).all()
    assert ((found.probabilities >= 0) & (found.probabilities <= 1.0001)).all()
    sizes = np.bincount(found.labels[found.labels >= 0])
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


def test_every_algorithm_with_parameters_runs() -> None:
    assert set(ALGORITHM_OF) | {"auto"} == set(ALGORITHMS)


@pytest.mark.parametrize("method", EVERY)
def test_no_vectors_are_not_enough(method: str, tools: ClusterTools) -> None:
    with pytest.raises(NotEnoughPoints):
        run(method, np.empty((0, 4), dtype=np.float32), tools)


@pytest.mark.parametrize("n", [1, 2, 3, 9])
@pytest.mark.parametrize("method", EVERY)
def test_hardly_any_vectors_give_a_small_answer_or_are_refused_with_the_number(
    method: str, n: int, tools: ClusterTools
) -> None:
    try:
        found = run(method, texture(30)[:n], tools)
    except NotEnoughPoints as refused:
        assert str(n) in refused.message  # noqa: PT017 - either outcome is right
        return
    assert_whole(found, n)


@pytest.mark.parametrize("method", sorted(COUNTED))
def test_fewer_vectors_than_groups_are_refused_with_both_numbers(method: str, tools: ClusterTools) -> None:
    with pytest.raises(NotEnoughPoints, match=r"7.*5"):
        run(method, texture(30)[:5], tools, **{COUNTED[method]: 7})


@pytest.mark.parametrize("method", sorted(COUNTED))
def test_as_many_vectors_as_groups_are_groups_of_one(method: str, tools: ClusterTools) -> None:
    found = run(method, texture(30)[:6], tools, **{COUNTED[method]: 6})
    assert_whole(found, 6)
    assert found.count >= 5


@pytest.mark.parametrize("method", EVERY)
def test_equal_vectors_are_one_group_or_noise(method: str, tools: ClusterTools) -> None:
    found = run(method, np.full((60, 8), 0.25, dtype=np.float32), tools)
    assert_whole(found, 60)


@pytest.mark.parametrize("method", EVERY)
def test_zero_vectors_among_others_do_no_harm(method: str, tools: ClusterTools) -> None:
    vectors, _ = planted(80, 3, 8)
    vectors[:10] = 0
    assert_whole(run(method, vectors, tools), 80)


@pytest.mark.parametrize("method", EVERY)
def test_one_dimension_is_enough(method: str, tools: ClusterTools) -> None:
    random = np.random.default_rng(0)
    vectors = np.concatenate([random.normal(at, 0.05, 40) for at in (0.0, 5.0, 10.0)])[:, None].astype(np.float32)
    given: dict[str, Any] = {COUNTED[method]: 3} if method in COUNTED else {}
    given |= {"bandwidth": 1.0} if method == "mean_shift" else {}
    found = run(method, vectors, tools, **given)
    assert_whole(found, 120)
    if method not in {"optics", "evoc", "leiden"}:
        assert found.count == 3


@pytest.mark.parametrize("method", EVERY)
def test_doubled_vectors_do_no_harm(method: str, tools: ClusterTools) -> None:
    vectors, _ = planted(60, 4, 12)
    found = run(method, np.repeat(vectors, 4, axis=0), tools)
    assert_whole(found, 240)


def test_nan_is_refused_before_any_algorithm() -> None:
    vectors = texture(20)
    vectors[4, 2] = np.nan
    with pytest.raises(InvalidVectors, match="4"):
        checked_vectors(vectors, normalize=False)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_mixture_far_from_the_origin_is_that_beside_it(kind: str, tools: ClusterTools) -> None:
    random = np.random.default_rng(0)
    groups = random.normal(size=(4, 6))[np.repeat(np.arange(4), 100)] * 3
    far = ((groups + random.normal(size=(400, 6)) * 0.3) * 1e-3 + 1e4).astype(np.float32)
    # exact in float32, so that nothing but the place differs
    near = (far.astype(np.float64) - 1e4).astype(np.float32)
    given: dict[str, Any] = {"n_components": 4, "covariance_type": kind, "random_state": 0}
    here, there = (run("gaussian_mixture", rows, tools, **given) for rows in (near, far))
    assert there.notes["log_likelihood"] == pytest.approx(here.notes["log_likelihood"], abs=1e-6)
