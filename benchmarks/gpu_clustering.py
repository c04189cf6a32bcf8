"""The dense stages on a CUDA device, each as a share of what the same card reaches in a matrix product and in memory.

Without a device it says so and measures nothing; `--backend numpy --rows 2000` shows anywhere that it runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, planted_vectors

D = 256
NEIGHBOURS = 15
SQUARE = 4096
ROUNDS = 5


class Card:
    """One array backend, waited for and measured."""

    def __init__(self, name: str) -> None:
        from shoald.adapters.arrays import ArrayLibraries
        from shoald.adapters.estimators import estimators_for
        from shoald.domain.clustering.tools import ClusterTools

        self.arrays = ArrayLibraries().get(name)
        self.tools = ClusterTools(arrays=self.arrays, estimators=estimators_for(self.arrays))

    def seconds(self, work: Callable[[], Any]) -> float:
        """Return how long work takes until the device rests."""
        began = time.perf_counter()
        work()
        if self.arrays.name == "cupy":
            import cupy

            cupy.cuda.Device().synchronize()
        return time.perf_counter() - began

    def product_speed(self) -> float:
        """Return float32 operations a second of one square product."""
        left = self.arrays.send(np.ones((SQUARE, SQUARE), dtype=np.float32))
        return 2.0 * SQUARE**3 / min(self.seconds(lambda: left @ left) for _ in range(ROUNDS))

    def memory_speed(self) -> float:
        """Return bytes a second, read and written, of an addition in place."""
        values = self.arrays.send(np.zeros(SQUARE * SQUARE, dtype=np.float32))

        def add() -> None:
            nonlocal values
            values += 1.0

        return 2.0 * int(values.nbytes) / min(self.seconds(add) for _ in range(ROUNDS))


def stages(vectors: Vectors, k: int, card: Card) -> dict[str, tuple[Callable[[], Any], float, float]]:
    """Return, by name, what to run (in this order: later ones share the graph), and the operations and bytes that it
    needs at least; 0 where it has none worth a share.
    """
    from shoald.domain.clustering.algorithms import group
    from shoald.domain.clustering.fuzzy_graph import fuzzy_graph
    from shoald.domain.clustering.kmeans import _Lloyd
    from shoald.domain.clustering.layout import LayoutParameters, layout
    from shoald.domain.clustering.neighbour_graph import unit_rows
    from shoald.domain.clustering.parameters import HdbscanParameters
    from shoald.domain.clustering.quality import cosine_silhouettes
    from shoald.domain.clustering.spaces import Space
    from shoald.domain.clustering.tools import neighbours

    n, tools = len(vectors), card.tools
    space, rows = Space(vectors), unit_rows(vectors)
    labels = np.arange(n) % k
    sizes = np.bincount(labels, minlength=k)
    means = np.stack([rows[labels == one].mean(axis=0) for one in range(k)]).astype(np.float64)
    start = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    once = 2.0 * n * k * D
    lloyd = _Lloyd(vectors, vectors[:k], 0.0, card.arrays)

    def placed() -> Any:
        graph = neighbours(space, NEIGHBOURS + 1, "cosine", tools=tools)
        return layout(fuzzy_graph(graph), start, LayoutParameters(epochs=100), backend=card.arrays)

    def graph() -> Any:
        return neighbours(space, NEIGHBOURS + 1, "cosine", tools=tools, exact=True)

    positions = 100.0 * n * 2 * 4 * 2
    return {
        f"exact {NEIGHBOURS} nearest": (graph, 2.0 * n * n * D, 0.0),
        f"k-means iteration, k = {k}": (lambda: lloyd.run(1), once, 2.0 * vectors.nbytes),
        "HDBSCAN": (lambda: group(space, HdbscanParameters(), tools=tools), 2.0 * n * n * D, 0.0),
        "layout, 100 epochs, with its fuzzy graph": (placed, 0.0, positions),
        "cosine silhouette": (
            lambda: cosine_silhouettes(rows, labels, sizes, means, backend=card.arrays),
            once,
            1.0 * vectors.nbytes,
        ),
    }


def main() -> None:
    """Print the table and write it; say so where there is no device."""
    from shoald.domain.failures import MissingDependency

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="cupy", choices=("cupy", "numpy"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    try:
        card = Card(given.backend)
    except MissingDependency as exc:
        print(f"no figures: {exc}")
        return
    vectors = np.ascontiguousarray(np.load(planted_vectors(given.rows, 100, D)))
    report = Report("gpu_clustering", f"Dense stages on {card.arrays.name}")
    product, memory = card.product_speed(), card.memory_speed()
    report.say(f"{given.rows:,} rows of {D}. Product {product / 1e12:.3g} TFLOP/s, memory {memory / 1e9:.3g} GB/s.")
    report.head("stage", "wall s", "share of product speed", "share of memory speed")
    for stage, (work, operations, moved) in stages(vectors, min(1000, given.rows // 20), card).items():
        took = card.seconds(work)
        shares = [
            f"{part / took / speed:.1%}" if part else "-" for part, speed in ((operations, product), (moved, memory))
        ]
        report.row(stage, took, *shares)
