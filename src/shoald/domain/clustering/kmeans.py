"""Vectors in, k centres and the rows nearest to each out.

What costs is not one iteration, which is near the machine's matrix speed already, but how many, on how many rows. So
the restarts run on a sample, seeded by greedy k-means++ in matrix products; the best of them is led out of its local
optimum, and only that one is polished on all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.assignment import nearest_centres, squared_gaps, squared_lengths
from shoald.domain.clustering.neighbour_graph import centred
from shoald.domain.clustering.parameters import KmeansParameters
from shoald.domain.clustering.single_moves import moved_singly
from shoald.domain.clustering.spaces import Floats, Integers, Step, no_step
from shoald.domain.failures import NotEnoughPoints

SAMPLE_ROWS = 20_000
ROWS_PER_CENTRE = 64
RESTART_ITERATIONS = 15
SMALL_PRODUCT = 1e8
"""Multiplications below which threads cost more than they bring."""
BREATH = 5
"""Centres added and taken away together at first."""
GAIN = 1e-5
"""A smaller share of the error is not worth another breath."""
SINGLE_ENTRIES = 200_000
"""Up to so many rows times (dimensions and centres) the restarts end with moves of single rows, milliseconds each."""
RESTART_SHARE = 0.5
"""The restarts' share of the progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KmeansResult:
    """(n,) int64 labels in [0, k); the final sum of squared distances; how many iterations the polish took.

    `sample_rows` is how many rows the restarts saw; `converged` is false when `max_iter` ended the polish.
    """

    labels: Integers
    inertia: float
    iterations: int
    converged: bool
    sample_rows: int


def kmeans(
    vectors: Floats, parameters: KmeansParameters, seed: int, *, backend: ArrayBackend, step: Step = no_step
) -> KmeansResult:
    """Group (n, d) float32 rows around `n_clusters` means.

    The tolerance is, as in scikit-learn, a share of the mean variance of the columns. Raises `NotEnoughPoints` when
    there are fewer rows than clusters. With fewer distinct rows than clusters some clusters stay empty.
    O(n_init · sample · k · d + iterations · n · k · d).
    """
    n, k = len(vectors), parameters.n_clusters
    if n < k:
        raise NotEnoughPoints(f"k-means needs at least n_clusters = {k} vectors; there are {n}")
    rows = centred(vectors)
    # rows.var in float64 would copy them twice
    tolerance = parameters.tol * float(np.einsum("ij,ij->", rows, rows, dtype=np.float64)) / rows.size
    random = np.random.default_rng(seed)
    size = min(n, max(SAMPLE_ROWS, ROWS_PER_CENTRE * k))
    sample = rows if size == n else rows[np.sort(random.choice(n, size, replace=False))]
    small = size * k * rows.shape[1] < SMALL_PRODUCT
    with backend.small_products() if small else nullcontext():
        best = _best_restart(sample, parameters, random, tolerance, backend, step)
    polish = _Lloyd(rows, best, tolerance, backend)
    polish.run(parameters.max_iter, lambda done: step(RESTART_SHARE + (1 - RESTART_SHARE) * done))
    return KmeansResult(
        labels=polish.labels,
        inertia=polish.inertia,
        iterations=polish.iterations,
        converged=polish.converged,
        sample_rows=size,
    )


def small_groups(
    vectors: Floats, count: int, *, iterations: int = 5, backend: ArrayBackend, step: Step = no_step
) -> Integers:
    """Return (n,) labels of about `count` small groups: rows drawn by a fixed seed as centres, and a few iterations.

    For what works on groups instead of rows. O(iterations · n · count · d).
    """
    rows = centred(vectors)
    chosen = np.sort(np.random.default_rng(0).choice(len(rows), min(count, len(rows)), replace=False))
    lloyd = _Lloyd(rows, rows[chosen], 0.0, backend)
    lloyd.run(iterations, step)
    return lloyd.labels


