"""What every implementation of the estimators promises."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from shoald.adapters.arrays import ArrayLibraries
from shoald.adapters.estimators import estimators_for
from shoald.adapters.estimators.gpu import GpuEstimators
from shoald.adapters.estimators.nearest import nearest_rows
from shoald.application import cluster_stages
from shoald.application.cluster_stages import ClusterTools, coordinates, input_space, preprocess
from shoald.application.ports.estimators import Estimators
from shoald.domain.clustering.neighbour_graph import neighbour_graph
from shoald.domain.clustering.parameters import TsneParameters, UmapParameters
from shoald.domain.clustering.spanning_tree import ordered_edges, spanning_tree
from shoald.domain.failures import MissingDependency, Unsupported
from support.fakes.cuda_libraries import CumlTsne, CumlUmap, install
from support.strict_arrays import StrictArrays
from support.vectors import planted, texture

NUMPY = ArrayLibraries().get("numpy")


@pytest.fixture(params=["numpy", "made-up device", pytest.param("cupy", marks=pytest.mark.gpu)])
def estimators(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Estimators:
    if request.param == "made-up device":
        install(monkeypatch)
        return GpuEstimators(arrays=StrictArrays())
    try:
        return estimators_for(ArrayLibraries().get(request.param))
    except MissingDependency as missing:
        pytest.skip(missing.message)


def test_candidates_hold_the_nearest(estimators: Estimators) -> None:
    vectors = texture(400)
    apart = np.square(vectors[:50, None] - vectors[None]).sum(axis=2)
    found = np.sort(np.take_along_axis(apart, estimators.candidates(vectors[:50], vectors, 9), axis=1), axis=1)
    np.testing.assert_allclose(found, np.sort(apart, axis=1)[:, :9], atol=1e-5)


@pytest.mark.parametrize("n", [5, 300, 2500])
def test_few_rows_and_many_copies_have_their_candidates(n: int, estimators: Estimators) -> None:
    vectors = np.concatenate([texture(n, 12), np.repeat(texture(1, 12, seed=1), n, axis=0)])
    k = min(7, len(vectors))
    found = estimators.candidates(vectors[:: max(1, n // 40)], vectors, k)
    apart = np.square(vectors[:: max(1, n // 40), None] - vectors[None]).sum(axis=2)
    assert all(len(set(row)) == k for row in found.tolist())
    near = np.sort(np.take_along_axis(apart, found, axis=1), axis=1)
    np.testing.assert_allclose(near, np.sort(apart, axis=1)[:, :k], atol=1e-5)


def test_many_copies_take_no_more_memory_than_other_rows() -> None:
    """A limit that every copy passes lists them all for each row of a tile: here 260 MB."""
    vectors = np.repeat(texture(1, 8), 20_000, axis=0)
    nearest_rows(vectors[:20], vectors, 9, backend=NUMPY)
    tracemalloc.start()
    try:
        found = nearest_rows(vectors[:256], vectors, 9, backend=NUMPY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.shape == (256, 9)
    assert peak < 60 * 2**20


def test_a_small_map_gets_more_epochs_than_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    tools = ClusterTools(arrays=NUMPY, estimators=estimators_for(NUMPY))
    monkeypatch.setattr(cluster_stages, "SMALL_MAP", 40)
    for rows, epochs in ((40, cluster_stages.EPOCHS_OF_A_SMALL_MAP), (41, cluster_stages.MAP_EPOCHS)):
        seen.clear()
        coordinates(input_space(texture(rows, 8)), 2, tools=tools, step=seen.append)
        assert sum(done > 0.3 for done in seen) == epochs


@pytest.mark.parametrize("core", [1, 5, 20])
def test_the_tree_of_few_dimensions_weighs_what_the_products_tree_does(estimators: Estimators, core: int) -> None:
    vectors = planted(500, 6, 10, noise=0.2)[0]
    listed = neighbour_graph(vectors, 21, "euclidean", candidates=estimators.candidates)
    exact = spanning_tree(vectors, listed, core, 1.0, backend=NUMPY).edges
    found = ordered_edges(estimators.spanning_tree(vectors, core, "euclidean"))
    np.testing.assert_allclose(found[:, 2], exact[:, 2], rtol=0, atol=1e-9)


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "canberra", "braycurtis"])
def test_other_metrics_have_trees(estimators: Estimators, metric: str) -> None:
    edges = estimators.spanning_tree(np.abs(texture(100)) + np.float32(0.1), 3, metric)
    assert edges.shape == (99, 3)
    assert np.isfinite(edges).all()


def test_an_unknown_metric_is_refused(estimators: Estimators) -> None:
    with pytest.raises(Unsupported, match="haversines"):
        estimators.spanning_tree(texture(10), 3, "haversines")


def test_versions_name_what_computes(estimators: Estimators) -> None:
    assert {"numpy", "hdbscan"} <= set(estimators.versions())


@pytest.mark.parametrize(
    ("given", "library"),
    [
        (UmapParameters(metric="manhattan"), "cuml"),
        (UmapParameters(metric="braycurtis"), "umap-learn"),
        (TsneParameters(), "cuml"),
        (TsneParameters(n_components=3), "scikit-learn"),
    ],
)
def test_a_device_library_is_asked_for_what_it_has_and_nothing_moves_before(
    given: UmapParameters | TsneParameters, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    assert GpuEstimators(arrays=StrictArrays()).library_of(given) == library
    monkeypatch.setitem(sys.modules, "cuml.manifold", None)
    assert GpuEstimators(arrays=StrictArrays()).library_of(given) == estimators_for(NUMPY).library_of(given)


def test_t_sne_runs_where_the_step_says(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    device = GpuEstimators(arrays=StrictArrays())
    tools = ClusterTools(arrays=NUMPY, estimators=device)
    step = TsneParameters(perplexity=8)
    found = preprocess(input_space(texture(60)), [step], tools=tools)
    assert found.steps[0]["implementation"] == "cuml"
    assert found.vectors.shape == (60, 2)
    assert [one["perplexity"] for one in CumlTsne.made] == [8.0]
    assert {"cuml", "cupy", "faiss-gpu"} <= set(device.versions())
    solid = preprocess(input_space(texture(30)), [TsneParameters(n_components=3, perplexity=4)], tools=tools)
    assert (solid.steps[0]["implementation"], solid.vectors.shape) == ("scikit-learn", (30, 3))
    assert len(CumlTsne.made) == 1
    assert CumlUmap.made == []


@pytest.mark.parametrize(("devices", "asked"), [(1, 1), (0, 0)])
def test_neighbours_are_found_on_a_device_where_faiss_counts_one(
    monkeypatch: pytest.MonkeyPatch, devices: int, asked: int
) -> None:
    faiss = install(monkeypatch)
    faiss.get_num_gpus = lambda: devices
    vectors = texture(600)
    graph = neighbour_graph(vectors, 9, "cosine", candidates=GpuEstimators(arrays=StrictArrays()).candidates)
    known = neighbour_graph(vectors, 9, "cosine", candidates=estimators_for(NUMPY).candidates)
    np.testing.assert_array_equal(graph.ids, known.ids)
    assert faiss.asked == asked


def test_no_numba_is_loaded_for_our_own_layout() -> None:
    tools = ClusterTools(arrays=NUMPY, estimators=estimators_for(NUMPY))
    loaded = "numba" in sys.modules
    preprocess(input_space(texture(100)), [UmapParameters(n_components=3)], tools=tools)
    assert ("numba" in sys.modules) == loaded


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_our_layout_is_as_trustworthy_as_umap_learns(estimators: Estimators) -> None:
    vectors = input_space(texture(2000)).vectors
    tools = ClusterTools(arrays=NUMPY, estimators=estimators)
    shape = UmapParameters(n_components=2, n_neighbors=15, min_dist=0.1)
    theirs = estimators.umap(vectors, shape, lambda _: None)
    ours = coordinates(input_space(vectors), 2, tools=tools)
    scores = [trustworthiness(vectors, at, n_neighbors=15, metric="cosine") for at in (ours, theirs)]
    assert scores[0] >= scores[1] - 0.01


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_only_the_library_has(estimators: Estimators) -> None:
    tools = ClusterTools(arrays=NUMPY, estimators=estimators)
    found = preprocess(input_space(texture(200)), [UmapParameters(n_components=3, metric="correlation")], tools=tools)
    assert found.vectors.shape == (200, 3)
    has_cuml = "cuml" in estimators.versions()
    assert found.steps[0]["implementation"] == ("cuml" if has_cuml else "umap-learn")
