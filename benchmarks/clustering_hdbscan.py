"""HDBSCAN beside the hdbscan library's default and scikit-learn's brute force, and how the cost grows.

`--large` compares 10,000 paragraphs alone, `--many` takes ours to 100,000 vectors of 256 dimensions.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks._clustering import Report, Vectors, measured, package_vectors, planted_vectors, text_vectors

_BRUTE_UP_TO = {"texts": 5000, "planted": 5000, "package texts": 10_000}


def ours(vectors: Vectors) -> tuple[Any, Any]:
    """Return the labels, and how the processor's time was shared between the neighbours and the tree over them."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application.cluster_stages import ClusterTools, cluster, neighbours
    from shoald.domain.clustering.parameters import HdbscanParameters
    from shoald.domain.clustering.spaces import Space

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    began = time.process_time()
    neighbours(Space(vectors), 16, "euclidean", tools=tools)
    graph = time.process_time() - began
    found = cluster(Space(vectors), HdbscanParameters(min_cluster_size=15, min_samples=5), tools=tools)
    rest = time.process_time() - began - graph
    scanned, joined = found.notes["rows_scanned"], found.notes["pieces_joined"]
    return found.labels, f"{graph:.2f} s and {rest:.2f} s ({scanned} rows scanned, {joined} pieces joined)"


def scikit_learn_brute(vectors: Vectors) -> tuple[Any, Any]:
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=15, min_samples=6, algorithm="brute", copy=True).fit(vectors.astype(np.float64))
    return found.labels_, None


def hdbscan_default(vectors: Vectors) -> tuple[Any, Any]:
    import hdbscan

    return hdbscan.HDBSCAN(min_cluster_size=15, min_samples=5, core_dist_n_jobs=1).fit(vectors).labels_, None


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true", help="10,000 paragraphs alone")
    parser.add_argument("--many", action="store_true", help="100,000 vectors of 256 dimensions alone")
    asked = parser.parse_args()
    part = "large" if asked.large else "many" if asked.many else None
    report = Report("clustering_hdbscan", "HDBSCAN on the vectors themselves", part)
    report.say("min_cluster_size 15, min_samples 5. Agreement is the adjusted Rand index with scikit-learn's labels;")
    report.say("on text it says little, since many edges weigh the same there and ties decide.")
    report.head(
        "data", "method", "wall s", "cpu s", "memory MiB", "groups", "noise", "agreement", "neighbours and tree"
    )
    for name, file, rows in _cases(part):
        _compared(report, name, file, rows or len(np.load(file, mmap_mode="r")))


def _cases(part: str | None) -> list[tuple[str, Path, int | None]]:
    if part == "large":
        return [("package texts", package_vectors(), 10_000)]
    if part == "many":
        return [("planted", planted_vectors(100_000, 100, 256), None)]
    text, planted = text_vectors(), planted_vectors(20_000, 100)
    return [
        ("texts", text, 2500),
        ("texts", text, None),
        *(("planted", planted, rows) for rows in (2500, 5000, 10_000, 20_000)),
        ("package texts", package_vectors(), 10_000),
    ]


def _compared(report: Report, name: str, file: Path, n: int) -> None:
    """Write a row of each peer that finishes in a minute or so, and ours."""
    peers = [scikit_learn_brute] if n <= _BRUTE_UP_TO[name] else []
    peers += [hdbscan_default] if n <= 2500 or name == "package texts" else []
    known = None
    for work in (*peers, ours):
        one = measured(work, file, rows=n)
        labels, shares = one.value
        known = labels if work is scikit_learn_brute else known
        agreement = float(adjusted_rand_score(known, labels)) if known is not None else "-"
        noise = float((labels < 0).mean())
        figures = (one.wall, one.cpu, one.memory, labels.max() + 1, noise, agreement, shares or "-")
        report.row(f"{n} {name}", work.__name__, *figures)