def spread_rows(vectors: Floats, k: int, seed: int, *, backend: ArrayBackend) -> Integers:
    """Return the ids of k rows far from one another, by greedy k-means++. O(n k d log k)."""
    return _plus_plus(centred(vectors), k, np.random.default_rng(seed), backend)


def _best_restart(
    sample: Floats,
    parameters: KmeansParameters,
    random: np.random.Generator,
    tolerance: float,
    backend: ArrayBackend,
    step: Step,
) -> Floats:
    """Return the centres of the tightest of `n_init` short runs, led out of their local optimum."""
    iterations = min(RESTART_ITERATIONS, parameters.max_iter)
    best: _Lloyd | None = None
    for restart in range(parameters.n_init):
        seeds = _seeds(sample, parameters.n_clusters, parameters.init, random, backend)
        lloyd = _Lloyd(sample, seeds, tolerance, backend)
        lloyd.settle(iterations)
        if best is None or lloyd.inertia < best.inertia:
            best = lloyd
        step(RESTART_SHARE * (restart + 1) / parameters.n_init)
    assert best is not None
    return _breathe(best, iterations, lambda: step(RESTART_SHARE))


def _breathe(settled: _Lloyd, iterations: int, check: Callable[[], None]) -> Floats:
    """Leave a local optimum: add centres where the error is largest, settle, take away the least useful, settle.

    What is better is kept; what is not is tried with one centre fewer (Fritzke 2020, "breathing k-means").
    """
    breath = min(BREATH, len(settled.centres) - 1)
    while breath > 0:
        check()
        grown = settled.restarted(np.concatenate([settled.centres, _halves(settled, breath)]))
        grown.settle(iterations)
        shrunk = settled.restarted(_most_useful(grown, len(settled.centres)))
        shrunk.settle(iterations)
        if shrunk.inertia < settled.inertia * (1 - GAIN):
            settled = shrunk
        else:
            breath -= 1
    return settled.centres


def _halves(lloyd: _Lloyd, count: int) -> Floats:
    """Return a second centre for each of the clusters with the largest error: half way to its member furthest out."""
    labels, squares = lloyd.labels, lloyd.squares
    errors = np.bincount(labels, weights=squares, minlength=len(lloyd.centres))
    worst = np.argsort(-errors, kind="stable")[:count]
    order = np.lexsort((-squares, labels))
    furthest = order[np.searchsorted(labels[order], worst).clip(max=len(order) - 1)]
    return np.asarray((lloyd.centres[worst] + lloyd.rows[furthest]) / 2, dtype=np.float32)


def _most_useful(lloyd: _Lloyd, count: int) -> Floats:
    """Return the centres without which the error would grow most, two near ones never left out together."""
    centres, rows = lloyd.centres, lloyd.rows
    _, second = nearest_centres(rows, centres, backend=lloyd.backend, but=lloyd.labels, lengths=lloyd.lengths)
    utility = np.bincount(lloyd.labels, weights=second - lloyd.squares, minlength=len(centres))
    apart = squared_gaps(centres)
    np.fill_diagonal(apart, np.inf)
    left_out: list[int] = []
    frozen: set[int] = set()
    for group in np.argsort(utility, kind="stable").tolist():
        if len(left_out) == len(centres) - count:
            break
        if group not in frozen:
            left_out.append(group)
            frozen.add(int(apart[group].argmin()))
    return np.delete(centres, left_out, axis=0)[:count]


