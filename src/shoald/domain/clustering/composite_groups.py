"""Centroids of several runs with their sizes go in; which of them are one group of all runs together comes out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels

_APART = 3.0
"""The middle gap between groups on a composed map, in radii of the middle group."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceGroups:
    """Groups of several runs: `centroids` (k, d), `sizes` (k,) their members, `runs` (k,) the number of each one's run,
    `cohesion` (k,) the mean cosine of their members to them.
    """

    centroids: Floats
    sizes: Doubles
    runs: Integers
    cohesion: Doubles

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.sizes)


def joined_groups(groups: SourceGroups, *, count: int | None = None) -> Labels:
    """Return the (k,) number of the group of groups that each belongs to, the one with the most members first.

    The two that are most alike by cosine are joined again and again; what is joined stands where all its members stand
    on average, so that large groups weigh more. With a `count` that goes on until so many are left. Without, two are
    joined only while no run tells them apart: they have no run in common, they are at least as near to each other as
    the members of one are to it, and nearer than any group is that a run of theirs holds beside them. O(k² d) in time,
    O(k d) in memory.
    """
    joining = _Joining(groups, is_bound=count is None)
    while joining.left > (count or 1) and joining.join_nearest():
        pass
    return _by_size(joining.owners, groups.sizes)


class _Joining:
    """Groups that are being joined: each row is one as it stands, or was taken up by another."""

    def __init__(self, groups: SourceGroups, *, is_bound: bool) -> None:
        k = len(groups)
        self._is_bound = is_bound
        self._sums = groups.centroids.astype(np.float64) * groups.sizes[:, None]
        self._directions = unit_rows(groups.centroids).astype(np.float64)
        self._sizes = groups.sizes.astype(np.float64)
        self._cohesion = groups.cohesion.astype(np.float64)
        self._has_run = groups.runs[:, None] == np.unique(groups.runs)[None, :]
        self._alive = np.ones(k, dtype=bool)
        self._beside = np.array([self._beside_of(row) for row in range(k)])
        self.owners = np.arange(k)
        self._best = np.zeros(k, dtype=np.int64)
        self._likeness = np.full(k, -np.inf)
        for row in range(k):
            self._look_again(row)

    @property
    def left(self) -> int:
        """The number of groups that are left."""
        return int(self._alive.sum())

    def join_nearest(self) -> bool:
        """Join the two that are most alike among those that may be joined; False when there are none."""
        first = int(self._likeness.argmax()) if len(self._likeness) else 0
        if not len(self._likeness) or self._likeness[first] == -np.inf:
            return False
        second = int(self._best[first])
        self._take_up(first, second)
        for row in np.flatnonzero(self._alive & np.isin(self._best, (first, second))).tolist():
            self._look_again(row)
        alike = self._look_again(first)
        nearer = alike > self._likeness
        self._best[nearer], self._likeness[nearer] = first, alike[nearer]
        return True

    def _take_up(self, first: int, second: int) -> None:
        both = [first, second]
        weights = self._sizes[both]
        self._sums[first] += self._sums[second]
        direction = unit_rows(self._sums[first][None, :].astype(np.float32))[0].astype(np.float64)
        cosines = self._directions[both] @ direction
        self._cohesion[first] = float((self._cohesion[both] * cosines * weights).sum() / max(1.0, weights.sum()))
        self._directions[first] = direction
        self._sizes[first] = weights.sum()
        self._beside[first] = self._beside[both].max()
        self._has_run[first] |= self._has_run[second]
        self._alive[second], self._likeness[second] = False, -np.inf
        self.owners[self.owners == second] = first

    def _beside_of(self, row: int) -> float:
        """Return the likeness to the nearest group that the same run holds beside this one."""
        cosines = self._directions @ self._directions[row]
        cosines[~self._shares_run(row)] = -np.inf
        cosines[row] = -np.inf
        return float(cosines.max(initial=-np.inf))

    def _shares_run(self, row: int) -> npt.NDArray[np.bool_]:
        return np.asarray((self._has_run & self._has_run[row]).any(axis=1))

    def _look_again(self, row: int) -> Doubles:
        """Find the most alike group that may join this one; return its likeness to all, -inf where they may not."""
        alike = self._directions @ self._directions[row]
        alike[~self._alive] = -np.inf
        alike[row] = -np.inf
        if self._is_bound:
            floor = np.minimum(self._cohesion, self._cohesion[row])
            told_apart = alike <= np.maximum(self._beside, self._beside[row])
            alike[self._shares_run(row) | told_apart | (alike < floor)] = -np.inf
        self._best[row] = int(alike.argmax())
        self._likeness[row] = alike[self._best[row]]
        return np.asarray(alike, dtype=np.float64)


