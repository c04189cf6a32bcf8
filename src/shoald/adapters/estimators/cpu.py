"""The estimators of the processor: products in tiles for neighbours, the hdbscan library's trees, umap-learn for rare
metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.estimators.communities import leiden_pass
from shoald.adapters.estimators.nearest import nearest_rows
from shoald.adapters.estimators.pairwise import library_distances, library_similarities
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.estimators import EXACT_ON_PROCESSOR
from shoald.domain.clustering.parameters import OpticsParameters, SpectralParameters, TsneParameters, UmapParameters
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step
from shoald.domain.failures import Unsupported

FLAT = 3
"""Up to so many dimensions t-SNE has a tree; above, it compares all pairs."""
LEAF = 40
"""Rows in a leaf of the trees, the library's own default."""
MOST_DIMENSIONS = 60
"""Up to so many the library's class runs Borůvka's algorithm by itself, above them Prim's: their ties differ."""


class CpuEstimators:
    """`Estimators` on the processor."""

    name = "cpu"
    exact_operations = EXACT_ON_PROCESSOR

    def __init__(self, *, arrays: ArrayBackend) -> None:
        self._arrays = arrays

    def versions(self) -> dict[str, str]:
        """Return what is installed of faiss, hdbscan and umap-learn."""
        found = {}
        for package in ("numpy", "scipy", "scikit-learn", "faiss-cpu", "hdbscan", "umap-learn", "numba"):
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                continue
        return found

    def candidates(self, rows: Floats, vectors: Floats, k: int) -> npt.NDArray[np.int64]:
        """Multiply in tiles: a third of the time of FAISS's exhaustive search, whose selection costs more than that."""
        return nearest_rows(rows, vectors, k, backend=self._arrays)

    def spanning_tree(self, vectors: Floats, core: int, metric: str) -> Doubles:
        """Run the library's dual-tree Borůvka, exact form, in this thread."""
        from hdbscan._hdbscan_boruvka import BallTreeBoruvkaAlgorithm, KDTreeBoruvkaAlgorithm
        from sklearn.neighbors import BallTree, KDTree

        rows = vectors.astype(np.float64)
        if metric in KDTree.valid_metrics:
            tree, algorithm = KDTree(rows, metric=metric, leaf_size=LEAF), KDTreeBoruvkaAlgorithm
        elif metric in BallTree.valid_metrics:
            tree, algorithm = BallTree(rows, metric=metric, leaf_size=LEAF), BallTreeBoruvkaAlgorithm
        else:
            raise Unsupported(f"no spanning tree for the metric {metric!r}")
        search = algorithm(tree, core, metric=metric, leaf_size=LEAF // 3, n_jobs=1)
        return np.asarray(search.spanning_tree(), dtype=np.float64)

    def reference_tree(self, vectors: Floats, core: int, metric: str, alpha: float) -> Doubles:
        """Take the way that the library's class takes by itself, and sort as it does: NumPy's default order, which is
        not stable.
        """
        # its Borůvka knows no alpha
        few = vectors.shape[1] <= MOST_DIMENSIONS and alpha == 1
        edges = self.spanning_tree(vectors, core, metric) if few else _prims_tree(vectors, core, metric, alpha)
        return np.asarray(edges[np.argsort(edges.T[2])], dtype=np.float64)

    def library_of(self, parameters: UmapParameters | TsneParameters) -> str:
        """Return `umap-learn` or `scikit-learn`."""
        return "umap-learn" if isinstance(parameters, UmapParameters) else "scikit-learn"

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Run umap-learn, seeded and so in one thread; the first call of a process compiles for half a minute."""
        import umap

        step(0.0)
        reducer = umap.UMAP(
            n_components=parameters.n_components,
            n_neighbors=min(parameters.n_neighbors, len(vectors) - 1),
            min_dist=parameters.min_dist,
            metric=parameters.metric,
            random_state=parameters.random_state,
            n_jobs=1,
            init="pca" if parameters.n_components <= vectors.shape[1] else "random",
        )
        found = np.ascontiguousarray(reducer.fit_transform(vectors), dtype=np.float32)
        step(1.0)
        return found

    def tsne(self, vectors: Floats, parameters: TsneParameters, step: Step) -> Floats:
        """Run scikit-learn's t-SNE from principal components, in one thread, whose sums have a fixed order."""
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        step(0.0)
        few = parameters.n_components <= FLAT
        search = TSNE(
            n_components=parameters.n_components,
            perplexity=parameters.perplexity,
            learning_rate=parameters.learning_rate,
            random_state=parameters.random_state,
            method="barnes_hut" if few else "exact",
            init="pca" if parameters.n_components <= min(vectors.shape) else "random",
            n_jobs=1,
        )
        with threadpool_limits(1):
            found = np.ascontiguousarray(search.fit_transform(vectors), dtype=np.float32)
        step(1.0)
        return found

    def distances(
        self, vectors: Floats, metric: str, p: float, options: Mapping[str, Any]
    ) -> Callable[[Integers], Doubles]:
        """Ask scikit-learn's pairwise distances."""
        return library_distances(vectors, metric, p, options)

    def communities(  # noqa: PLR0913 - a graph is three arrays
        self,
        left: Integers,
        right: Integers,
        weights: Doubles,
        n: int,
        *,
        start: Integers | None,
        resolution: float,
        modularity: bool,
        seed: int,
    ) -> tuple[Integers, float]:
        """Run compiled loops of our own."""
        return leiden_pass(left, right, weights, n, start, resolution, modularity=modularity, seed=seed)

    def steep_areas(self, plot: Reachability, parameters: OpticsParameters, least: int) -> Integers:
        """Ask scikit-learn."""
        from sklearn.cluster import cluster_optics_xi

        labels, _ = cluster_optics_xi(
            reachability=plot.distances,
            predecessor=plot.predecessors,
            ordering=plot.ordering,
            min_samples=parameters.min_samples,
            min_cluster_size=least,
            xi=parameters.xi,
            predecessor_correction=parameters.predecessor_correction,
        )
        return np.asarray(labels, dtype=np.int64)

    def similarities(self, vectors: Floats, parameters: SpectralParameters) -> Callable[[Integers], Doubles]:
        """Ask scikit-learn's pairwise kernels."""
        return library_similarities(vectors, parameters)


def _prims_tree(vectors: Floats, core: int, metric: str, alpha: float) -> Doubles:
    """Run the library's Prim; its edges in the order in which they were found."""
    from hdbscan._hdbscan_linkage import mst_linkage_core_vector
    from hdbscan.dist_metrics import DistanceMetric
    from sklearn.neighbors import BallTree, KDTree

    rows = vectors.astype(np.float64)
    tree = (KDTree if metric in KDTree.valid_metrics else BallTree)(rows, metric=metric, leaf_size=LEAF)
    cores = tree.query(rows, k=core + 1, dualtree=True, breadth_first=True)[0][:, -1].copy()
    return np.asarray(mst_linkage_core_vector(rows, cores, DistanceMetric.get_metric(metric), alpha))
