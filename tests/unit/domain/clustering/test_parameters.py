from __future__ import annotations

import pytest

from shoald.domain.clustering.parameters import (
    ALGORITHMS,
    STEPS,
    HdbscanParameters,
    KmeansParameters,
    UmapParameters,
    WhiteningParameters,
    parse_algorithm,
    parse_steps,
)
from shoald.domain.failures import InvalidFields
from shoald.domain.vocabulary import ClusteringMethod, PreprocessingMethod

AT = ("body", "vector_config", "algorithm_params")


def test_every_documented_word_has_its_parameters() -> None:
    assert set(ALGORITHMS) == set(ClusteringMethod) - {ClusteringMethod.ATTRIBUTE_BASED}
    assert {*STEPS, PreprocessingMethod.NONE} == set(PreprocessingMethod)


@pytest.mark.parametrize("given", [None, {}, {"min_cluster_size": None}])
def test_nothing_given_means_the_documented_defaults(given: dict[str, object] | None) -> None:
    assert parse_algorithm("hdbscan", given, loc=AT) == (HdbscanParameters(), ())
    assert HdbscanParameters().min_cluster_size == 5
    assert HdbscanParameters().min_samples is None
    kmeans = parse_algorithm("kmeans", None, loc=AT)[0]
    assert isinstance(kmeans, KmeansParameters)
    assert (kmeans.n_clusters, kmeans.max_iter, kmeans.n_init, kmeans.tol, kmeans.random_state) == (
        8,
        300,
        10,
        1e-4,
        42,
    )


def test_values_are_coerced_where_nothing_is_lost() -> None:
    found, warnings = parse_algorithm(
        "hdbscan", {"min_cluster_size": 15.0, "min_samples": "5", "allow_single_cluster": "true"}, loc=AT
    )
    assert found == HdbscanParameters(min_cluster_size=15, min_samples=5, allow_single_cluster=True)
    assert warnings == ()


@pytest.mark.parametrize(
    ("method", "name", "value", "kind"),
    [
        ("kmeans", "n_clusters", 1, "greater_than_equal"),
        ("kmeans", "n_clusters", 1001, "less_than_equal"),
        ("kmeans", "max_iter", 2.5, "int_parsing"),
        ("kmeans", "n_init", True, "int_parsing"),
        ("kmeans", "tol", 0, "greater_than"),
        ("kmeans", "tol", float("nan"), "float_parsing"),
        ("kmeans", "n_init", float("inf"), "int_parsing"),
        ("kmeans", "init", "kmeans++", "literal_error"),
        ("hdbscan", "metric", "precomputed", "literal_error"),
        ("hdbscan", "cluster_selection_method", 3, "string_parsing"),
        ("hdbscan", "allow_single_cluster", "maybe", "bool_parsing"),
        ("hdbscan", "min_samples", 0, "greater_than_equal"),
        ("hdbscan", "alpha", {}, "float_parsing"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_and_never_clamped(
    method: str, name: str, value: object, kind: str
) -> None:
    with pytest.raises(InvalidFields) as failure:
        parse_algorithm(method, {name: value}, loc=AT)
    (problem,) = failure.value.problems
    assert problem.loc == (*AT, name)
    assert problem.kind == kind


def test_all_bad_values_are_named_at_once() -> None:
    with pytest.raises(InvalidFields) as failure:
        parse_algorithm("kmeans", {"n_clusters": 0, "tol": -1, "n_init": 3}, loc=AT)
    assert [problem.loc[-1] for problem in failure.value.problems] == ["n_clusters", "tol"]


def test_another_algorithms_parameters_are_dropped_with_a_warning() -> None:
    mangled = {"n_clusters": 8, "init": "k-means++", "verbose": 0, "tol": 1e-4, "min_samples": 7}
    found, warnings = parse_algorithm("hdbscan", mangled, loc=AT)
    assert found == HdbscanParameters(min_samples=7)
    assert [warning.split()[0] for warning in warnings] == ["init", "n_clusters", "tol", "verbose"]


def test_a_word_that_no_algorithm_has_is_told_with_the_one_that_may_have_been_meant() -> None:
    _, warnings = parse_algorithm("kmeans", {"n_cluster": 8, "zzz": 1, "min_sample": 2, "off": None}, loc=AT)
    assert warnings == (
        "min_sample is no parameter of any method and was ignored; did you mean min_samples?",
        "n_cluster is no parameter of any method and was ignored; did you mean n_clusters?",
        "zzz is no parameter of any method and was ignored",
    )


def test_a_parameter_that_changes_nothing_says_so() -> None:
    _, warnings = parse_algorithm("kmeans", {"verbose": 1, "copy_x": False}, loc=AT)
    assert all("does not apply" in warning for warning in warnings)
    assert len(warnings) == 2


def test_the_guides_name_for_the_number_of_clusters_is_understood() -> None:
    assert parse_algorithm("kmeans", {"num_clusters": 20}, loc=AT) == (KmeansParameters(n_clusters=20), ())


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidFields, match="kmeans, dbscan, hdbscan"):
        parse_algorithm("dbscam", {}, loc=AT)


def test_steps_keep_their_order_and_none_vanishes() -> None:
    given: list[dict[str, object]] = [
        {"method": "whitening"},
        {"method": "none"},
        {"method": "umap", "n_components": 10.0, "perplexity": 3},
    ]
    steps, warnings = parse_steps(given, loc=("body", "steps"))
    assert steps == (WhiteningParameters(), UmapParameters(n_components=10))
    assert warnings == ("perplexity is no parameter of umap and was ignored",)


def test_a_bad_step_is_located_by_its_place() -> None:
    with pytest.raises(InvalidFields) as failure:
        parse_steps([{"method": "none"}, {"method": "umap", "n_neighbors": 1}], loc=("body", "steps"))
    assert failure.value.problems[0].loc == ("body", "steps", 1, "n_neighbors")
    with pytest.raises(InvalidFields) as failure:
        parse_steps([{"n_neighbors": 5}], loc=("body", "steps"))
    assert failure.value.problems[0].loc == ("body", "steps", 0, "method")


@pytest.mark.parametrize(
    ("method", "given", "field"),
    [
        ("agglomerative", {"affinity": "cosine"}, "affinity"),
        ("agglomerative", {"n_clusters": None}, "n_clusters"),
        ("optics", {"cluster_method": "dbscan", "eps": 2.0, "max_eps": 1.0}, "eps"),
        ("optics", {"min_cluster_size": 2.5}, "min_cluster_size"),
    ],
)
def test_what_does_not_go_together_is_refused_before_a_run(method: str, given: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        parse_algorithm(method, given, loc=AT)
    assert [one.loc for one in refused.value.problems] == [(*AT, field)]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("agglomerative", {"affinity": "cosine", "linkage": "average"}),
        ("agglomerative", {"n_clusters": None, "distance_threshold": 0.5}),
        ("optics", {"min_cluster_size": 0.25}),
    ],
)
def test_what_goes_together_is_taken(method: str, given: dict[str, object]) -> None:
    assert parse_algorithm(method, given, loc=AT)[1] == ()
