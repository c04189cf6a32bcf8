"""A spanning tree in; HDBSCAN's clusters, the rows' probabilities and the clusters' persistence out.

Campello, Moulavi and Sander (2013) with the choices of the `hdbscan` library: how rows leave a cluster, the leaf and
excess-of-mass selections, the distance threshold, and what a single cluster means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.parameters import HdbscanParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Labels

NEAREST = 1e-10
"""Distances below this share of the tree's mean count as this: density stays finite where rows coincide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which clusters of the condensed tree to take.

    `later_only` leaves out the rows that leave at the density at which their cluster begins, as the authors' first
    program did.
    """

    method: str = "eom"
    epsilon: float = 0.0
    max_cluster_size: int | None = None
    allow_single_cluster: bool = False
    later_only: bool = False


def effective_hdbscan(parameters: HdbscanParameters, n: int) -> HdbscanParameters:
    """Fill in what depends on the data: `min_samples` null is `min_cluster_size`, and never more than n - 1.

    `match_reference_implementation` counts the row itself among the samples and asks for one more row a cluster, as
    the authors' first program did; what it does to labels is `Selection.later_only`.
    """
    samples, smallest = parameters.min_samples or parameters.min_cluster_size, parameters.min_cluster_size
    if parameters.match_reference_implementation:
        samples, smallest = samples - 1, smallest + 1
    return replace(parameters, min_samples=max(1, min(samples, n - 1)), min_cluster_size=smallest)


def selection_of(parameters: HdbscanParameters) -> Selection:
    """Return the part of the parameters that works on the condensed tree."""
    return Selection(
        method=parameters.cluster_selection_method,
        epsilon=parameters.cluster_selection_epsilon,
        max_cluster_size=parameters.max_cluster_size,
        allow_single_cluster=parameters.allow_single_cluster,
        later_only=parameters.match_reference_implementation,
    )


@dataclass(frozen=True, slots=True)
class CondensedTree:
    """Clusters 0 (all rows) … c - 1, a parent always before its children.

    `parent` (c,), -1 for the first; `birth` and `size` (c,): the density (1 / distance) at which a cluster splits off,
    and its rows then. `home` (n,): the last cluster a row belonged to; `leaves_at` (n,): the density at which it left.
    """

    parent: Integers
    birth: Doubles
    size: Integers
    home: Integers
    leaves_at: Doubles


@dataclass(frozen=True, slots=True)
class Flat:
    """(n,) int32 labels with -1 for noise, (n,) float32 probabilities, (k,) float64 persistence of each cluster."""

    labels: Labels
    probabilities: Floats
    persistence: Doubles


def single_linkage(edges: Doubles) -> tuple[Integers, Integers, Doubles]:
    """Turn (n - 1, 3) edges in order of weight into merges: children (n - 1, 2), sizes and distances.

    Node i < n is row i, node n + m is merge m. Nearly O(n): a plain loop of about a microsecond a row.
    """
    n = len(edges) + 1
    parent = list(range(2 * n - 1))
    size = [1] * n + [0] * (n - 1)
    children = np.empty((n - 1, 2), dtype=np.int64)
    ends = edges[:, :2].astype(np.int64).tolist()
    for merge, (left, right) in enumerate(ends):
        pair = []
        for node in (left, right):
            root = node
            while parent[root] != root:
                root = parent[root]
            while parent[node] != root:
                parent[node], node = root, parent[node]  # noqa: PLW2901 - walking up is the point
            pair.append(root)
        made = n + merge
        parent[pair[0]] = parent[pair[1]] = made
        size[made] = size[pair[0]] + size[pair[1]]
        children[merge] = pair
    return children, np.array(size), edges[:, 2].copy()


def condense(edges: Doubles, min_cluster_size: int) -> CondensedTree:
    """Keep the splits where both sides have `min_cluster_size` rows; smaller sides leave their cluster. O(n)."""
    n = len(edges) + 1
    children, sizes, distances = single_linkage(edges)
    floor = max(NEAREST * float(distances.mean()) if n > 1 else 1.0, 1e-300)
    density = (1.0 / np.maximum(distances, floor)).tolist()
    size_of, pairs = sizes.tolist(), children.tolist()
    cluster = [0] * (2 * n - 1)
    left_at = [np.nan] * (2 * n - 1)
    parent, birth, size = [-1], [0.0], [n]
    for node in range(2 * n - 2, n - 1, -1):
        mine, gone, here = cluster[node], left_at[node], density[node - n]
        left, right = pairs[node - n]
        large = [size_of[left] >= min_cluster_size, size_of[right] >= min_cluster_size]
        for child, is_large in zip((left, right), large, strict=True):
            cluster[child] = mine
            if gone == gone:  # noqa: PLR0124 - NaN: the node is still within its cluster
                left_at[child] = gone
            elif all(large):
                cluster[child] = len(parent)
                parent.append(mine)
                birth.append(here)
                size.append(size_of[child])
            elif not is_large or child < n:
                left_at[child] = here
    home, leaves = np.array(cluster[:n]), np.array(left_at[:n])
    return CondensedTree(np.array(parent), np.array(birth), np.array(size), home, np.nan_to_num(leaves))


def flatten(tree: CondensedTree, selection: Selection) -> Flat:
    """Select clusters and give each row its label and probability. O(n + c)."""
    chosen = _selected(tree, selection)
    owner = np.full(len(tree.parent), -1, dtype=np.int64)
    for cluster, above in enumerate(tree.parent.tolist()):
        owner[cluster] = cluster if chosen[cluster] else (owner[above] if above >= 0 else -1)
    belongs = owner[tree.home]
    if chosen[0]:
        belongs = np.where(_within_root(tree, selection), belongs, -1)
    if selection.later_only:
        belongs = np.where((belongs > 0) & (tree.leaves_at <= tree.birth[belongs]), -1, belongs)
    picked = np.flatnonzero(chosen)
    number = np.full(len(tree.parent) + 1, -1, dtype=np.int32)
    number[picked] = np.arange(len(picked))
    labels = number[belongs]
    return Flat(labels, _probabilities(tree, belongs), _persistence(tree, picked, belongs))


def _selected(tree: CondensedTree, selection: Selection) -> npt.NDArray[np.bool_]:
    if selection.method == "leaf":
        chosen = np.ones(len(tree.parent), dtype=np.bool_)
        chosen[tree.parent[1:]] = False
        chosen[0] = False
    else:
        chosen = _excess_of_mass(tree, selection)
    if selection.epsilon > 0:
        chosen = _above_threshold(tree, chosen, selection)
    return chosen


def stabilities(tree: CondensedTree) -> Doubles:
    """Return, for each cluster, how long its rows stay in it: the sum of density at leaving less density at birth."""
    counts = np.bincount(tree.home, minlength=len(tree.parent))
    total = np.bincount(tree.home, weights=tree.leaves_at, minlength=len(tree.parent)) - counts * tree.birth
    above = tree.parent[1:]
    total += np.bincount(
        above, weights=(tree.birth[1:] - tree.birth[above]) * tree.size[1:], minlength=len(tree.parent)
    )
    return np.asarray(total)


def _excess_of_mass(tree: CondensedTree, selection: Selection) -> npt.NDArray[np.bool_]:
    """Take a cluster when it is more stable than the best of what it splits into."""
    own = stabilities(tree).tolist()
    below = [0.0] * len(own)
    best = own.copy()
    wins = np.zeros(len(own), dtype=np.bool_)
    limit = selection.max_cluster_size or len(tree.home) + 1
    for cluster in range(len(own) - 1, -1, -1):
        may = cluster > 0 or selection.allow_single_cluster
        wins[cluster] = may and own[cluster] >= below[cluster] and tree.size[cluster] <= limit
        best[cluster] = own[cluster] if wins[cluster] else below[cluster]
        if cluster:
            below[tree.parent[cluster]] += best[cluster]
    return _topmost(tree, wins)


def _topmost(tree: CondensedTree, wins: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep only the clusters that win and lie in no other that does."""
    covered = np.zeros(len(wins), dtype=np.bool_)
    for cluster in range(1, len(wins)):
        above = tree.parent[cluster]
        covered[cluster] = covered[above] or wins[above]
    return wins & ~covered


