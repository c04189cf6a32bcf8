"""Agglomerative clustering of a space: exact while a table of distances has room, else over small groups."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from shoald.domain.clustering.distances import blocks, distance_block_bytes, distance_blocks
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.kmeans import small_groups
from shoald.domain.clustering.merges import Merges, chained_merges
from shoald.domain.clustering.metrics import own_metric
from shoald.domain.clustering.parameters import AgglomerativeParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Grouping, Integers, Space, Step, no_step
from shoald.domain.clustering.spanning_tree import spanning_tree
from shoald.domain.clustering.tools import ClusterTools, neighbours, shares
from shoald.domain.failures import NotEnoughPoints

SMALL_GROUPS = 2000
"""So many small groups stand for the rows where a table of all distances has no room."""
LISTED = 16
MOST_ROWS = 30_000
"""Above so many rows the table is not made even where it has room: 7 GB, and minutes."""
HEIGHTS = 20
"""So many of the last merges' heights are recorded."""


def group_by_agglomeration(
    space: Space, given: AgglomerativeParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Merge the nearest groups until `n_clusters` are left, or none lie nearer than `distance_threshold`.

    `single` is exact at any size by the minimum spanning tree (O(n k) memory); the other linkages take a table of n²
    doubles. Where that has no room, k-means makes SMALL_GROUPS small groups and these are merged by their sizes:
    another method, named in the notes. Raises `NotEnoughPoints` when there are fewer rows than clusters.
    """
    n, d = space.vectors.shape
    parameters = _checked(given, n)
    if parameters.linkage == "single" and own_metric(parameters.affinity):
        merges, rows, how = _single(space, parameters.affinity, tools, step), np.arange(n), "spanning tree"
    elif has_room(n, d, tools.memory):
        merges, rows, how = _exact(space.vectors, parameters, tools, step), np.arange(n), "all distances"
    else:
        merges, rows, how = _approximate(space.vectors, parameters, tools, step)
    groups = parameters.n_clusters or merges.groups_below(parameters.distance_threshold or np.inf)
    labels, _ = by_size(merges.cut(groups)[rows])
    step(1.0)
    notes = {"method": how, "last_heights": merges.heights[-HEIGHTS:].tolist()}
    warnings = () if how != "small groups" else (_said(n, len(merges.pairs) + 1),)
    ones = np.ones(n, dtype=np.float32)
    return Grouping(labels=labels, probabilities=ones, effective=asdict(parameters), notes=notes, warnings=warnings)


def table_bytes(n: int, d: int) -> int:
    """Return the bytes of the table of all distances of (n, d) vectors with what is made beside it."""
    return 8 * n * n + 100 * n + distance_block_bytes(n, d)


def has_room(n: int, d: int, memory: int | None) -> bool:
    """Say whether (n, d) vectors get a table of all distances."""
    return n <= SMALL_GROUPS or (n <= MOST_ROWS and (memory is None or table_bytes(n, d) <= memory))


def _said(n: int, groups: int) -> str:
    return f"{n} rows are too many for a table of all distances: {groups} small k-means groups of them were merged"


def _checked(given: AgglomerativeParameters, n: int) -> AgglomerativeParameters:
    """Let the threshold decide alone where both are given; raises `NotEnoughPoints`."""
    if given.distance_threshold is not None:
        given = replace(given, n_clusters=None)
    if n < (given.n_clusters or 1):
        raise NotEnoughPoints(f"agglomerative needs at least n_clusters = {given.n_clusters} vectors; there are {n}")
    return given


def _single(space: Space, metric: str, tools: ClusterTools, step: Step) -> Merges:
    """Single linkage cuts the minimum spanning tree of the plain distances."""
    if len(space) == 1:
        return Merges(np.empty((0, 2), dtype=np.int64), np.empty(0))
    graph = neighbours(space, LISTED, metric, tools=tools, exact=True, step=shares(step, 0.0, 0.6))
    tree = spanning_tree(space.vectors, graph, 0, 1.0, backend=tools.arrays, step=shares(step, 0.6, 1.0))
    return Merges(tree.edges[:, :2].astype(np.int64), tree.edges[:, 2])


def _exact(vectors: Floats, parameters: AgglomerativeParameters, tools: ClusterTools, step: Step) -> Merges:
    n = len(vectors)
    table = _table(vectors, parameters.affinity, tools, shares(step, 0.0, 0.2))
    if parameters.linkage == "single":
        return _single_of(table)
    return chained_merges(table, np.ones(n), parameters.linkage, step=shares(step, 0.2, 1.0))


def _table(vectors: Floats, metric: str, tools: ClusterTools, step: Step) -> Doubles:
    """Return all distances, symmetric to the last bit."""
    n = len(vectors)
    block = distance_blocks(vectors, metric, tools=tools)
    table = np.empty((n, n))
    for ids in blocks(np.arange(n), n):
        table[ids] = block(ids)
        above = np.arange(ids[0])
        table[ids[0] : ids[-1] + 1, : ids[0]] = table[above, ids[0] : ids[-1] + 1].T
        step((ids[-1] + 1) / n)
    for ids in blocks(np.arange(n), n):
        square = table[ids[0] : ids[-1] + 1, ids[0] : ids[-1] + 1]
        square[:] = np.maximum(square, square.T.copy())
    return table


def _single_of(table: Doubles) -> Merges:
    """Grow the spanning tree of a table row by row (Prim); any metric."""
    n = len(table)
    best, source, inside = np.full(n, np.inf), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    pairs, heights, here = np.empty((n - 1, 2), dtype=np.int64), np.empty(n - 1), 0
    for at in range(n - 1):
        inside[here] = True
        nearer = table[here] < best
        best[nearer], source[nearer] = table[here][nearer], here
        best[inside] = np.inf
        here = int(best.argmin())
        pairs[at], heights[at] = (source[here], here), best[here]
    order = np.argsort(heights, kind="stable")
    return Merges(pairs[order], heights[order])


def _approximate(
    vectors: Floats, parameters: AgglomerativeParameters, tools: ClusterTools, step: Step
) -> tuple[Merges, Integers, str]:
    """Merge the means of small k-means groups, weighted by their sizes."""
    count = max(SMALL_GROUPS, 2 * (parameters.n_clusters or 1))
    rows, old = by_size(small_groups(vectors, count, backend=tools.arrays, step=shares(step, 0.0, 0.7)))
    sizes = np.bincount(rows).astype(np.float64)
    sums = tools.arrays.fetch(
        tools.arrays.sum_by_label(tools.arrays.send(vectors), tools.arrays.send(rows.astype(np.int64)), len(old))
    )
    means = np.ascontiguousarray(sums / sizes[:, None], dtype=np.float32)
    table = _table(means, parameters.affinity, tools, shares(step, 0.7, 0.8))
    if parameters.linkage == "single":
        return _single_of(table), rows.astype(np.int64), "small groups"
    return (
        chained_merges(table, sizes, parameters.linkage, step=shares(step, 0.8, 1.0)),
        rows.astype(np.int64),
        "small groups",
    )
