"""A map and the one before go in; a map that does not jump comes out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels

LEAST_SHARED = 3
"""So many common documents fix a turn of the map."""
NEAREST = 5
"""Standing points whose places a new one takes the middle of."""
STANDING = 256
"""Standing points of each group that a new one is compared with, at most."""
PLACED_AT_ONCE = 1024
"""So many rows are placed together: what orders their cosines takes 4 KiB a row."""
SEED = 42


def aligned(places: Floats, former: Floats) -> Floats | None:
    """Return (n, p) places turned, mirrored, moved and scaled so that they lie nearest to the former ones.

    `former` (n, p) has NaN for rows that it did not have. The shape of the map stays (Procrustes analysis: the
    least sum of squares). None when too few rows are shared, or all shared ones lie in one place. O(n p²).
    """
    shared = ~np.isnan(former).any(axis=1)
    if shared.sum() < LEAST_SHARED:
        return None
    here, there = places[shared].astype(np.float64), former[shared].astype(np.float64)
    middle, target = here.mean(axis=0), there.mean(axis=0)
    here, there = here - middle, there - target
    left, stretch, right = np.linalg.svd(here.T @ there)
    size = float(np.square(here).sum())
    if size == 0 or stretch.sum() == 0:
        return None
    turn: Doubles = left @ right * (stretch.sum() / size)
    return np.asarray((places - middle) @ turn + target, dtype=np.float32)


def standing_places(vectors: Floats, labels: Labels, former: Floats, places: Floats) -> Floats:
    """Return the former places where there are any, and each other row among the standing ones of its group.

    Rows whose group has no standing row keep `places`, which should have been aligned. O(n · STANDING · d).
    """
    found = np.where(np.isnan(former), places, former).astype(np.float32)
    is_new = np.isnan(former).any(axis=1)
    for group in np.unique(labels[is_new]):
        mine = labels == group
        new, standing = np.flatnonzero(mine & is_new), np.flatnonzero(mine & ~is_new)
        if len(standing):
            chosen = some_of(standing)
            found[new] = placed_among(vectors[new], vectors[chosen], former[chosen])
    return found


def some_of(rows: Integers) -> Integers:
    """Return at most STANDING of the rows, drawn by a fixed seed, ascending."""
    if len(rows) <= STANDING:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, STANDING, replace=False))


def placed_among(vectors: Floats, standing: Floats, places: Floats) -> Floats:
    """Return the (n, p) places of vectors among standing ones: the weighted middle of the nearest by cosine.

    (n, d), (m, d) and (m, p) float32, m at least 1. O(n m d), O(n p) memory and blocks.
    """
    among = unit_rows(standing)
    found = np.empty((len(vectors), places.shape[1]), dtype=np.float32)
    for at in range(0, len(vectors), PLACED_AT_ONCE):
        part = slice(at, at + PLACED_AT_ONCE)
        found[part] = _middles(unit_rows(vectors[part]) @ among.T, places)
    return found


def _middles(cosines: Floats, places: Floats) -> Floats:
    """Return the (n, p) middles of the places that have the largest of (n, m) cosines, weighted by these."""
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    weights = np.maximum(np.take_along_axis(cosines, nearest, axis=1), 1e-6)[:, :, None]
    middle: npt.NDArray[np.float32] = (places[nearest] * weights).sum(axis=1) / weights.sum(axis=1)
    return middle.astype(np.float32)


def packed_places(labels: Labels, k: int, dimensions: int) -> Floats:
    """Return (n, dimensions) places for rows without vectors: groups side by side, members in a spiral. O(n log n).

    The larger groups lie nearer to the middle; rows in no group lie around all of them.
    """
    sizes = np.bincount(labels[labels >= 0], minlength=k).astype(np.float64)
    radii = np.sqrt(np.append(sizes, (labels < 0).sum()))
    centres = _spiral(k) * (1.2 * np.sqrt(np.maximum(np.cumsum(radii[:k] ** 2), 1)))[:, None] if k else np.empty((0, 2))
    order = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), dtype=np.int64)
    starts = np.searchsorted(labels[order], labels[order], side="left")
    rank[order] = np.arange(len(labels)) - starts
    angle = rank * np.pi * (3 - np.sqrt(5))
    outer = 1.5 * np.sqrt(max(1.0, float(sizes.sum()))) + 2
    reach = np.where(labels < 0, outer + 0.1 * np.sqrt(rank), 0.5 * np.sqrt(rank + 0.25))
    middle = np.vstack([centres, np.zeros((1, 2))])[labels]
    flat = middle + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = np.zeros((len(labels), dimensions), dtype=np.float32)
    found[:, :2] = flat
    return found


def _spiral(k: int) -> Doubles:
    """Return (k, 2) directions on a sunflower's spiral, the first in the middle."""
    at = np.arange(k)
    angle = at * np.pi * (3 - np.sqrt(5))
    reach = np.where(at > 0, 1.0, 0.0)
    return np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
