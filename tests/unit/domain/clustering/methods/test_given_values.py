"""Values that a caller gives for the inside of a method: they are used, or refused by name where they cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, OPTICS

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.clustering.spaces import Floats, Grouping, Space
from shoald.domain.clustering.tools import ClusterTools
from shoald.domain.failures import InvalidFields
from support.vectors import planted, texture

VECTORS = planted(150, 4, 6, noise=0.1)[0]
WEIGHTS = [1.0, 0.0, 4.0, 0.5, 0.0, 2.0]


def run(method: str, vectors: Floats, **given: Any) -> Grouping:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))
    return group(Space(np.ascontiguousarray(vectors)), parse_algorithm(method, given, loc=())[0], tools=tools)


def pairs(labels: Any) -> Any:
    return labels[:, None] == labels[None, :]


@pytest.mark.parametrize("options", [{"w": WEIGHTS}, {"p": 3}, {"p": 1.5, "w": WEIGHTS}], ids=str)
def test_what_a_metric_is_given_counts(options: dict[str, Any]) -> None:
    ours = run("dbscan", VECTORS, eps=0.4, metric="minkowski", metric_params=options)
    exact = {"p": 2, **options, "w": np.array(options.get("w", np.ones(6)))}
    rows = VECTORS.astype(np.float64)
    theirs = DBSCAN(eps=0.4, metric="minkowski", metric_params=exact, algorithm="ball_tree").fit(rows)
    np.testing.assert_array_equal(pairs(ours.labels), pairs(theirs.labels_))
    plain = run("dbscan", VECTORS, eps=0.4, metric="minkowski")
    assert (pairs(ours.labels) != pairs(plain.labels)).any()


def test_what_a_metric_is_given_counts_in_the_order_of_optics_too() -> None:
    ours = run("optics", VECTORS, metric_params={"w": WEIGHTS}, cluster_method="dbscan", eps=0.4)
    exact = {"w": np.array(WEIGHTS)}
    search = OPTICS(min_samples=5, cluster_method="dbscan", eps=0.4, metric_params=exact, algorithm="ball_tree")
    np.testing.assert_array_equal(pairs(ours.labels), pairs(search.fit(VECTORS.astype(np.float64)).labels_))


def test_a_covariance_that_cannot_be_inverted_refuses_the_metric() -> None:
    flat = VECTORS.copy()
    flat[:, 3] = flat[:, 2] = 0
    with pytest.raises(InvalidFields, match="mahalanobis cannot measure these vectors"):
        run("dbscan", flat, metric="mahalanobis")
    found = run("dbscan", flat, metric="mahalanobis", metric_params={"VI": np.eye(6).tolist()}, eps=0.4)
    np.testing.assert_array_equal(found.labels, run("dbscan", flat, eps=0.4).labels)


@pytest.mark.parametrize(
    ("kind", "precisions"),
    [
        ("full", np.zeros((2, 6, 6))),
        ("full", np.stack([np.eye(6), np.triu(np.ones((6, 6)))])),
        ("tied", -np.eye(6)),
        ("diag", np.full((2, 6), -1.0)),
        ("spherical", np.array([1.0, 0.0])),
    ],
    ids=["singular", "lopsided", "negative", "negative axes", "zero"],
)
def test_precisions_that_are_none_are_refused(kind: str, precisions: Any) -> None:
    given = {"n_components": 2, "covariance_type": kind, "precisions_init": precisions.tolist()}
    with pytest.raises(InvalidFields, match="precisions_init"):
        run("gaussian_mixture", VECTORS, **given)


def test_a_smallest_group_larger_than_everything_leaves_noise() -> None:
    found = run("optics", VECTORS, min_cluster_size=151)
    assert (found.labels == -1).all()
    assert found.warnings == ("150 vectors are fewer than min_cluster_size = 151: all are noise",)


def test_too_few_eigenvectors_to_tell_groups_apart_are_named() -> None:
    # the first one of a graph in one piece is the same for every row
    found = run("spectral", VECTORS, n_clusters=4, n_components=1)
    assert found.count < 4
    assert any("differ too little in 1 eigenvectors" in one for one in found.warnings)
    assert run("spectral", VECTORS, n_clusters=4).warnings == ()


@pytest.mark.parametrize(
    "given", [{"degree": 0.5, "coef0": -5.0}, {"degree": 1e30}, {"gamma": 1e300, "coef0": 2.0}], ids=str
)
def test_a_kernel_that_gives_no_numbers_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields, match="poly cannot compare these vectors"):
        run("spectral", VECTORS, n_clusters=4, affinity="poly", **given)


@pytest.mark.parametrize("affinity", ["rbf", "laplacian", "poly"])
def test_numbers_of_a_kernel_may_be_given_either_way(affinity: str) -> None:
    vectors = texture(120, 8)
    inside = run("spectral", vectors, n_clusters=4, affinity=affinity, kernel_params={"gamma": "7.5", "size": 3})
    beside = run("spectral", vectors, n_clusters=4, affinity=affinity, gamma=7.5)
    assert inside.effective == beside.effective
    np.testing.assert_array_equal(inside.labels, beside.labels)
    other = run("spectral", vectors, n_clusters=4, affinity=affinity)
    assert (pairs(inside.labels) != pairs(other.labels)).any()
