"""The silhouette by cluster sums beside scikit-learn's by all pairs, and a whole run's stages on the demo's vectors."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, measured, planted_vectors, text_vectors

LARGE = 100_000


def ours(vectors: Vectors, *, k: int) -> float:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.domain.clustering.centroids import group_centroids
    from shoald.domain.clustering.quality import quality_metrics

    arrays, labels = ArrayLibraries().get("numpy"), _labels(vectors, k)
    centres = group_centroids(vectors, labels, backend=arrays)
    return float(quality_metrics(vectors, labels, centres, backend=arrays)["silhouette_score"])


def scikit_learn(vectors: Vectors, *, k: int) -> float:
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(vectors, _labels(vectors, k), metric="cosine"))


def stages(vectors: Vectors, *, dimensions: int) -> dict[str, float]:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application import cluster_stages as run
    from shoald.domain.clustering.parameters import HdbscanParameters, UmapParameters

    arrays = ArrayLibraries().get("numpy")
    tools = run.ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    took: dict[str, float] = {}
    at = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal at
        now = time.perf_counter()
        took[name], at = now - at, now

    space = run.input_space(vectors)
    run.neighbours(space, 30, "cosine", tools=tools)
    lap("neighbours")
    worked = run.preprocess(space, [UmapParameters(n_components=dimensions)], tools=tools)
    lap("umap")
    found = run.cluster(worked, HdbscanParameters(min_cluster_size=15, min_samples=5), tools=tools)
    lap("hdbscan")
    centres = run.centroids(space, found.labels, tools=tools)
    run.quality(space, found.labels, centres, tools=tools)
    lap("centroids and quality")
    run.coordinates(space, 2, tools=tools)
    lap("2-D map")
    run.coordinates(space, 3, tools=tools)
    lap("3-D map")
    return took | {"groups": found.count}


def _labels(vectors: Vectors, k: int) -> Any:
    return (vectors @ vectors[: min(k, len(vectors) // 4)].T).argmax(axis=1).astype(np.int32)


def main() -> None:
    """Print the tables and write them."""
    report = Report("clustering_quality", "Quality metrics, and the stages of a run")
    report.say("All metrics of the guide (ours) beside the exact cosine silhouette alone (scikit-learn), 100 groups.")
    report.head("vectors", "method", "wall s", "cpu s", "silhouette", "memory MiB")
    planted = planted_vectors(20_000, 100)
    for rows in (5000, 20_000):
        base = measured(scikit_learn, planted, rows=rows, k=100)
        for work, one in ((scikit_learn, base), (ours, measured(ours, planted, rows=rows, k=100))):
            report.row(rows, work.__name__, one.wall, one.cpu, f"{one.value:.5f}", one.memory)
    many, large = planted_vectors(LARGE, 100), (LARGE / 20_000) ** 2
    report.row(LARGE, "scikit_learn, scaled from 20000", base.wall * large, base.cpu * large, "-", "-")
    one = measured(ours, many, k=100)
    report.row(LARGE, "ours", one.wall, one.cpu, f"{one.value:.5f}", one.memory)
    report.say(f"\nAll metrics in 1/{base.cpu * large / one.cpu:.0f} of that time. Wanted: 1/100.")
    vectors = text_vectors()
    report.say(
        f"\nThe stages of a run on the demo's {len(np.load(vectors, mmap_mode='r'))} text vectors, wall seconds:"
    )
    report.head(
        "umap to", "neighbours", "umap", "hdbscan", "centroids and quality", "2-D map", "3-D map", "all", "groups"
    )
    for dimensions in (10, 50):
        took = measured(stages, vectors, dimensions=dimensions).value
        groups = took.pop("groups")
        report.row(dimensions, *took.values(), float(sum(took.values())), groups)