def _by_size(owners: Integers, sizes: Doubles) -> Labels:
    """Number groups by falling members, ties by the first of their rows."""
    kept, at = np.unique(owners, return_inverse=True)
    members = np.bincount(at, weights=sizes, minlength=len(kept))
    order = np.lexsort((kept, -members))
    number = np.empty(len(kept), dtype=np.int32)
    number[order] = np.arange(len(kept))
    return np.asarray(number[at], dtype=np.int32)


def _shares(groups: SourceGroups, labels: Labels, k: int) -> Doubles:
    """Return (k,) the share of each group in the members of what it belongs to."""
    return np.asarray(groups.sizes / np.bincount(labels, weights=groups.sizes, minlength=k)[labels])


def joined_centroids(groups: SourceGroups, labels: Labels, k: int) -> Floats:
    """Return (k, d) the mean of each group's centroids, weighed by members: of means it is the mean of all members."""
    found = np.zeros((k, groups.centroids.shape[1]))
    np.add.at(found, labels, groups.centroids * _shares(groups, labels, k)[:, None])
    return found.astype(np.float32)


def joined_cohesion(groups: SourceGroups, labels: Labels, centroids: Floats) -> Doubles:
    """Return (k,) the mean cosine of all members to their group's centroid; exact for means of unit vectors."""
    k = len(centroids)
    cosines = np.einsum("ij,ij->i", unit_rows(groups.centroids), unit_rows(centroids)[labels])
    weighed = groups.cohesion * cosines * _shares(groups, labels, k)
    return np.asarray(np.bincount(labels, weights=weighed, minlength=k))


def composed_places(of_group: Integers, inner: Floats, anchors: Floats) -> Floats:
    """Return (n, dimensions) places: each member about the anchor of its group as it stands within it.

    `of_group` (n,) is the group of each member, -1 for none; `inner` (n, dimensions) its place on the map of its own
    run, NaN where that has none; `anchors` (k, dimensions) are the groups' places. Groups keep their shapes and are
    drawn so small that most do not reach into the next. Members of no group stand in the middle. O(n + k²).
    """
    inside, k = of_group >= 0, len(anchors)
    mine, known = of_group[inside], np.nan_to_num(inner[inside]).astype(np.float64)
    middles = np.zeros((k, anchors.shape[1]))
    np.add.at(middles, mine, known)
    middles /= np.maximum(np.bincount(mine, minlength=k), 1)[:, None]
    offsets = known - middles[mine]
    places = np.zeros((len(of_group), anchors.shape[1]), dtype=np.float32)
    places[inside] = anchors[mine] + offsets * _scale(offsets, mine, anchors)
    return places


def _scale(offsets: Doubles, of_group: Integers, anchors: Floats) -> float:
    """Return the factor for what lies within groups."""
    if len(anchors) == 1 or not len(offsets):
        return 1.0
    radii = np.zeros(len(anchors))
    np.maximum.at(radii, of_group, np.linalg.norm(offsets, axis=1))
    gaps = np.linalg.norm(anchors[:, None, :] - anchors[None, :, :], axis=2)
    np.fill_diagonal(gaps, np.inf)
    radius, gap = float(np.median(radii)), float(np.median(gaps.min(axis=1)))
    return gap / (_APART * radius) if radius > 0 and gap > 0 else 1.0
