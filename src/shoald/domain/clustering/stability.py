"""Groups in, how well each of them comes back out: over subsamples and seeds, and across the border to its neighbour.

The score of a group is the mean, over subsamples grouped anew, of its largest Jaccard overlap with a group found there
(Hennig 2007, "Cluster-wise assessment of cluster stability"). A method that cuts space into parts can cut even one
normal distribution in the same place again and again; for such methods the score is halved where no valley of density
lies between a group and its neighbour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shoald.domain.clustering.group_tree import compact
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels, Step, no_step, row_blocks

COMES_BACK = 0.6
"""A group with a smaller score would not come back (below 0.6 Hennig trusts no group; halves reach 0.52 here)."""
LEAST_SEEN = 3
"""A group with fewer members in a subsample is not judged by it."""
BAND = 0.15
"""Half the width of a border, as a share of the way between two centroids."""
CUTTING = frozenset({"kmeans", "gaussian_mixture", "agglomerative", "spectral", "mean_shift"})
"""Methods that give every point to a group, whether or not there is a gap."""

Regroup = Callable[[Integers, int], Labels]
"""Rows (ascending) and a seed to the labels of these rows, grouped by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How many subsamples of which share of the rows, and of at most how many rows for each and for each group."""

    rounds: int
    share: float
    most_rows: int
    rows_a_group: int


QUICK = Effort(rounds=4, share=0.5, most_rows=1500, rows_a_group=15)
THOROUGH = Effort(rounds=10, share=0.8, most_rows=200_000, rows_a_group=0)


def sample_rows(n: int, k: int, effort: Effort) -> int:
    """Return how many rows a subsample has."""
    return max(1, min(int(n * effort.share), max(effort.most_rows, effort.rows_a_group * k)))


def comebacks(labels: Labels, regroup: Regroup, effort: Effort, *, seed: int = 42, step: Step = no_step) -> Doubles:
    """Return (k,) the mean largest overlap of each group over the subsamples, 0 to 1; NaN for one never seen enough."""
    k = int(labels.max(initial=-1)) + 1
    n, random = len(labels), np.random.default_rng(seed)
    total, seen = np.zeros(k), np.zeros(k)
    size = sample_rows(n, k, effort)
    for at in range(effort.rounds):
        rows = np.sort(random.choice(n, size, replace=False))
        overlaps = best_overlaps(labels[rows], regroup(rows, seed + 1 + at), k)
        known = ~np.isnan(overlaps)
        total[known] += overlaps[known]
        seen[known] += 1
        step((at + 1) / effort.rounds)
    return np.asarray(np.divide(total, seen, out=np.full(k, np.nan), where=seen > 0))


def best_overlaps(labels: Labels, found: Labels, k: int) -> Doubles:
    """Return (k,) for each group the largest Jaccard overlap with a found one; NaN for groups with too few rows."""
    columns = int(found.max(initial=-1)) + 1
    sizes = np.bincount(labels[labels >= 0], minlength=k)
    best = np.where(sizes >= LEAST_SEEN, 0.0, np.nan)
    if columns == 0:
        return best
    both = (labels >= 0) & (found >= 0)
    table = np.bincount(labels[both] * columns + found[both], minlength=k * columns).reshape(k, columns)
    either = sizes[:, None] + np.bincount(found[found >= 0], minlength=columns)[None, :] - table
    return np.asarray(best + (table / np.maximum(either, 1)).max(axis=1))


def clearances(vectors: Floats, labels: Labels, *, unseen: int = 0) -> Doubles:
    """Return (k,) how empty the border of each group to its nearest neighbour is: 1 for a gap, 0 for no valley.

    Members of both are projected on the line between the two centroids; the density in the middle is compared with
    that at the centroids. One group alone has no border, so its clearance is 1. `unseen` members are added to each
    border that is looked at: of four members none may stand in it by chance. O(n d + k² d).
    """
    inside = np.flatnonzero(labels >= 0)
    groups, _ = compact(labels[inside])
    k = int(groups.max(initial=-1)) + 1
    if k <= 1:
        return np.ones(k)
    order = np.argsort(groups, kind="stable")
    members = np.split(inside[order], np.cumsum(np.bincount(groups))[:-1])
    means = np.stack([_mean(vectors, rows) for rows in members])
    lengths = np.einsum("ij,ij->i", means, means)
    apart = lengths[:, None] + lengths[None, :] - 2 * means @ means.T
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    pairs = [(members[group], members[int(nearest[group])]) for group in range(k)]
    return np.array([_clearance(vectors, own, other, unseen) for own, other in pairs])


def _clearance(vectors: Floats, own: Integers, other: Integers, unseen: int) -> float:
    """Compare border and middles, each half of the members on the line that the other half draws.

    In many dimensions members lie near to a centroid that they made themselves, which would look like a gap.
    """
    border, middles = 0.0, 0.0
    for half in (0, 1):
        drawn = [_middle(vectors, rows, 1 - half) for rows in (own, other)]
        way = drawn[1] - drawn[0]
        length = float(way @ way)
        if length == 0:
            return 0.0
        for rows, centre in ((own, 0.0), (other, 1.0)):
            seen = rows[half::2] if len(rows) > 1 else rows
            at, judged = _along(vectors, seen, drawn[0], way) / length, len(seen) + unseen
            between = 2 * int((np.abs(at - 0.5) < BAND).sum())  # a group that was cut off has half of it only
            border += (between + unseen) / judged
            middles += int((np.abs(at - centre) < BAND).sum()) / judged
    return max(0.0, 1.0 - border / middles) if middles > 0 else 0.0


def _middle(vectors: Floats, rows: Integers, half: int) -> Doubles:
    return _mean(vectors, rows[half::2] if len(rows) > 1 else rows)


def _mean(vectors: Floats, rows: Integers) -> Doubles:
    """Return the mean of some rows, a block at a time: a group may be nearly everything."""
    total = np.zeros(vectors.shape[1])
    for part in row_blocks(rows, vectors.shape[1]):
        total += vectors[part].sum(axis=0, dtype=np.float64)
    return np.asarray(total / len(rows))


def _along(vectors: Floats, rows: Integers, origin: Doubles, way: Doubles) -> Doubles:
    """Return how far each of some rows lies along a way."""
    return np.concatenate([(vectors[part] - origin) @ way for part in row_blocks(rows, vectors.shape[1])])


def scores(comeback: Floats | Doubles, clearance: Doubles | None) -> Floats:
    """Return (k,) float32: how well groups come back, halved where no valley sets them apart."""
    if clearance is None:
        return comeback.astype(np.float32)
    return (comeback * (1 + clearance) / 2).astype(np.float32)
