"""How time and memory grow with the number of vectors: 10 k, 50 k, 100 k and 500 k, where a size is feasible.

A size is left out when the last one's time says that it would take longer than SHOAL_BENCH_SECONDS (60) of processor
time. The plots lie beside the table: `clustering_growth_time.svg` and `clustering_growth_memory.svg`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks._clustering import Report, Vectors, measured, planted_vectors
from benchmarks._plot import write_plot

ROWS = (10_000, 50_000, 100_000, 500_000)
D = 128
GROUPS = 40
LIMIT = float(os.environ.get("SHOAL_BENCH_SECONDS", "60"))
RESULTS = Path("benchmarks/results")

CASES: dict[str, dict[str, Any]] = {
    "kmeans": {"n_clusters": GROUPS},
    "gaussian_mixture": {"n_components": GROUPS, "covariance_type": "diag", "max_iter": 20},
    "agglomerative": {"n_clusters": GROUPS},
    "spectral": {"n_clusters": GROUPS},
    "leiden": {},
    "dbscan": {"eps": 0.7, "min_samples": 10},
    "hdbscan": {"min_cluster_size": 20, "min_samples": 5},
    "optics": {},
    "mean_shift": {"bandwidth": 0.8},
}


def grouped(vectors: Vectors, *, method: str) -> int:
    """Run one algorithm; return the number of groups."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.domain.clustering.algorithms import group
    from shoald.domain.clustering.parameters import parse_algorithm
    from shoald.domain.clustering.spaces import Space
    from shoald.domain.clustering.tools import ClusterTools

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    return group(Space(vectors), parse_algorithm(method, CASES[method], loc=())[0], tools=tools).count


def silhouettes(vectors: Vectors, *, method: str) -> int:  # noqa: ARG001 - called like the others
    """Measure all quality metrics of groups around the first rows."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.domain.clustering.assignment import nearest_centres
    from shoald.domain.clustering.centroids import group_centroids
    from shoald.domain.clustering.quality import quality_metrics

    backend = ArrayLibraries().get("numpy")
    labels = nearest_centres(vectors, vectors[:GROUPS], backend=backend)[0].astype("int32")
    quality_metrics(vectors, labels, group_centroids(vectors, labels, backend=backend), backend=backend)
    return GROUPS


def main() -> None:
    """Print the table, write it and draw it."""
    report = Report("clustering_growth", "How time and memory grow")
    report.say(
        f"{D} dimensions, {GROUPS} planted groups, a tenth of noise; memory is beside the vectors. A slope of 1 in the "
        "plots is linear growth, one of 2 quadratic.\n\n![time](clustering_growth_time.svg)\n"
        "![memory](clustering_growth_memory.svg)"
    )
    report.head("stage", "vectors", "wall s", "cpu s", "memory MiB", "groups")
    seconds: dict[str, list[tuple[float, float]]] = {}
    memory: dict[str, list[tuple[float, float]]] = {}
    for name in (*CASES, "quality metrics"):
        work = silhouettes if name == "quality metrics" else grouped
        _grow(report, name, work, seconds.setdefault(name, []), memory.setdefault(name, []))
        write_plot(RESULTS / "clustering_growth_time.svg", "Processor time", "vectors", "seconds", seconds)
        write_plot(RESULTS / "clustering_growth_memory.svg", "Memory beside the vectors", "vectors", "MiB", memory)


def _grow(
    report: Report, name: str, work: Any, seconds: list[tuple[float, float]], memory: list[tuple[float, float]]
) -> None:
    for n in ROWS:
        if seconds and seconds[-1][1] * (n / seconds[-1][0]) ** _power(seconds) > LIMIT:
            report.row(name, n, "-", "left out", "-", "-")
            return
        one = measured(work, planted_vectors(ROWS[-1], GROUPS, D), rows=n, method=name)
        report.row(name, n, one.wall, one.cpu, one.memory, one.value)
        seconds.append((n, one.cpu))
        memory.append((n, max(one.memory, 1.0)))


def _power(seconds: list[tuple[float, float]]) -> float:
    """Return how time has grown with the rows so far; 1.5 after a single size."""
    import math

    if len(seconds) == 1:
        return 1.5
    (n, then), (m, now) = seconds[-2:]
    return max(1.0, math.log(now / then) / math.log(m / n))
