"""Every parameter that the documents name, with its default and its range; and what each algorithm does not use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import _VALID_METRICS, PAIRWISE_DISTANCE_FUNCTIONS
from sklearn.neighbors import VALID_METRICS

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.distances import distance_blocks
from shoald.domain.clustering.metrics import METRICS
from shoald.domain.clustering.parameters import ALGORITHMS, parse_algorithm, parse_steps
from shoald.domain.clustering.spaces import Space
from shoald.domain.clustering.tools import ClusterTools
from shoald.domain.failures import InvalidFields
from support.vectors import texture

AT = ("body", "algorithm_params")
DEFAULTS: dict[str, dict[str, Any]] = {
    "kmeans": {
        "n_clusters": 8,
        "max_iter": 300,
        "random_state": 42,
        "n_init": 10,
        "tol": 1e-4,
        "init": "k-means++",
        "algorithm": "lloyd",
    },
    "dbscan": {"eps": 0.5, "min_samples": 5, "metric": "euclidean", "metric_params": None, "p": 2.0},
    "hdbscan": {
        "min_cluster_size": 5,
        "min_samples": None,
        "cluster_selection_epsilon": 0.0,
        "max_cluster_size": None,
        "metric": "euclidean",
        "alpha": 1.0,
        "cluster_selection_method": "eom",
        "allow_single_cluster": False,
        "match_reference_implementation": False,
    },
    "agglomerative": {"n_clusters": 2, "affinity": "euclidean", "linkage": "ward", "distance_threshold": None},
    "spectral": {
        "n_clusters": 8,
        "n_components": None,
        "random_state": 42,
        "n_init": 10,
        "gamma": 1.0,
        "affinity": "rbf",
        "n_neighbors": 10,
        "eigen_tol": 0.0,
        "assign_labels": "kmeans",
        "degree": 3.0,
        "coef0": 1.0,
        "kernel_params": None,
    },
    "gaussian_mixture": {
        "n_components": 1,
        "covariance_type": "full",
        "tol": 1e-3,
        "reg_covar": 1e-6,
        "max_iter": 100,
        "n_init": 1,
        "init_params": "kmeans",
        "weights_init": None,
        "means_init": None,
        "precisions_init": None,
        "random_state": 42,
    },
    "mean_shift": {
        "bandwidth": None,
        "bandwidth_quantile": 0.1,
        "seeds": None,
        "bin_seeding": False,
        "min_bin_freq": 1,
        "cluster_all": True,
        "max_iter": 300,
    },
    "optics": {
        "min_samples": 5,
        "max_eps": None,
        "metric": "minkowski",
        "p": 2.0,
        "metric_params": None,
        "cluster_method": "xi",
        "eps": None,
        "xi": 0.05,
        "predecessor_correction": True,
        "min_cluster_size": None,
    },
    "leiden": {
        "resolution": 1.0,
        "n_neighbors": 30,
        "metric": "cosine",
        "min_cluster_size": 0,
        "objective_function": "RBConfiguration",
        "n_iterations": 2,
        "random_state": 42,
    },
    "evoc": {
        "noise_level": 0.5,
        "base_min_cluster_size": 5,
        "approx_n_clusters": None,
        "n_neighbors": 15,
        "min_samples": 5,
        "random_state": 42,
    },
    "auto": {"n_clusters": None, "min_cluster_size": None, "random_state": 42},
}
IDLE: dict[str, dict[str, Any]] = {
    "kmeans": {"verbose": 0, "copy_x": True},
    "dbscan": {"algorithm": "auto", "leaf_size": 30, "n_jobs": 1},
    "hdbscan": {"prediction_data": False},
    "agglomerative": {
        "memory": "/etc/passwd",
        "connectivity": [[0, 1], [1, 0]],
        "compute_full_tree": "auto",
        "compute_distances": False,
    },
    "spectral": {"eigen_solver": "arpack", "n_jobs": 1, "verbose": False},
    "gaussian_mixture": {"warm_start": False, "verbose": 0, "verbose_interval": 10},
    "mean_shift": {"n_jobs": -1},
    "optics": {"algorithm": "ball_tree", "leaf_size": 30, "n_jobs": 1},
}
OUTSIDE: list[tuple[str, str, Any, str]] = [
    ("dbscan", "eps", 0, "greater_than"),
    ("dbscan", "min_samples", 0, "greater_than_equal"),
    ("dbscan", "metric", "precomputed", "literal_error"),
    ("dbscan", "metric_params", "V", "dict_parsing"),
    ("dbscan", "leaf_size", 0, "greater_than_equal"),
    ("dbscan", "algorithm", "octree", "literal_error"),
    ("dbscan", "n_jobs", "all", "int_parsing"),
    ("agglomerative", "n_clusters", 1, "greater_than_equal"),
    ("agglomerative", "affinity", "precomputed", "literal_error"),
    ("agglomerative", "linkage", "centroid", "literal_error"),
    ("agglomerative", "distance_threshold", 0, "greater_than"),
    ("agglomerative", "memory", 3, "string_parsing"),
    ("spectral", "affinity", "precomputed_nearest_neighbors", "literal_error"),
    ("spectral", "gamma", 0, "greater_than"),
    ("spectral", "eigen_solver", "qr", "literal_error"),
    ("spectral", "assign_labels", "cluster_qr", "literal_error"),
    ("gaussian_mixture", "n_components", 0, "greater_than_equal"),
    ("gaussian_mixture", "covariance_type", "round", "literal_error"),
    ("gaussian_mixture", "means_init", "none", "list_parsing"),
    ("gaussian_mixture", "reg_covar", -1, "greater_than_equal"),
    ("mean_shift", "bandwidth", 0, "greater_than"),
    ("mean_shift", "bandwidth_quantile", 1.5, "less_than_equal"),
    ("mean_shift", "max_iter", 0, "greater_than_equal"),
    ("optics", "min_samples", 1, "greater_than_equal"),
    ("optics", "xi", 1.5, "less_than_equal"),
    ("optics", "cluster_method", "eom", "literal_error"),
    ("leiden", "resolution", 0, "greater_than"),
    ("leiden", "resolution", 101, "less_than_equal"),
    ("leiden", "n_neighbors", 201, "less_than_equal"),
    ("leiden", "metric", "manhattan", "literal_error"),
    ("leiden", "objective_function", "surprise", "literal_error"),
    ("leiden", "n_iterations", 0, "value_error"),
    ("evoc", "noise_level", 1.1, "less_than_equal"),
    ("auto", "n_clusters", 1, "greater_than_equal"),
]


def test_each_algorithm_is_listed() -> None:
    assert set(DEFAULTS) == set(ALGORITHMS)


@pytest.mark.parametrize("method", sorted(DEFAULTS))
def test_the_defaults_are_the_documented_ones(method: str) -> None:
    found, warnings = parse_algorithm(method, None, loc=AT)
    assert asdict(found) == DEFAULTS[method]
    assert warnings == ()


@pytest.mark.parametrize("method", sorted(DEFAULTS))
def test_the_defaults_given_back_are_understood_without_a_word(method: str) -> None:
    found, warnings = parse_algorithm(method, DEFAULTS[method], loc=AT)
    assert asdict(found) == DEFAULTS[method]
    assert warnings == ()


@pytest.mark.parametrize(("method", "word"), [(m, word) for m, words in IDLE.items() for word in words])
def test_what_has_no_effect_is_named_with_its_reason(method: str, word: str) -> None:
    found, (warning,) = parse_algorithm(method, {word: IDLE[method][word]}, loc=AT)
    assert asdict(found) == DEFAULTS[method]
    assert warning.startswith(f"{word} does not apply: ")


@pytest.mark.parametrize(("method", "word", "value", "kind"), OUTSIDE)
def test_what_lies_outside_is_refused_by_name(method: str, word: str, value: Any, kind: str) -> None:
    with pytest.raises(InvalidFields) as failure:
        parse_algorithm(method, {word: value}, loc=AT)
    (problem,) = failure.value.problems
    assert (problem.loc, problem.kind) == ((*AT, word), kind)


@pytest.mark.parametrize("method", sorted(DEFAULTS))
def test_what_belongs_to_another_algorithm_is_dropped_with_a_warning(method: str) -> None:
    others = {word: value for words in DEFAULTS.values() for word, value in words.items() if value is not None}
    aliases = ALGORITHMS[method].aliases
    strangers = {w: v for w, v in others.items() if w not in {*DEFAULTS[method], *IDLE.get(method, ()), *aliases}}
    found, warnings = parse_algorithm(method, strangers, loc=AT)
    assert asdict(found) == DEFAULTS[method]
    assert len(warnings) == len(strangers)
    assert all("is no parameter of" in warning for warning in warnings)


def test_every_metric_of_scikit_learn_is_known() -> None:
    theirs = {*_VALID_METRICS, *PAIRWISE_DISTANCE_FUNCTIONS, *VALID_METRICS["ball_tree"], *VALID_METRICS["brute"]}
    # the last two are still in its lists and no longer in its code
    assert theirs - {"precomputed", "pyfunc", "wminkowski", "sokalmichener"} <= set(METRICS)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_measures(metric: str) -> None:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))
    vectors = texture(12, 2 if metric == "haversine" else 5)
    found = distance_blocks(vectors, metric, tools=tools)(np.arange(3))
    assert found.shape == (3, 12)
    assert np.isfinite(found).all()
    assert found[np.arange(3), np.arange(3)] == pytest.approx(0, abs=1e-6) or metric == "russellrao"


@pytest.mark.parametrize(
    ("method", "word", "given"),
    [
        ("dbscan", "metric", {}),
        ("hdbscan", "metric", {}),
        ("hdbscan", "metric", {"match_reference_implementation": True, "alpha": 0.7}),
        ("optics", "metric", {}),
        ("agglomerative", "affinity", {"linkage": "average"}),
        ("agglomerative", "affinity", {"linkage": "single"}),
    ],
)
@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_groups(metric: str, method: str, word: str, given: dict[str, Any]) -> None:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))
    vectors = texture(40, 2 if metric == "haversine" else 5)
    vectors = np.ascontiguousarray(vectors - vectors.mean(axis=0))
    found = group(Space(vectors), parse_algorithm(method, {word: metric, **given}, loc=AT)[0], tools=tools)
    assert found.labels.shape == (40,)
    assert np.isfinite(found.probabilities).all()


def test_a_metric_that_the_vectors_do_not_allow_is_refused_before_anything_is_computed() -> None:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))
    with pytest.raises(InvalidFields, match="haversine"):
        distance_blocks(texture(12, 5), "haversine", tools=tools)
    with pytest.raises(InvalidFields, match="minkowski"):
        distance_blocks(texture(12, 5), "minkowski", tools=tools, p=3, metric_params={"speed": 3})


def test_t_sne_has_the_documented_defaults() -> None:
    (step,), warnings = parse_steps([{"method": "tsne"}], loc=())
    assert asdict(step) == {"n_components": 2, "perplexity": 30.0, "learning_rate": 200.0, "random_state": 42}
    assert warnings == ()