class _Lloyd:
    """Lloyd's iteration from given centres."""

    labels: Integers
    squares: Floats
    inertia: float

    def __init__(
        self, rows: Floats, centres: Floats, tolerance: float, backend: ArrayBackend, lengths: Floats | None = None
    ) -> None:
        self.rows, self.centres, self.backend = rows, centres, backend
        self.tolerance = tolerance
        self.lengths = squared_lengths(rows) if lengths is None else lengths
        self.iterations, self.converged = 0, False
        self._assign()

    def restarted(self, centres: Floats) -> _Lloyd:
        """Return the same rows with other centres."""
        return _Lloyd(self.rows, centres, self.tolerance, self.backend, self.lengths)

    def run(self, iterations: int, step: Step = no_step) -> None:
        """Iterate until the centres rest, the labels repeat, or the iterations are used up."""
        for iteration in range(iterations):
            moved = self._means()
            shift = float(np.square(moved - self.centres, dtype=np.float64).sum())
            before, self.centres = self.labels, moved
            self._assign()
            self.iterations += 1
            step((iteration + 1) / iterations)
            self.converged = shift <= self.tolerance or np.array_equal(before, self.labels)
            if self.converged:
                step(1.0)
                return

    def settle(self, iterations: int) -> None:
        """Iterate; where it costs little, then move single rows as long as one gains."""
        self.run(iterations)
        k = len(self.centres)
        if len(self.rows) * (self.rows.shape[1] + k) > SINGLE_ENTRIES:
            return
        before = self.inertia, self.centres, self.labels, self.squares
        self.labels = moved_singly(self.rows, self.labels, k)
        self.centres = self._means()
        self._assign()
        if self.inertia > before[0]:
            self.inertia, self.centres, self.labels, self.squares = before

    def _assign(self) -> None:
        self.labels, self.squares = nearest_centres(self.rows, self.centres, backend=self.backend, lengths=self.lengths)
        self.inertia = float(self.squares.sum(dtype=np.float64))

    def _means(self) -> Floats:
        """Return the members' means; an empty cluster moves to the row furthest from its own centre."""
        k = len(self.centres)
        send, labels = self.backend.send, self.labels
        sums = self.backend.fetch(self.backend.sum_by_label(send(self.rows), send(labels), k))
        sizes = np.bincount(labels, minlength=k)
        means = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], self.centres).astype(np.float32)
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            furthest = np.argsort(-self.squares, kind="stable")[: len(empty)]
            means[empty] = self.rows[furthest]
        return np.asarray(means)


def _seeds(rows: Floats, k: int, init: str, random: np.random.Generator, backend: ArrayBackend) -> Floats:
    if init == "random":
        return rows[np.sort(random.choice(len(rows), k, replace=False))]
    if len(rows) > SAMPLE_ROWS:
        rows = rows[np.sort(random.choice(len(rows), SAMPLE_ROWS, replace=False))]
    with backend.small_products():
        return rows[_plus_plus(rows, k, random, backend)]


def _plus_plus(rows: Floats, k: int, random: np.random.Generator, backend: ArrayBackend) -> Integers:
    """Choose k rows, each the best of a few drawn by squared distance to those chosen (Arthur and Vassilvitskii 2007,
    greedy as in their experiments). O(n k d log k) in matrix products.
    """
    n, xp = len(rows), backend.xp
    tries = 2 + int(np.log(k))
    device = backend.send(rows)
    lengths = xp.sum(device * device, axis=1)
    chosen = [int(random.integers(n))]
    nearest = _squares(device, lengths, np.array(chosen), backend)[:, 0]
    for _ in range(1, k):
        weights = np.cumsum(backend.fetch(nearest), dtype=np.float64)
        drawn = np.searchsorted(weights, random.random(tries) * weights[-1], side="right")
        drawn = np.minimum(drawn, n - 1)
        squares = xp.minimum(nearest[:, None], _squares(device, lengths, drawn, backend))
        best = int(backend.fetch(xp.argmin(xp.sum(squares, axis=0))))
        nearest = squares[:, best]
        chosen.append(int(drawn[best]))
    return np.array(chosen)


def _squares(device: Array, lengths: Array, ids: Integers, backend: ArrayBackend) -> Array:
    """Return (n, len(ids)) squared distances to some of the rows themselves."""
    at = backend.send(ids)
    squares = lengths[:, None] + lengths[at][None, :] - 2 * (device @ backend.xp.take(device, at, axis=0).T)
    return backend.xp.maximum(squares, 0)
