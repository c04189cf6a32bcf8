"""Every algorithm beside a library's on the same input: equal where the method is exact, with a number where it is not.

Digits, planted groups with noise in 2, 50 and 384 dimensions, and real sentences by the bundled model; few rows, since
the libraries are slow.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import hdbscan
import igraph
import leidenalg
import numpy as np
import pytest
from sklearn.cluster import DBSCAN, OPTICS, AgglomerativeClustering, KMeans, MeanShift, SpectralClustering
from sklearn.cluster import estimate_bandwidth as library_bandwidth
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, pairwise_distances
from sklearn.mixture import GaussianMixture

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.methods.leiden import community_edges
from shoald.domain.clustering.methods.optics import reachability_plot
from shoald.domain.clustering.parameters import OpticsParameters, parse_algorithm
from shoald.domain.clustering.spaces import Doubles, Floats, Grouping, Integers, Space, no_step
from shoald.domain.clustering.tools import ClusterTools, neighbours
from support.texts import text_vectors
from support.vectors import planted, texture

ARRAYS = NumpyArrays()
TOOLS = ClusterTools(arrays=ARRAYS, estimators=CpuEstimators(arrays=ARRAYS))
DATA = ["2", "50", "384", "digits", "text"]


@cache
def data(name: str) -> tuple[Floats, Integers]:
    """Return vectors and the labels they were made with."""
    if name == "digits":
        rows, labels = load_digits(return_X_y=True)
        return (rows[:1000] / 16).astype(np.float32), labels[:1000]
    if name == "text":
        return text_vectors()
    if name == "2":
        random = np.random.default_rng(0)
        labels = random.integers(0, 8, 900)
        rows = (random.normal(size=(8, 2)) * 8)[labels] + random.normal(size=(900, 2)) * 0.4
        return rows.astype(np.float32), labels
    return planted(900, 8, int(name), noise=0.1)


def found(method: str, vectors: Floats, **given: Any) -> Grouping:
    return group(Space(vectors), parse_algorithm(method, given, loc=())[0], tools=TOOLS)


def exact(vectors: Floats) -> Doubles:
    return vectors.astype(np.float64)


def same_partition(ours: Any, theirs: Any) -> bool:
    """Equal up to numbers, noise being noise in both."""
    pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
    one_to_one = len(pairs) == len(set(ours.tolist())) == len(set(theirs.tolist()))
    return one_to_one and bool(((ours < 0) == (theirs < 0)).all())


def typical_distance(vectors: Floats, metric: str, p: float) -> float:
    """Return the median distance to the fifth nearest other row, where about half of the rows are core rows."""
    options = {"p": p} if metric == "minkowski" else {}
    return float(np.median(np.sort(pairwise_distances(exact(vectors), metric=metric, **options), axis=1)[:, 5]))


@pytest.mark.parametrize(
    ("metric", "p", "eps"), [("euclidean", 2, 0.35), ("cosine", 2, 0.06), ("manhattan", 2, 1.5), ("minkowski", 3, 0.2)]
)
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("kept", [10**7, 0])
def test_dbscan_is_scikit_learns_whether_pairs_are_kept_or_made_again(
    name: str, metric: str, p: float, eps: float, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoald.domain.clustering.methods.dbscan.KEPT_PAIRS", kept)
    vectors = data(name)[0][: 100 if metric == "minkowski" else 600]
    if name == "text":
        eps = typical_distance(vectors, metric, p)
    ours = found("dbscan", vectors, eps=eps, min_samples=6, metric=metric, p=p)
    theirs = DBSCAN(eps=eps, min_samples=6, metric=metric, p=p).fit(exact(vectors))
    assert same_partition(ours.labels, theirs.labels_)
    assert ours.notes["core_rows"] == len(theirs.core_sample_indices_)


@pytest.mark.filterwarnings("ignore:All reachability values are inf")
@pytest.mark.parametrize("given", [{}, {"min_samples": 8}, {"metric": "manhattan"}, {"max_eps": 0.4}])
@pytest.mark.parametrize("name", DATA)
def test_optics_visits_rows_in_scikit_learns_order(name: str, given: dict[str, Any]) -> None:
    # its trees measure row by row, as we do; its brute force adds rounding that reorders rows at equal distances
    vectors = data(name)[0][:250]
    limit = given.get("max_eps", np.inf)
    plot = reachability_plot(Space(vectors), OpticsParameters(**given), limit, TOOLS, no_step)
    theirs = OPTICS(**{"min_samples": 5, **given}, algorithm="kd_tree").fit(exact(vectors))
    np.testing.assert_array_equal(plot.ordering, theirs.ordering_)
    np.testing.assert_array_equal(plot.predecessors, theirs.predecessor_)
    np.testing.assert_allclose(plot.distances, theirs.reachability_, rtol=0, atol=1e-12)
    ours = found("optics", vectors, **given)
    assert same_partition(ours.labels, theirs.labels_)


def test_optics_scans_when_lists_prove_nothing_and_the_order_stays() -> None:
    # lists of a row and its nearest only: nearly every step must be proven by a scan
    vectors = texture(300, 16)
    space = Space(vectors)
    plot = reachability_plot(space, OpticsParameters(min_samples=2), np.inf, TOOLS, no_step)
    theirs = OPTICS(min_samples=2, algorithm="kd_tree").fit(exact(vectors))
    np.testing.assert_array_equal(plot.ordering, theirs.ordering_)


@pytest.mark.parametrize("eps", [0.2, 0.4])
def test_optics_cut_at_a_distance_is_scikit_learns(eps: float) -> None:
    vectors = data("50")[0][:250]
    ours = found("optics", vectors, cluster_method="dbscan", eps=eps)
    theirs = OPTICS(min_samples=5, cluster_method="dbscan", eps=eps, algorithm="kd_tree").fit_predict(exact(vectors))
    assert same_partition(ours.labels, theirs)


@pytest.mark.parametrize("affinity", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("linkage", ["ward", "complete", "average", "single"])
@pytest.mark.parametrize("name", DATA)
def test_agglomeration_is_scikit_learns(name: str, linkage: str, affinity: str) -> None:
    if linkage == "ward" and affinity != "euclidean":
        return
    vectors = data(name)[0][:300]
    # pixels of sixteen grey values lie at equal distances, and ties are broken by another order
    vectors = vectors + np.random.default_rng(0).normal(scale=1e-3, size=vectors.shape).astype(np.float32)
    ours = found("agglomerative", vectors, n_clusters=20, linkage=linkage, affinity=affinity)
    theirs = AgglomerativeClustering(20, linkage=linkage, metric=affinity).fit_predict(exact(vectors))
    assert adjusted_rand_score(ours.labels, theirs) == 1.0


@pytest.mark.parametrize("linkage", ["ward", "average", "single"])
def test_a_distance_threshold_leaves_as_many_groups_as_scikit_learns(linkage: str) -> None:
    vectors = data("50")[0][:400]
    ours = found("agglomerative", vectors, distance_threshold=0.6, linkage=linkage, n_clusters=3)
    theirs = AgglomerativeClustering(None, distance_threshold=0.6, linkage=linkage).fit_predict(exact(vectors))
    assert adjusted_rand_score(ours.labels, theirs) == 1.0
    assert ours.effective["n_clusters"] is None


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("name", ["2", "50", "384"])
def test_a_mixture_from_kmeans_is_scikit_learns(name: str, kind: str) -> None:
    vectors, labels = data(name)
    # a covariance of 384 columns costs seconds a step for each of many groups
    rows, groups = (150, 3) if name == "384" else (450, 8)
    vectors = vectors[(labels >= 0) & (labels < groups)][:rows]
    given = {"n_components": groups, "covariance_type": kind, "reg_covar": 1e-4}
    ours = found("gaussian_mixture", vectors, **given)
    start = KMeans(groups, n_init=3, random_state=0).fit_predict(exact(vectors))
    means = np.stack([exact(vectors)[start == at].mean(axis=0) for at in range(groups)])
    theirs = GaussianMixture(**given, means_init=means, random_state=0).fit(exact(vectors))
    assert adjusted_rand_score(ours.labels, theirs.predict(exact(vectors))) >= 0.99
    assert ours.notes["log_likelihood"] >= theirs.lower_bound_ - 1e-3 * abs(theirs.lower_bound_)


@pytest.mark.parametrize("name", ["digits", "text"])
@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_a_mixture_of_real_vectors_is_as_likely_as_scikit_learns(name: str, kind: str) -> None:
    # k-means begins elsewhere, and from there another optimum is near
    vectors = data(name)[0][:240]
    given = {"n_components": 6, "covariance_type": kind, "reg_covar": 1e-3}
    ours = found("gaussian_mixture", vectors, **given)
    theirs = GaussianMixture(**given, random_state=0).fit(exact(vectors)).lower_bound_
    assert ours.notes["log_likelihood"] >= theirs - 0.02 * abs(theirs)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_mixture_from_given_values_goes_scikit_learns_way_step_by_step(kind: str) -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(300, 3)).astype(np.float32)
    shape = {
        "full": np.stack([np.eye(3) * 2] * 4),
        "tied": np.eye(3) * 2,
        "diag": np.full((4, 3), 2.0),
        "spherical": np.full(4, 2.0),
    }[kind]
    given = {
        "n_components": 4,
        "covariance_type": kind,
        "max_iter": 5,
        "tol": 1e-12,
        "weights_init": [0.1, 0.2, 0.3, 0.4],
        "means_init": vectors[:4].tolist(),
        "precisions_init": shape.tolist(),
    }
    ours = found("gaussian_mixture", vectors, **given)
    model = GaussianMixture(
        **{**given, "weights_init": np.array(given["weights_init"]), "precisions_init": shape}, random_state=0
    )
    with pytest.warns(match="did not converge"):
        theirs = model.fit(exact(vectors))
    assert ours.notes["log_likelihood"] == pytest.approx(theirs.lower_bound_, rel=1e-8)
    assert same_partition(ours.labels, theirs.predict(exact(vectors)))
    np.testing.assert_allclose(ours.probabilities, theirs.predict_proba(exact(vectors)).max(axis=1), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize("given", [{}, {"affinity": "nearest_neighbors"}, {"affinity": "laplacian"}])
@pytest.mark.parametrize("name", DATA)
def test_spectral_groups_are_scikit_learns_or_as_good(name: str, given: dict[str, Any]) -> None:
    # where the cut is clear both agree; where it is not, k-means in the same places ends in another optimum
    vectors, truth = data(name)[0][:500], data(name)[1][:500]
    ours = found("spectral", vectors, n_clusters=8, **given)
    theirs = SpectralClustering(8, random_state=42, **given).fit_predict(exact(vectors))
    agreement = adjusted_rand_score(ours.labels, theirs)
    assert agreement >= 0.95 or adjusted_rand_score(ours.labels, truth) >= adjusted_rand_score(theirs, truth) - 0.02


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize("name", DATA)
def test_spectral_groups_by_rotation_are_as_good_as_scikit_learns(name: str) -> None:
    vectors, truth = data(name)
    given = {"affinity": "nearest_neighbors", "assign_labels": "discretize", "n_neighbors": 12}
    ours = found("spectral", vectors, n_clusters=8, **given)
    theirs = SpectralClustering(8, random_state=42, **given).fit_predict(exact(vectors))
    agreement = adjusted_rand_score(ours.labels, theirs)
    assert agreement >= 0.95 or adjusted_rand_score(ours.labels, truth) >= adjusted_rand_score(theirs, truth) - 0.1


@pytest.mark.parametrize("bin_seeding", [False, True])
@pytest.mark.parametrize("cluster_all", [False, True])
def test_mean_shift_is_scikit_learns(cluster_all: bool, bin_seeding: bool) -> None:  # noqa: FBT001
    vectors = data("2")[0][:300]
    given = {"bin_seeding": bin_seeding, "cluster_all": cluster_all}
    ours = found("mean_shift", vectors, **given)
    width = library_bandwidth(exact(vectors), quantile=0.1)
    theirs = MeanShift(bandwidth=width, **given).fit_predict(exact(vectors))
    assert ours.effective["bandwidth"] == pytest.approx(width)
    assert adjusted_rand_score(ours.labels, theirs) >= 0.99
    assert ((ours.labels < 0) == (theirs < 0)).all()


@pytest.mark.parametrize(
    ("name", "bandwidth"),
    [
        ("50", 0.5),
        ("text", 1.1),
        # scikit-learn takes most of a minute for them
        *(pytest.param(name, width, marks=pytest.mark.nightly) for name, width in (("384", 0.5), ("digits", 2.2))),
    ],
)
def test_mean_shift_in_many_dimensions_is_scikit_learns(name: str, bandwidth: float) -> None:
    vectors = data(name)[0][:80]
    ours = found("mean_shift", vectors, bandwidth=bandwidth)
    theirs = MeanShift(bandwidth=bandwidth).fit_predict(exact(vectors))
    assert adjusted_rand_score(ours.labels, theirs) >= 0.99


@pytest.mark.parametrize("resolution", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("name", ["texture", "50", "384", "digits", "text"])
def test_leiden_reaches_leidenalgs_modularity(name: str, resolution: float) -> None:
    vectors = texture(1000) if name == "texture" else data(name)[0]
    graph, weights = _graph(vectors)
    ours = found("leiden", vectors, resolution=resolution)
    kind = leidenalg.RBConfigurationVertexPartition
    given = {"weights": weights, "resolution_parameter": resolution}
    theirs = leidenalg.find_partition(graph, kind, n_iterations=2, seed=1, **given).quality()
    assert kind(graph, initial_membership=ours.labels.tolist(), **given).quality() >= 0.995 * theirs


@pytest.mark.parametrize("name", ["2", "50", "digits"])
def test_leiden_by_euclidean_distances_reaches_leidenalgs_modularity(name: str) -> None:
    vectors = data(name)[0]
    graph, weights = _graph(vectors, "euclidean")
    ours = found("leiden", vectors, metric="euclidean")
    kind = leidenalg.RBConfigurationVertexPartition
    theirs = leidenalg.find_partition(graph, kind, n_iterations=2, seed=1, weights=weights).quality()
    assert kind(graph, initial_membership=ours.labels.tolist(), weights=weights).quality() >= 0.995 * theirs


@pytest.mark.parametrize("resolution", [0.02, 0.1])
@pytest.mark.parametrize("name", ["texture", "50", "text"])
def test_leiden_comes_near_leidenalgs_quality_in_the_potts_model(name: str, resolution: float) -> None:
    vectors = texture(1000) if name == "texture" else data(name)[0]
    graph, weights = _graph(vectors)
    ours = found("leiden", vectors, resolution=resolution, objective_function="CPM")
    given = {"weights": weights, "resolution_parameter": resolution}
    kind = leidenalg.CPMVertexPartition
    theirs = leidenalg.find_partition(graph, kind, n_iterations=2, seed=1, **given).quality()
    assert kind(graph, initial_membership=ours.labels.tolist(), **given).quality() >= 0.995 * theirs


def _graph(vectors: Floats, metric: str = "cosine") -> tuple[Any, list[float]]:
    edges = community_edges(neighbours(Space(vectors), 31, metric, tools=TOOLS)).tocoo()
    return igraph.Graph(n=len(vectors), edges=np.column_stack([edges.row, edges.col]).tolist()), edges.data.tolist()


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan", "correlation", "sqeuclidean"])
@pytest.mark.parametrize("name", ["2", "50", "384"])
def test_hdbscan_finds_the_librarys_groups(name: str, metric: str) -> None:
    vectors = data(name)[0][:500]
    if name == "2" and metric in {"cosine", "correlation"}:
        return  # angles of points in a plane: everything ties
    ours = found("hdbscan", vectors, min_cluster_size=15, min_samples=5, metric=metric)
    # the library has no cosine of its own; half the squared distance of unit rows is one
    rows = exact(vectors)
    table = {"cosine": lambda: 1 - rows @ rows.T}.get(metric)
    model = hdbscan.HDBSCAN(15, min_samples=5, algorithm="generic", metric="precomputed" if table else metric)
    theirs = model.fit_predict(np.maximum(table(), 0) if table else rows)
    assert adjusted_rand_score(ours.labels, theirs) >= 0.99


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "canberra", "braycurtis"])
@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize("tied", [True, False])
def test_labels_are_the_librarys_when_asked_for(metric: str, selection: str, tied: bool) -> None:  # noqa: FBT001
    random = np.random.default_rng(3)
    # whole numbers: nearly every edge of the tree has the weight of another
    rows: Any = np.unique(random.integers(1, 9, size=(400, 3)), axis=0) if tied else random.random((300, 4)) + 0.1
    vectors = rows.astype(np.float32)
    given = {"min_cluster_size": 4, "min_samples": 3, "metric": metric, "cluster_selection_method": selection}
    ours = found("hdbscan", vectors, **given, match_reference_implementation=True)
    model = hdbscan.HDBSCAN(**given, match_reference_implementation=True)
    assert same_partition(ours.labels, model.fit_predict(exact(vectors)))
    assert ours.notes["spanning_tree"] == "reference"


@pytest.mark.parametrize("metric", ["manhattan", "canberra"])
def test_labels_are_those_of_the_librarys_prim_where_distances_are_scaled(metric: str) -> None:
    # the library's class leaves alpha out in so few dimensions
    vectors = (np.random.default_rng(3).random((300, 4)) + 0.1).astype(np.float32)
    given = {"min_cluster_size": 4, "min_samples": 3, "metric": metric, "alpha": 0.7}
    ours = found("hdbscan", vectors, **given, match_reference_implementation=True)
    tree = "prims_kdtree" if metric == "manhattan" else "prims_balltree"
    model = hdbscan.HDBSCAN(**given, algorithm=tree, match_reference_implementation=True)
    assert same_partition(ours.labels, model.fit_predict(exact(vectors)))


@pytest.mark.parametrize("name", ["digits", "text"])
def test_hdbscan_on_real_vectors_is_the_librarys_when_asked_for(name: str) -> None:
    # elsewhere ties decide: many edges of real vectors weigh what a core distance weighs
    vectors = data(name)[0][:400]
    given = {"min_cluster_size": 4, "min_samples": 3, "cluster_selection_method": "leaf"}
    ours = found("hdbscan", vectors, **given, match_reference_implementation=True)
    model = hdbscan.HDBSCAN(**given, match_reference_implementation=True)
    assert same_partition(ours.labels, model.fit_predict(exact(vectors)))
    assert ours.count > 1


@pytest.mark.parametrize("name", DATA)
def test_kmeans_is_as_tight_as_ten_restarts_of_scikit_learns(name: str) -> None:
    vectors = data(name)[0][:500]
    ours = found("kmeans", vectors, n_clusters=12, random_state=0)
    assert ours.notes["inertia"] <= 1.005 * KMeans(12, n_init=10, random_state=0).fit(vectors).inertia_


@pytest.mark.parametrize("method", ["evoc", "auto"])
def test_real_sentences_group_by_what_they_are_about(method: str) -> None:
    # no reference: sentences of one module lie together more often than those of random groups of the same sizes
    vectors, modules = text_vectors()
    ours = found(method, vectors).labels
    inside = ours >= 0
    assert inside.mean() >= 0.5
    assert adjusted_mutual_info_score(modules[inside], ours[inside]) >= 0.3


@pytest.mark.parametrize(("name", "least"), [("50", 0.95), ("384", 0.95), ("digits", 0.7)])
@pytest.mark.parametrize("method", ["evoc", "auto"])
def test_what_has_no_reference_finds_what_was_planted(method: str, name: str, least: float) -> None:
    vectors, truth = data(name)
    ours = found(method, vectors)
    clear = truth >= 0
    assert adjusted_rand_score(ours.labels[clear], truth[clear]) >= least


def test_what_has_no_reference_finds_what_was_planted_in_a_plane() -> None:
    vectors, truth = data("2")
    assert adjusted_rand_score(found("auto", vectors).labels, truth) >= 0.95
    # evoc goes by angles
    angles = truth * np.pi / 4 + np.random.default_rng(1).normal(scale=0.04, size=len(truth))
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert adjusted_rand_score(found("evoc", rays).labels, truth) >= 0.95


@pytest.mark.nightly
@pytest.mark.parametrize("d", [2, 50, 384])
def test_more_rows_agree_with_references_too(d: int) -> None:
    vectors, _ = planted(4000, 20, d, noise=0.1)
    rows = exact(vectors)
    eps = typical_distance(vectors[::8], "euclidean", 2)
    ours = found("dbscan", vectors, eps=eps, min_samples=6)
    assert same_partition(ours.labels, DBSCAN(eps=eps, min_samples=6).fit_predict(rows))
    ours = found("agglomerative", vectors, n_clusters=40, linkage="average", affinity="cosine")
    theirs = AgglomerativeClustering(40, linkage="average", metric="cosine").fit_predict(rows)
    assert adjusted_rand_score(ours.labels, theirs) == 1.0
    ours = found("hdbscan", vectors, min_cluster_size=30, min_samples=5)
    known = hdbscan.HDBSCAN(30, min_samples=5, algorithm="generic").fit_predict(rows)
    assert adjusted_rand_score(ours.labels, known) >= 0.99
    ours = found("kmeans", vectors, n_clusters=40)
    assert ours.notes["inertia"] <= 1.005 * KMeans(40, n_init=10, random_state=0).fit(vectors).inertia_


@pytest.mark.nightly
@pytest.mark.parametrize(
    "vectors", [planted(2000, 12, 50, noise=0.1)[0], texture(2000, 16)], ids=["planted", "texture"]
)
def test_optics_visits_two_thousand_rows_in_scikit_learns_order(vectors: Floats) -> None:
    plot = reachability_plot(Space(vectors), OpticsParameters(), np.inf, TOOLS, no_step)
    theirs = OPTICS(min_samples=5, algorithm="kd_tree").fit(exact(vectors))
    np.testing.assert_array_equal(plot.ordering, theirs.ordering_)
    np.testing.assert_allclose(plot.distances, theirs.reachability_, rtol=0, atol=1e-12)