def _above_threshold(tree: CondensedTree, chosen: npt.NDArray[np.bool_], selection: Selection) -> npt.NDArray[np.bool_]:
    """Replace a cluster born nearer than epsilon by its first ancestor born further away (Malzer and Baum 2020)."""
    wanted = np.zeros_like(chosen)
    for start in np.flatnonzero(chosen).tolist():
        cluster = start
        while cluster and tree.birth[cluster] * selection.epsilon > 1:
            above = int(tree.parent[cluster])
            if above == 0 and not selection.allow_single_cluster:
                break
            cluster = above
        wanted[cluster] = True
    return _topmost(tree, wanted)


def _within_root(tree: CondensedTree, selection: Selection) -> npt.NDArray[np.bool_]:
    """Say which rows belong to a single cluster of everything: those denser than epsilon, or that stay to its end."""
    if selection.epsilon > 0:
        return np.asarray(tree.leaves_at * selection.epsilon >= 1)
    return np.asarray(tree.leaves_at >= _last_density(tree)[0])


def _last_density(tree: CondensedTree) -> Doubles:
    """Return the density at which each cluster ends: when its last row leaves or it splits."""
    last = np.zeros(len(tree.parent))
    np.maximum.at(last, tree.home, tree.leaves_at)
    np.maximum.at(last, tree.parent[1:], tree.birth[1:])
    return last


def _probabilities(tree: CondensedTree, belongs: Integers) -> Floats:
    """Return how long a row stays in its cluster, as a share of the longest; 0 for noise."""
    last = _last_density(tree)[belongs]
    share = np.minimum(tree.leaves_at, last) / np.where(last > 0, last, 1.0)
    share = np.where(last > 0, share, 1.0)
    return np.where(belongs >= 0, share, 0.0).astype(np.float32)


def _persistence(tree: CondensedTree, picked: Integers, belongs: Integers) -> Doubles:
    """Return each cluster's stability as a share of what its rows could reach at the tree's greatest density."""
    sizes = np.bincount(belongs[belongs >= 0], minlength=len(tree.parent))[picked]
    reachable = sizes * float(tree.leaves_at.max(initial=0))
    return np.asarray(np.divide(stabilities(tree)[picked], reachable, out=np.zeros(len(picked)), where=reachable > 0))
