"""The layout beside umap-learn (seeded, cold and warm): seconds, trustworthiness, neighbours kept, and its growth."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, measured, planted_vectors, text_vectors
from benchmarks._large_layouts import SHAPES, compare


def ours(vectors: Vectors, *, dimensions: int, neighbours: int, distance: float) -> Vectors:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application.cluster_stages import ClusterTools, coordinates, input_space, preprocess
    from shoald.domain.clustering.parameters import UmapParameters

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    space = input_space(vectors)
    if distance:
        return coordinates(space, dimensions, tools=tools)
    shape = UmapParameters(n_components=dimensions, n_neighbors=neighbours, min_dist=distance)
    return preprocess(space, [shape], tools=tools).vectors


def umap_learn(vectors: Vectors, *, dimensions: int, neighbours: int, distance: float) -> Vectors:
    import umap

    shape: dict[str, Any] = {
        "n_components": dimensions,
        "n_neighbors": neighbours,
        "min_dist": distance,
        "metric": "cosine",
    }
    return np.asarray(umap.UMAP(**shape, random_state=42, n_jobs=1).fit_transform(vectors))


def main() -> None:
    """Print the tables and write them; with `--large` those of tens of thousands of texts instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="beside umap-learn at 10, 50 and 100 thousand rows")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 50_000, 100_000], help="with --large")
    parser.add_argument("--dimensions", type=int, nargs="+", default=list(SHAPES), choices=SHAPES, help="with --large")
    asked = parser.parse_args()
    if asked.large:
        compare(Report("clustering_layout", "Large UMAP layouts", "large"), asked.rows, asked.dimensions)
    else:
        _small()


def _small() -> None:
    from sklearn.manifold import trustworthiness

    report = Report("clustering_layout", "The UMAP layout")
    report.say(
        "The exact neighbour graph is included. umap-learn's cold call compiles; a warm one follows a fit of 4,500."
    )
    report.head("data", "dimensions", "method", "wall s", "cpu s", "memory MiB", "trustworthiness", "15 nearest kept")
    file = text_vectors()
    vectors = np.load(file)
    near = _nearest(vectors)
    for dimensions, neighbours, distance in ((2, 15, 0.1), (3, 15, 0.1), (10, 30, 0.0), (50, 30, 0.0)):
        given: dict[str, Any] = {"dimensions": dimensions, "neighbours": neighbours, "distance": distance}
        for name, work, warm in (("ours", ours, 1), ("umap-learn cold", umap_learn, 0), ("umap-learn", umap_learn, 1)):
            if work is umap_learn and dimensions not in {2, 10}:
                continue
            # its layout of more than 4,096 rows is compiled by a fit of so many only
            one = measured(work, file, warm=warm, warm_rows=4500 if work is umap_learn else 300, **given)
            trust = float(trustworthiness(vectors, one.value, n_neighbors=15, metric="cosine"))
            kept = float(np.mean([len(set(a) & set(b)) / 15 for a, b in zip(near, _nearest(one.value), strict=True)]))
            report.row(f"{len(vectors)} texts", dimensions, name, one.wall, one.cpu, one.memory, f"{trust:.4f}", kept)
    report.say("\nGrowth with the number of vectors (planted, 384 dimensions):")
    report.head("vectors", "dimensions", "wall s", "cpu s", "memory MiB")
    planted = planted_vectors(20_000, 100)
    for dimensions, neighbours, distance in ((2, 15, 0.1), (10, 30, 0.0)):
        given = {"dimensions": dimensions, "neighbours": neighbours, "distance": distance}
        for rows in (2500, 5000, 10_000, 20_000):
            one = measured(ours, planted, rows=rows, **given)
            report.row(rows, dimensions, one.wall, one.cpu, one.memory)


def _nearest(vectors: Vectors) -> Any:
    from sklearn.neighbors import NearestNeighbors

    metric = "cosine" if vectors.shape[1] > 100 else "euclidean"
    return NearestNeighbors(n_neighbors=16, metric=metric).fit(vectors).kneighbors(return_distance=False)[:, :15]
