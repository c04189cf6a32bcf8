"""Every algorithm beside its peer: processor time, memory beside what was stated, agreement, and how all of it grows.

`SHOAL_BENCH=small` takes 1,000 rows; else 5,000, and 20,000 and 50,000 where the algorithm is made for that. Peers take
part up to 5,000.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from benchmarks._clustering import Measured, Report, Vectors, measured, planted_vectors

SMALL = os.environ.get("SHOAL_BENCH") == "small"
GROUPS = 40
D = 256
PEER_ROWS = 5_000

# algorithm: what is given, the peer by name, and how many rows at most
CASES: dict[str, tuple[dict[str, Any], str | None, int]] = {
    "kmeans": ({"n_clusters": GROUPS}, "scikit-learn", 50_000),
    "dbscan": ({"eps": 0.75, "min_samples": 10}, "scikit-learn", 50_000),
    "hdbscan": ({"min_cluster_size": 20, "min_samples": 5}, "hdbscan", 50_000),
    "agglomerative": ({"n_clusters": GROUPS}, "scikit-learn", 20_000),
    "spectral": ({"n_clusters": GROUPS, "affinity": "nearest_neighbors"}, "scikit-learn", 20_000),
    "gaussian_mixture": ({"n_components": GROUPS, "covariance_type": "diag"}, "scikit-learn", 50_000),
    # scikit-learn's takes minutes at 1,000 such rows; the tests compare with it on a few hundred
    "mean_shift": ({"bandwidth": 0.8}, None, 20_000),
    "optics": ({}, "scikit-learn", 20_000),
    "leiden": ({}, "leidenalg", 50_000),
    "evoc": ({}, None, 20_000),
    "auto": ({}, None, 50_000),
}


def ours(vectors: Vectors, *, method: str, given: dict[str, Any]) -> Any:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.domain.clustering.algorithms import group
    from shoald.domain.clustering.parameters import parse_algorithm
    from shoald.domain.clustering.spaces import Space
    from shoald.domain.clustering.tools import ClusterTools

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    found = group(Space(vectors), parse_algorithm(method, given, loc=())[0], tools=tools)
    return found.labels, found.notes.get("quality")


def peer(vectors: Vectors, *, method: str, given: dict[str, Any]) -> Any:
    if method == "hdbscan":
        import hdbscan

        return hdbscan.HDBSCAN(**given, algorithm="generic").fit_predict(vectors.astype(np.float64)), None
    if method == "leiden":
        return _leidenalg(vectors)
    from sklearn import cluster, mixture

    classes = {
        "kmeans": lambda: cluster.KMeans(**given, n_init=10, random_state=42),
        "dbscan": lambda: cluster.DBSCAN(**given, n_jobs=-1),
        "agglomerative": lambda: cluster.AgglomerativeClustering(**given),
        "spectral": lambda: cluster.SpectralClustering(**given, random_state=42),
        "gaussian_mixture": lambda: mixture.GaussianMixture(**given, random_state=42),
        "optics": lambda: cluster.OPTICS(**given),
    }
    return classes[method]().fit_predict(vectors), None


def _leidenalg(vectors: Vectors) -> Any:
    """The same graph, so that the partitions' time is compared; its building is counted on both sides."""
    import igraph
    import leidenalg

    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.domain.clustering.methods.leiden import community_edges
    from shoald.domain.clustering.spaces import Space
    from shoald.domain.clustering.tools import ClusterTools, neighbours

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    edges = community_edges(neighbours(Space(vectors), 31, "cosine", tools=tools)).tocoo()
    graph = igraph.Graph(n=len(vectors), edges=np.column_stack([edges.row, edges.col]))
    kind = leidenalg.RBConfigurationVertexPartition
    found = leidenalg.find_partition(graph, kind, weights=edges.data, n_iterations=2, seed=42)
    return np.array(found.membership), graph.modularity(found, weights=edges.data)


def main() -> None:
    """Print the table and write it."""
    report = Report("clustering_algorithms", "The clustering algorithms")
    report.say(
        f"Unit rows of {D} dimensions, {GROUPS} planted groups, a tenth of noise. Seconds are processor seconds of all "
        "cores; ARI to the planted labels leaves noise out. For Leiden the last column is modularity."
    )
    columns = ("algorithm", "rows", "who", "cpu s", "of the peer's", "memory MiB", "stated MiB", "ARI to planted")
    report.head(*columns, "ARI to the peer, or modularity")
    for method, (given, name, most) in CASES.items():
        for n in (1_000,) if SMALL else (5_000, 20_000, 50_000):
            if n <= most:
                _compared(report, method, given, name, n)


def _compared(report: Report, method: str, given: dict[str, Any], name: str | None, n: int) -> None:
    file = planted_vectors(n, GROUPS, D)
    truth = np.load(file.with_suffix(".labels.npy"))
    base = measured(peer, file, method=method, given=given) if name and n <= PEER_ROWS else None
    mine = measured(ours, file, method=method, given=given)
    stated = _stated(method, given, n)
    ratio = mine.cpu / base.cpu if base else "-"
    report.row(method, n, "shoal", mine.cpu, ratio, mine.memory, stated, _to(mine, truth), _beside(mine, base))
    if base is not None:
        report.row(method, n, name, base.cpu, 1.0, base.memory, "-", _to(base, truth), base.value[1] or "-")


def _stated(method: str, given: dict[str, Any], n: int) -> float:
    from shoald.domain.clustering.algorithm_memory import peak_bytes
    from shoald.domain.clustering.parameters import parse_algorithm

    return peak_bytes(parse_algorithm(method, given, loc=())[0], n, D) / 2**20


def _to(one: Measured, truth: Any) -> float:
    from sklearn.metrics import adjusted_rand_score

    clear = truth >= 0
    return float(adjusted_rand_score(truth[clear], one.value[0][clear]))


def _beside(mine: Measured, base: Measured | None) -> Any:
    from sklearn.metrics import adjusted_rand_score

    if mine.value[1] is not None:
        return mine.value[1]
    return "-" if base is None else float(adjusted_rand_score(base.value[0], mine.value[0]))
