"""The stages one after another, as a run calls them, on inputs that are whole and on those that are hardly any."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.application.cluster_stages import (
    ClusterTools,
    assign,
    centroids,
    cluster,
    coordinates,
    input_space,
    neighbours,
    preprocess,
    quality,
    representatives,
)
from shoald.domain.clustering.metrics import METRICS, UMAP_METRICS
from shoald.domain.clustering.parameters import parse_algorithm, parse_steps
from shoald.domain.clustering.spaces import Grouping, Space
from shoald.domain.failures import InvalidVectors, NotEnoughPoints
from support.vectors import planted, texture

UMAP = {"method": "umap", "n_components": 5, "n_neighbors": 15}


@pytest.fixture
def tools() -> ClusterTools:
    arrays = NumpyArrays()
    return ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays))


def grouped(
    vectors: npt.NDArray[Any], method: str, given: dict[str, Any], steps: list[dict[str, Any]], tools: ClusterTools
) -> tuple[Space, Space, Grouping]:
    space = input_space(vectors)
    worked = preprocess(space, parse_steps(steps, loc=())[0], tools=tools)
    return space, worked, cluster(worked, parse_algorithm(method, given, loc=())[0], tools=tools)


@pytest.mark.parametrize(
    ("method", "given", "steps"),
    [
        ("kmeans", {"n_clusters": 12}, []),
        ("kmeans", {"n_clusters": 12}, [{"method": "whitening"}]),
        ("hdbscan", {"min_cluster_size": 15, "min_samples": 5}, []),
        ("hdbscan", {"min_cluster_size": 15, "min_samples": 5, "metric": "cosine"}, []),
        ("hdbscan", {"min_cluster_size": 15, "min_samples": 5}, [UMAP]),
        ("hdbscan", {"min_cluster_size": 15, "min_samples": 5}, [{"method": "whitening"}, UMAP]),
        ("hdbscan", {"min_cluster_size": 15, "min_samples": 5, "metric": "manhattan"}, [UMAP]),
        ("hdbscan", {"min_cluster_size": 15}, [{**UMAP, "n_components": 40}]),
    ],
)
def test_planted_groups_are_found_by_every_way(
    method: str, given: dict[str, Any], steps: list[dict[str, Any]], tools: ClusterTools
) -> None:
    vectors, truth = planted(1200, 12)
    space, _, found = grouped(vectors, method, given, steps, tools)
    assert adjusted_rand_score(truth, found.labels) >= 0.98
    assert found.count == 12
    sizes = np.bincount(found.labels[found.labels >= 0])
    assert (np.diff(sizes) <= 0).all()
    centres = centroids(space, found.labels, tools=tools)
    figures = quality(space, found.labels, centres, tools=tools)
    assert figures["silhouette_score"] > 0.5
    assert figures["degenerate"] is False
    likely = representatives(found.labels, centres, count=3)
    assert [len(rows) for rows in likely] == [3] * 12
    labels, _ = assign(vectors, centres.vectors, threshold=0.3, tools=tools)
    clear = found.labels >= 0
    assert (labels[clear] == found.labels[clear]).mean() > 0.99


@pytest.mark.parametrize("metric", ["sqeuclidean", "seuclidean", "mahalanobis", "minkowski"])
def test_a_reduction_keeps_what_is_near_in_metrics_that_no_library_reduces_in(metric: str, tools: ClusterTools) -> None:
    vectors, truth = planted(240, 4, 6)
    step = {**UMAP, "n_components": 2, "metric": metric}
    _, worked, found = grouped(vectors, "kmeans", {"n_clusters": 4}, [step], tools)
    assert worked.steps[0]["implementation"] == "shoal"
    assert adjusted_rand_score(truth, found.labels) >= 0.98


@pytest.mark.parametrize("metric", [one for one in METRICS if one not in UMAP_METRICS])  # umap-learn compiles for long
def test_a_reduction_knows_every_metric(metric: str, tools: ClusterTools) -> None:
    vectors = texture(40, 2 if metric == "haversine" else 5)
    vectors = vectors - vectors.mean(axis=0)
    (step,), _ = parse_steps([{**UMAP, "n_components": 2, "metric": metric}], loc=())
    found = preprocess(Space(vectors), [step], tools=tools)
    assert found.vectors.shape == (40, 2)
    assert np.isfinite(found.vectors).all()


def test_the_record_says_what_was_done(tools: ClusterTools) -> None:
    _, worked, found = grouped(texture(300), "hdbscan", {}, [{"method": "whitening"}, UMAP], tools)
    assert worked.name == "whitening+umap"
    assert [step["method"] for step in worked.steps] == ["whitening", "umap"]
    assert worked.steps[1]["implementation"] == "shoal"
    assert found.effective["min_samples"] == 5
    assert found.notes["spanning_tree"] == "dual_tree"
    assert len(found.notes["persistence"]) == found.count


def test_both_spanning_trees_find_the_same_groups(tools: ClusterTools) -> None:
    vectors, _ = planted(900, 10, 25, noise=0.1)
    wide = np.concatenate([vectors, np.zeros((900, 15), dtype=np.float32)], axis=1)
    few = grouped(vectors, "hdbscan", {"min_cluster_size": 10}, [], tools)[2]
    many = grouped(wide, "hdbscan", {"min_cluster_size": 10}, [], tools)[2]
    assert (few.notes["spanning_tree"], many.notes["spanning_tree"]) == ("dual_tree", "products")
    assert adjusted_rand_score(few.labels, many.labels) >= 0.99


def test_alpha_works_or_the_answer_says_that_it_does_not(tools: ClusterTools) -> None:
    vectors = texture(400)
    given = {"min_cluster_size": 8, "alpha": 1.5}
    found = grouped(vectors, "hdbscan", given, [UMAP], tools)[2]
    assert found.notes["spanning_tree"] == "products"
    assert not found.warnings
    other = grouped(vectors, "hdbscan", {**given, "metric": "manhattan"}, [UMAP], tools)[2]
    assert other.warnings == ("alpha does not apply to the metric manhattan",)
    assert other.effective["alpha"] == 1


def test_one_graph_serves_every_stage_of_its_space(tools: ClusterTools) -> None:
    space = input_space(texture(300))
    wide = neighbours(space, 30, "cosine", tools=tools)
    assert neighbours(space, 15, "cosine", tools=tools).ids.base is wide.ids.base
    coordinates(space, 2, tools=tools)
    coordinates(space, 3, tools=tools)
    assert len(tools.graphs) == 1
    assert neighbours(Space(space.vectors.copy()), 30, "cosine", tools=tools).ids.base is wide.ids.base


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_a_map_has_a_place_for_every_row(n: int, dimensions: int, tools: ClusterTools) -> None:
    at = coordinates(input_space(texture(50)[:n]), dimensions, tools=tools)
    assert at.shape == (n, dimensions)
    assert at.dtype == np.float32
    assert np.isfinite(at).all()


def test_the_same_seed_gives_the_same_bytes_with_one_thread_and_with_two(tools: ClusterTools) -> None:
    vectors = texture(900)

    def once(threads: int) -> tuple[bytes, ...]:
        fresh = ClusterTools(arrays=tools.arrays, estimators=tools.estimators)
        with threadpool_limits(threads):
            space, worked, dense = grouped(vectors, "hdbscan", {"min_cluster_size": 10}, [UMAP], fresh)
            raw = grouped(vectors, "hdbscan", {"min_cluster_size": 10}, [], fresh)[2]
            means = grouped(vectors, "kmeans", {"n_clusters": 15}, [{"method": "whitening"}], fresh)[2]
            flat = coordinates(space, 2, tools=fresh)
        arrays = (worked.vectors, dense.labels, dense.probabilities, raw.labels, means.labels, flat)
        return tuple(array.tobytes() for array in arrays)

    assert once(1) == once(2) == once(2)


@pytest.mark.parametrize("step", [{"method": "umap", "n_components": 5}, {"method": "tsne"}, {"method": "whitening"}])
def test_a_step_gives_the_same_bytes_with_any_number_of_threads(tools: ClusterTools, step: dict[str, Any]) -> None:
    vectors, (steps, _) = texture(260), parse_steps([step], loc=())

    def once(threads: int) -> bytes:
        fresh = ClusterTools(arrays=tools.arrays, estimators=tools.estimators)
        with threadpool_limits(threads):
            return preprocess(input_space(vectors), steps, tools=fresh).vectors.tobytes()

    assert once(1) == once(2) == once(4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_map_has_the_same_bytes_with_any_number_of_threads(tools: ClusterTools, dimensions: int) -> None:
    vectors = texture(700)

    def once(threads: int) -> bytes:
        fresh = ClusterTools(arrays=tools.arrays, estimators=tools.estimators)
        with threadpool_limits(threads):
            return coordinates(input_space(vectors), dimensions, tools=fresh).tobytes()

    assert once(1) == once(2) == once(4)


def test_a_seed_that_is_left_open_is_drawn_and_recorded(tools: ClusterTools) -> None:
    vectors = texture(200)
    found = grouped(vectors, "kmeans", {"random_state": None}, [], tools)[2]
    seed = found.effective["random_state"]
    assert isinstance(seed, int)
    again = grouped(vectors, "kmeans", {"random_state": seed}, [], tools)[2]
    np.testing.assert_array_equal(found.labels, again.labels)


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_no_points_are_not_enough(method: str, tools: ClusterTools) -> None:
    with pytest.raises(NotEnoughPoints):
        grouped(np.empty((0, 8)), method, {}, [], tools)


def test_fewer_points_than_clusters_are_not_enough(tools: ClusterTools) -> None:
    with pytest.raises(NotEnoughPoints, match="8"):
        grouped(texture(5), "kmeans", {"n_clusters": 8}, [], tools)


@pytest.mark.parametrize("steps", [[], [UMAP], [{"method": "whitening"}], [{"method": "whitening"}, UMAP]])
@pytest.mark.parametrize("n", [1, 2, 4, 9, 20])
def test_hardly_any_points_are_noise_with_a_warning_or_a_small_answer(
    n: int, steps: list[dict[str, Any]], tools: ClusterTools
) -> None:
    space, worked, found = grouped(texture(30)[:n], "hdbscan", {}, steps, tools)
    assert found.labels.shape == (n,)
    if n < 5:
        assert (found.labels == -1).all()
        assert any("min_cluster_size" in warning for warning in found.warnings)
    if steps and n < 8:
        assert worked.warnings
    centres = centroids(space, found.labels, tools=tools)
    figures = quality(space, found.labels, centres, tools=tools)
    assert figures["num_clusters"] == found.count


@pytest.mark.parametrize("steps", [[], [UMAP], [{"method": "whitening"}], [{"method": "whitening"}, UMAP]])
@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_equal_points_give_an_answer_without_nan(method: str, steps: list[dict[str, Any]], tools: ClusterTools) -> None:
    space, worked, found = grouped(np.ones((60, 16)), method, {}, steps, tools)
    assert np.isfinite(worked.vectors).all()
    assert np.isfinite(found.probabilities).all()
    centres = centroids(space, found.labels, tools=tools)
    figures = quality(space, found.labels, centres, tools=tools)
    assert all(value is None or isinstance(value, str) or np.isfinite(value) for value in figures.values())
    assert np.isfinite(coordinates(space, 2, tools=tools)).all()
    if method == "kmeans" and not any(step["method"] == "umap" for step in steps):
        assert found.count == 1
        assert any("too few vectors differ" in warning for warning in found.warnings)


def test_noise_alone_is_named_and_has_no_centroids(tools: ClusterTools) -> None:
    random = np.random.default_rng(0).normal(size=(60, 100))
    space, _, found = grouped(random, "hdbscan", {"min_cluster_size": 30}, [], tools)
    assert found.count == 0
    assert any("umap" in warning for warning in found.warnings)
    centres = centroids(space, found.labels, tools=tools)
    assert quality(space, found.labels, centres, tools=tools)["degenerate"] == "all_noise"


def test_bad_rows_are_named_before_anything_is_computed() -> None:
    vectors = texture(20)
    vectors[[3, 7]] = np.nan
    with pytest.raises(InvalidVectors, match="3, 7"):
        input_space(vectors)
    with pytest.raises(InvalidVectors, match="are zero"):
        input_space(np.zeros((2, 3)))
    assert len(input_space(np.zeros((2, 3)), normalize=False)) == 2


def test_vectors_of_another_dimension_cannot_be_assigned(tools: ClusterTools) -> None:
    with pytest.raises(InvalidVectors, match="64 dimensions, the centroids 3"):
        assign(texture(2), np.ones((1, 3), dtype=np.float32), threshold=0.5, tools=tools)


@pytest.mark.parametrize(("method", "steps"), [("kmeans", []), ("hdbscan", []), ("hdbscan", [UMAP])])
def test_progress_never_falls_back_and_ends_at_one(
    method: str, steps: list[dict[str, Any]], tools: ClusterTools
) -> None:
    for stage in ("preprocess", "cluster", "map"):
        seen: list[float] = []
        space = input_space(texture(300))
        if stage == "preprocess":
            preprocess(space, parse_steps([{"method": "whitening"}, UMAP], loc=())[0], tools=tools, step=seen.append)
        elif stage == "map":
            coordinates(
                space, 2, tools=ClusterTools(arrays=tools.arrays, estimators=tools.estimators), step=seen.append
            )
        else:
            worked = preprocess(space, parse_steps(steps, loc=())[0], tools=tools)
            cluster(worked, parse_algorithm(method, {}, loc=())[0], tools=tools, step=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == pytest.approx(1)
        assert len(seen) >= 1
