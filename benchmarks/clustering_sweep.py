"""A sweep of fifty HDBSCAN settings beside runs: on one neighbour graph, one reduction and few trees.

`SHOAL_BENCH_ROWS` sets the number of points; unset: 50,000.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, measured, planted_vectors

ROWS = 50_000
SIZES = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150)
SAMPLES = (3, 5, 10, 15, 20)
REDUCED = 10


def _space(vectors: Vectors) -> tuple[Any, Any]:
    """Return the reduced space and the tools that know its graph."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application.cluster_stages import ClusterTools, preprocess
    from shoald.domain.clustering.parameters import UmapParameters
    from shoald.domain.clustering.spaces import Space

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    return preprocess(Space(vectors), [UmapParameters(n_components=REDUCED)], tools=tools), tools


def _figures(space: Any, size: int, sample: int, tools: Any) -> tuple[int, float]:
    from shoald.application import cluster_stages as stages
    from shoald.domain.clustering.parameters import HdbscanParameters

    found = stages.cluster(space, HdbscanParameters(min_cluster_size=size, min_samples=sample), tools=tools)
    centres = stages.centroids(space, found.labels, tools=tools)
    stages.quality(space, found.labels, centres, tools=tools)
    return found.count, float((found.labels < 0).mean())


def one_run(vectors: Vectors) -> tuple[int, float]:
    """Reduce, group and measure once."""
    space, tools = _space(vectors)
    return _figures(space, 15, 5, tools)


def sweep(vectors: Vectors) -> tuple[int, float]:
    """Reduce once, group and measure under every setting; the last one's figures."""
    space, tools = _space(vectors)
    tools = replace(tools, trees={})
    found = (0, 0.0)
    for sample in SAMPLES:
        for size in SIZES:
            found = _figures(space, size, sample, tools)
    return found


def main() -> None:
    """Print the table and write it."""
    rows = int(os.environ.get("SHOAL_BENCH_ROWS", ROWS))
    report = Report("clustering_sweep", f"{len(SIZES) * len(SAMPLES)} settings of HDBSCAN beside one run")
    report.say(
        f"{rows} planted points of 384 dimensions, umap to {REDUCED}, without stability. The bound is three runs."
    )
    report.head("work", "wall s", "cpu s", "memory MiB", "groups", "noise", "runs")
    file = planted_vectors(rows, 100)
    run = measured(one_run, file)
    all_of_them = measured(sweep, file)
    for name, one in (("one run", run), ("fifty settings", all_of_them)):
        groups, noise = one.value
        report.row(name, one.wall, one.cpu, one.memory, groups, noise, float(np.round(one.cpu / run.cpu, 2)))
