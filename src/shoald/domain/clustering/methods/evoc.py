"""Embedding vector oriented clustering of a space: one layout of few dimensions, many granularities, the firmest kept.

The idea is EVoC's (McInnes 2025): lay the neighbour graph out in a few dimensions, grow one spanning tree there, and
read groups off it at many smallest sizes. The layout, the exact tree and the choice are Shoal's own: the library takes
minutes to load, and its tree falls apart with its neighbour graph.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shoald.domain.clustering.condensed_tree import Selection, condense, flatten
from shoald.domain.clustering.fuzzy_graph import fuzzy_graph
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.layout import LayoutParameters, layout
from shoald.domain.clustering.parameters import EvocParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Grouping, Labels, Space, Step, no_step
from shoald.domain.clustering.spanning_tree import ordered_edges
from shoald.domain.clustering.starting_positions import starting_positions
from shoald.domain.clustering.tools import ClusterTools, drawn, neighbours, shares

FEWEST = 8
"""Fewer rows than this have no layout."""
EPOCHS = 200
FINER = 1.25
"""Each granularity asks for groups so many times as large as the last."""
WIDEST = 15
NARROWEST = 4
EVEN = 0.5
"""The noise level at which density alone decides."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """The groups of one granularity, and over how wide a range of sizes its rows' groups persist."""

    size: int
    groups: int
    persistence: float


def group_by_evoc(space: Space, parameters: EvocParameters, *, tools: ClusterTools, step: Step = no_step) -> Grouping:
    """Group rows at the granularity that persists over the widest range of sizes, or nearest to `approx_n_clusters`.

    `noise_level` 0.5 is what density says; towards 0 the noise nearest to groups joins them (at 0 all of it), towards
    1 rows leave that belong loosely (at 1 all but the firmest). Fewer than FEWEST rows are one group. The layers that
    were looked at stand in the notes.
    """
    n = len(space)
    seed = drawn(parameters.random_state)
    effective = {**asdict(parameters), "random_state": seed}
    if n < FEWEST:
        labels = np.zeros(n, dtype=np.int32)
        said = (f"evoc needs {FEWEST} vectors; {n} are one group",)
        return Grouping(labels=labels, probabilities=np.ones(n, dtype=np.float32), effective=effective, warnings=said)
    places, edges = _tree(space, parameters, seed, tools, shares(step, 0.0, 0.9))
    layers = _layers(edges, parameters.base_min_cluster_size)
    chosen = _chosen(layers, parameters.approx_n_clusters)
    flat = flatten(condense(edges, chosen.size), Selection(method="leaf"))
    labels = _at_noise_level(flat.labels, flat.probabilities, places, parameters.noise_level)
    found, _ = by_size(labels)
    step(1.0)
    notes = {
        "layers": [{"min_cluster_size": one.size, "groups": one.groups} for one in layers],
        "min_cluster_size": chosen.size,
        "implementation": "shoal",
    }
    probabilities = np.where(found >= 0, flat.probabilities, 0).astype(np.float32)
    return Grouping(
        labels=found,
        probabilities=probabilities,
        effective=effective,
        notes=notes,
        warnings=_advice(parameters, chosen),
    )


def _tree(
    space: Space, parameters: EvocParameters, seed: int, tools: ClusterTools, step: Step
) -> tuple[Floats, Doubles]:
    """Lay the rows out in a few dimensions; return their places and the edges of the spanning tree there."""
    n = len(space)
    dimensions = min(max(parameters.n_neighbors // 4, NARROWEST), WIDEST)
    graph = neighbours(space, min(n, parameters.n_neighbors + 1), "cosine", tools=tools, step=shares(step, 0.0, 0.3))
    start = starting_positions(space.vectors, dimensions, seed=seed, backend=tools.arrays)
    how = LayoutParameters(epochs=EPOCHS, min_dist=0.0, seed=seed)
    places = layout(fuzzy_graph(graph), start, how, backend=tools.arrays, step=shares(step, 0.3, 0.9))
    edges = tools.estimators.spanning_tree(places, min(parameters.min_samples, n - 1), "euclidean")
    step(1.0)
    return places, ordered_edges(edges)


def _layers(edges: Doubles, smallest: int) -> list[_Layer]:
    """Look at groups of at least 1, 1.25, 1.25² … times the smallest size, until none is left.

    A group lives from the size that its largest inner split reaches to the size of the smaller of it and its sibling; a
    layer's weight adds up the logarithm of that range over the rows of the groups that live at its size.
    """
    n = len(edges) + 1
    born, died, rows = _lives(edges, smallest)
    held = rows * np.log(died / born) / n
    layers: list[_Layer] = []
    size = smallest
    while size <= n:
        alive = (born <= size) & (size <= died)
        layers.append(_Layer(size, int(alive.sum()), float(held[alive].sum())))
        if not alive.any():
            break
        size = max(size + 1, int(size * FINER))
    return layers or [_Layer(smallest, 0, 0.0)]


def _lives(edges: Doubles, smallest: int) -> tuple[Doubles, Doubles, Doubles]:
    """Return, for each group of the finest tree but the whole, the sizes between which it is a leaf, and its rows."""
    tree = condense(edges, smallest)
    born = np.full(len(tree.parent), float(smallest))
    died = tree.size.astype(np.float64)
    # children come in pairs, after their parent
    for left in range(len(tree.parent) - 2, 0, -2):
        above, least = int(tree.parent[left]), float(tree.size[left : left + 2].min())
        died[left : left + 2] = least
        born[above] = max(born[above], born[left : left + 2].max(), least + 1)
    return born[1:], np.maximum(died, born)[1:], tree.size[1:].astype(np.float64)


def _chosen(layers: list[_Layer], wanted: int | None) -> _Layer:
    """Return the layer that persists most, or the one whose groups are nearest in number to what is wanted."""
    if wanted is not None:
        return min(layers, key=lambda one: (abs(one.groups - wanted), one.size))
    return max(layers, key=lambda one: (one.persistence, -one.size))


def _at_noise_level(labels: Labels, probabilities: Floats, places: Floats, level: float) -> Labels:
    """Let the noise nearest to groups join them, or let loose rows leave, by how far the level is from even."""
    if level < EVEN and (labels >= 0).any():
        return _joined(labels, places, 1 - level / EVEN)
    if level > EVEN:
        return np.where(probabilities >= (level - EVEN) / (1 - EVEN), labels, -1).astype(np.int32)
    return labels


def _joined(labels: Labels, places: Floats, share: float) -> Labels:
    """Give the nearest share of the noise the group of its nearest grouped row."""
    from scipy.spatial import cKDTree

    known, noise = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    if not len(noise):
        return labels
    apart, nearest = cKDTree(places[known]).query(places[noise])
    joining = np.argsort(apart, kind="stable")[: int(np.ceil(share * len(noise)))]
    found = labels.copy()
    found[noise[joining]] = labels[known[nearest[joining]]]
    return found


def _advice(parameters: EvocParameters, chosen: _Layer) -> tuple[str, ...]:
    wanted: Any = parameters.approx_n_clusters
    if wanted is not None and chosen.groups != wanted:
        return (f"no granularity has {wanted} groups: the nearest has {chosen.groups}",)
    return ()
