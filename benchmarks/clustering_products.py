"""What is one matrix product at heart, as a share of that product's speed in the same process: k-means' iteration,
assignment to centroids.

The product alone (sgemm, in the same blocks) is the peer; the shares are of processor time and of wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, measured, random_vectors

K = 1000
BLOCK = 8192
ROUNDS = 3


def _best(work: Callable[[], object]) -> tuple[float, float]:
    """Return the least wall and processor seconds of a few rounds."""
    took = []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in took), min(cpu for _, cpu in took)


def _product(vectors: Vectors, centres: Vectors) -> Callable[[], object]:
    right, out = np.ascontiguousarray(centres.T), np.empty((BLOCK, len(centres)), dtype=np.float32)

    def multiply() -> None:
        for at in range(0, len(vectors), BLOCK):
            rows = vectors[at : at + BLOCK]
            np.matmul(rows, right, out=out[: len(rows)])

    return multiply


def iteration(vectors: Vectors, *, k: int) -> Any:
    """Return what a product and an iteration (rows to centres, and their means) take."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.domain.clustering.kmeans import _Lloyd

    k = min(k, len(vectors) // 4)
    lloyd = _Lloyd(vectors, vectors[:k], 0.0, ArrayLibraries().get("numpy"))
    return _best(_product(vectors, vectors[:k])), _best(lambda: lloyd.run(1))


def assignment(vectors: Vectors, *, k: int) -> Any:
    """Return what a product and the nearest centroid of every row (unit rows made on the way) take."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.domain.clustering.assignment import assign_by_cosine

    k = min(k, len(vectors) // 4)
    backend = ArrayLibraries().get("numpy")
    whole = _best(lambda: assign_by_cosine(vectors, vectors[:k], 0.0, backend=backend))
    return _best(_product(vectors, vectors[:k])), whole


def main() -> None:
    """Print the table and write it."""
    report = Report("clustering_products", "Stages that are matrix products")
    report.say(f"{K} centroids of 256 dimensions. Wanted: 60 % for the iteration, 75 % for the assignment.")
    report.head("what", "rows", "product GFLOP/s", "product wall s", "stage wall s", "share of wall", "share of cpu")
    for name, work, rows in (("k-means iteration", iteration, 100_000), ("assignment", assignment, 1_000_000)):
        (wall, cpu), (stage_wall, stage_cpu) = measured(work, random_vectors(rows, 256), k=K).value
        speed = 2e-9 * rows * K * 256 / wall
        report.row(name, rows, speed, wall, stage_wall, wall / stage_wall, cpu / stage_cpu)
