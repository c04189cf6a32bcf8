"""Labels and unit vectors in, the documented quality metrics out. Noise counts only in `noise_ratio`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels, row_blocks

BLOCK_ENTRIES = 8_000_000
TWO = 2
"""Groups that a comparison between groups needs."""
COINCIDENT = 1e-12
DOMINANT = 0.95
"""A group with this share of the clustered rows leaves the others no meaning."""
TOO_MUCH_NOISE = 0.5
WORSE = {"silhouette_score": 0.1, "mean_cosine_to_centroid": 0.05}
"""How far a metric may fall below the last run's before reclustering is advised."""
LEAST_SILHOUETTE = 0.02
"""From here on half of the last run's silhouette is too little: real text has about 0.05, which cannot fall by 0.1."""
MORE_NOISE = 0.15


def quality_metrics(
    vectors: Floats,
    labels: Labels,
    centres: Centroids,
    *,
    backend: ArrayBackend,
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the metrics of the guide by their documented names; what is not defined for such groups is None.

    `vectors` (n, d) float32 are the run's input (they are made unit rows here), never a layout. `silhouette_score` is
    exact and by cosine distance; `davies_bouldin_index` and `calinski_harabasz_score` are Euclidean between unit rows,
    as scikit-learn defines them; `cluster_size_entropy` is divided by log k, and 0 for fewer than two groups;
    `should_recluster` follows `recluster_advised`. O(n k d).
    """
    inside = np.flatnonzero(labels >= 0)
    sizes = centres.sizes
    k, n = len(sizes), len(inside)
    found = metrics_of_sizes(sizes, len(labels), centres.similarities[inside])
    if TWO <= k < n:
        rows = _UnitRows(vectors, labels, inside)
        means = _means(rows, k, backend)
        scores, squares = _compared(rows, sizes, means, backend)
        found["silhouette_score"] = float(scores.mean())
        named = labels[inside].astype(np.int64)
        found["davies_bouldin_index"], found["calinski_harabasz_score"] = _spreads(squares, named, sizes, means)
    found["should_recluster"] = float(recluster_advised(found, previous))
    return found


def metrics_of_sizes(sizes: Integers, rows: int, cosines: Floats | None = None) -> dict[str, Any]:
    """Return the metrics that need no vectors; those that compare them are None, and `should_recluster` is left open.

    `sizes` (k,) are the members of the groups, 0 for one that has lost all; `rows` counts noise too. `cosines` are
    those of the members to their centroids, where they are known.
    """
    inside, present = int(sizes.sum()), sizes[sizes > 0]
    degenerate, detail = degeneracy(present, rows)
    known = cosines if cosines is not None and len(cosines) else None
    return {
        "num_clusters": len(sizes),
        "silhouette_score": None,
        "davies_bouldin_index": None,
        "calinski_harabasz_score": None,
        "mean_cosine_to_centroid": None if known is None else float(known.mean()),
        "min_cosine_to_centroid": None if known is None else float(known.min()),
        "noise_ratio": (rows - inside) / rows if rows else 0.0,
        "avg_cluster_size": inside / len(sizes) if len(sizes) else 0.0,
        "cluster_size_entropy": size_entropy(present),
        "degenerate": degenerate,
        "degenerate_detail": detail,
    }


def cosine_silhouettes(
    rows: Floats, labels: Integers, sizes: Integers, means: Doubles, *, backend: ArrayBackend
) -> Doubles:
    """Return the exact silhouette of each unit row by cosine distance; 0 for the only member of a group.

    The cosine is linear, so a row's summed distance to a group is its size less the product with the group's sum: one
    matrix product replaces all pairs. O(n k d) time, O(n) memory.
    """
    xp = backend.xp
    k = len(sizes)
    scores = np.empty(len(rows))
    device = backend.send(np.ascontiguousarray(means.T, dtype=np.float32))
    block = max(256, BLOCK_ENTRIES // k)
    for at in range(0, len(rows), block):
        own, size = labels[at : at + block], sizes[labels[at : at + block]]
        apart = 1 - backend.send(rows[at : at + block]) @ device
        column = backend.send(own)[:, None]
        within = backend.fetch(xp.take_along_axis(apart, column, axis=1))[:, 0].astype(np.float64)
        within *= size / np.maximum(size - 1, 1)
        others = xp.where(backend.send(np.arange(k))[None, :] == column, xp.inf, apart)
        between = backend.fetch(xp.min(others, axis=1)).astype(np.float64)
        larger = np.maximum(np.maximum(within, between), COINCIDENT)
        scores[at : at + block] = np.where(size > 1, (between - within) / larger, 0.0)
    return scores


def size_entropy(sizes: Integers) -> float:
    """Return the entropy of the group sizes as a share of the largest possible, 0 for fewer than two groups.

    >>> size_entropy(np.array([5, 5])), size_entropy(np.array([7]))
    (1.0, 0.0)
    """
    if len(sizes) < TWO:
        return 0.0
    share = sizes[sizes > 0] / sizes.sum()
    return float(min(1.0, -(share * np.log(share)).sum() / np.log(len(sizes))))


def degeneracy(sizes: Integers, rows: int) -> tuple[str | bool, str | None]:
    """Name what makes a grouping useless, or False: `all_noise`, `single_cluster`, `all_singletons`, or
    `dominant_cluster` (one group holds DOMINANT of what is clustered).
    """
    if len(sizes) == 0:
        return "all_noise", f"none of the {rows} points is in a group"
    if len(sizes) == 1:
        return "single_cluster", "all clustered points are in one group"
    if sizes.max() == 1:
        return "all_singletons", "every group has one member"
    if sizes.max() >= DOMINANT * sizes.sum():
        return "dominant_cluster", f"one group holds {sizes.max() / sizes.sum():.0%} of the clustered points"
    return False, None


def recluster_advised(found: Mapping[str, Any], previous: Mapping[str, Any] | None) -> bool:
    """Say whether the groups should be made anew, perhaps with other parameters.

    So it is when the grouping is degenerate, when more than half of the points are noise, or when, against the last
    run, the silhouette fell by more than 0.1 or below half, the mean cosine fell by more than 0.05, or the noise grew
    by more than 0.15. There is no fixed bound on the silhouette: real text seldom reaches the 0.5 that a textbook calls
    good.
    """
    if found["degenerate"] or found["noise_ratio"] > TOO_MUCH_NOISE:
        return True
    if not previous:
        return False
    noise_before = previous.get("noise_ratio")
    if noise_before is not None and found["noise_ratio"] > noise_before + MORE_NOISE:
        return True
    before, now = previous.get("silhouette_score"), found["silhouette_score"]
    if before is not None and now is not None and before >= LEAST_SILHOUETTE and now < before / 2:
        return True
    pairs = [(found[name], previous.get(name), drop) for name, drop in WORSE.items()]
    return any(now is not None and then is not None and now < then - drop for now, then, drop in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class _UnitRows:
    """Unit rows in groups and their labels, a block at a time: all of them at once would be copies of the vectors."""

    vectors: Floats
    labels: Labels
    inside: Integers

    def __iter__(self) -> Iterator[tuple[Floats, Integers]]:
        for part in row_blocks(self.inside, self.vectors.shape[1]):
            yield unit_rows(self.vectors[part]), self.labels[part].astype(np.int64)


def _means(rows: _UnitRows, k: int, backend: ArrayBackend) -> Doubles:
    sums, sizes = np.zeros((k, rows.vectors.shape[1])), np.zeros(k, dtype=np.int64)
    for block, labels in rows:
        sums += backend.fetch(backend.sum_by_label(backend.send(block.astype(np.float64)), backend.send(labels), k))
        sizes += np.bincount(labels, minlength=k)
    return np.asarray(sums / sizes[:, None])


def _compared(rows: _UnitRows, sizes: Integers, means: Doubles, backend: ArrayBackend) -> tuple[Doubles, Doubles]:
    """Return the silhouette of each row, and its squared distance to the mean of its group."""
    scores, squares = [], []
    for block, labels in rows:
        scores.append(cosine_silhouettes(block, labels, sizes, means, backend=backend))
        gap = block - means[labels]
        squares.append(np.einsum("ij,ij->i", gap, gap))
    return np.concatenate(scores), np.concatenate(squares)


def _spreads(squares: Doubles, labels: Integers, sizes: Integers, means: Doubles) -> tuple[float, float]:
    """Return the Davies-Bouldin index and the Calinski-Harabasz score from the rows' squared distances. O(k² d)."""
    k, n = len(sizes), len(squares)
    scatter = np.bincount(labels, weights=np.sqrt(squares), minlength=k) / sizes
    gram = means @ means.T
    lengths = np.diag(gram)
    apart = np.sqrt(np.maximum(lengths[:, None] + lengths[None, :] - 2 * gram, 0))
    np.fill_diagonal(apart, np.inf)
    ratio = (scatter[:, None] + scatter[None, :]) / np.where(apart > COINCIDENT, apart, np.inf)
    np.fill_diagonal(ratio, 0)
    overall = sizes @ means / n
    between = float(sizes @ np.square(means - overall).sum(axis=1))
    inner = float(squares.sum())
    score = 1.0 if inner == 0 else between * (n - k) / (inner * (k - 1))
    return float(ratio.max(axis=1).mean()), score
