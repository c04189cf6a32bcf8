"""Parameters beside which others have no effect: each is named, and named only where it is so."""

from __future__ import annotations

from typing import Any

import pytest

from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.failures import InvalidFields

BESIDE: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("dbscan", {"p": 3.0}, {"metric": "minkowski"}, "p"),
    ("optics", {"p": 3.0, "metric": "manhattan"}, {"metric": "minkowski"}, "p"),
    (
        "hdbscan",
        {"max_cluster_size": 9, "cluster_selection_method": "leaf"},
        {"cluster_selection_method": "eom"},
        "max",
    ),
    ("agglomerative", {"n_clusters": 5, "distance_threshold": 0.5}, {"distance_threshold": None}, "n_clusters"),
    ("spectral", {"gamma": 2.0, "affinity": "nearest_neighbors"}, {"affinity": "laplacian"}, "gamma"),
    ("spectral", {"degree": 2.0}, {"affinity": "poly"}, "degree"),
    ("spectral", {"coef0": 2.0}, {"affinity": "sigmoid"}, "coef0"),
    (
        "spectral",
        {"kernel_params": {"gamma": 2.0}, "affinity": "nearest_neighbors"},
        {"affinity": "rbf"},
        "kernel_params",
    ),
    ("spectral", {"kernel_params": {"degree": 2.0}}, {"affinity": "poly"}, "kernel_params.degree"),
    ("spectral", {"gamma": 2.0, "kernel_params": {"gamma": 3.0}}, {"kernel_params": {}}, "gamma"),
    ("spectral", {"n_init": 3, "assign_labels": "discretize"}, {"assign_labels": "kmeans"}, "n_init"),
    ("mean_shift", {"bandwidth_quantile": 0.3, "bandwidth": 1.0}, {"bandwidth": None}, "bandwidth_quantile"),
    ("mean_shift", {"bin_seeding": True, "seeds": [[1.0]]}, {"seeds": None}, "bin_seeding"),
    ("mean_shift", {"min_bin_freq": 2}, {"bin_seeding": True}, "min_bin_freq"),
    ("optics", {"eps": 2.0}, {"cluster_method": "dbscan"}, "eps"),
    ("optics", {"xi": 0.1, "cluster_method": "dbscan"}, {"cluster_method": "xi"}, "xi"),
    ("optics", {"min_cluster_size": 9, "cluster_method": "dbscan"}, {"cluster_method": "xi"}, "min_cluster_size"),
    (
        "optics",
        {"predecessor_correction": False, "cluster_method": "dbscan"},
        {"cluster_method": "xi"},
        "predecessor_correction",
    ),
]


@pytest.mark.parametrize(("method", "given", "changed", "word"), BESIDE, ids=lambda one: str(one)[:40])
def test_what_changes_nothing_beside_the_others_is_named(
    method: str, given: dict[str, Any], changed: dict[str, Any], word: str
) -> None:
    (warning,) = parse_algorithm(method, given, loc=("body",))[1]
    assert warning.startswith(word)
    assert "does not apply: " in warning
    assert parse_algorithm(method, {**given, **changed}, loc=("body",))[1] == ()


@pytest.mark.parametrize(
    ("method", "given", "where"),
    [
        ("dbscan", {"metric_params": {"w": [1.0]}}, ("metric_params", "w")),
        ("dbscan", {"metric": "minkowski", "metric_params": {"n_jobs": 50}}, ("metric_params", "n_jobs")),
        ("optics", {"metric": "seuclidean", "metric_params": {"VI": [[1.0]]}}, ("metric_params", "VI")),
        ("spectral", {"kernel_params": {"gamma": 0}}, ("kernel_params", "gamma")),
        ("spectral", {"affinity": "poly", "kernel_params": {"degree": "three"}}, ("kernel_params", "degree")),
    ],
    ids=str,
)
def test_what_a_metric_or_a_kernel_cannot_take_is_refused_by_name(
    method: str, given: dict[str, Any], where: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_algorithm(method, given, loc=("body",))
    assert [one.loc for one in refused.value.problems] == [("body", *where)]
