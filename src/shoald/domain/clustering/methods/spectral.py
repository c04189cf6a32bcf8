"""Spectral clustering of a space: rows are grouped by their places in a similarity graph's leading eigenvectors."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from shoald.domain.clustering.assignment import nearest_centres, squared_gaps
from shoald.domain.clustering.distances import blocks, distance_block_bytes, distance_blocks
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.kmeans import kmeans
from shoald.domain.clustering.merges import chained_merges
from shoald.domain.clustering.metrics import KERNEL_WORDS
from shoald.domain.clustering.parameters import KmeansParameters, SpectralParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Grouping, Integers, Neighbours, Space, Step, no_step
from shoald.domain.clustering.spectrum import basis_size, discretized, graph_pieces, leading_places
from shoald.domain.clustering.tools import ClusterTools, drawn, neighbours, shares
from shoald.domain.failures import NotEnoughPoints

DOUBLE_ROWS = 5_000
"""Up to so many rows the table of similarities is in float64, above it in float32."""
MOST_ROWS = 20_000
"""Above so many rows only neighbours' similarities are kept."""
NEAREST = 30
"""So many of them, at least."""
CRUMB = 20
"""A piece of the graph with less than the rows of an even group divided by this is no group of its own."""


def group_by_spectrum(
    space: Space, given: SpectralParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Group rows into `n_clusters` by the eigenvectors of their similarities, by k-means or by rotation.

    A table of n² similarities while it has room; else the kernel of the nearest neighbours only, which the notes name.
    Pieces of the graph smaller than a twentieth of an even group join the nearest group. Raises `NotEnoughPoints` with
    fewer rows than clusters, `InvalidFields` where a kernel refuses the vectors.
    """
    n, k = len(space), given.n_clusters
    given = _with_kernel_params(given)
    if n < k:
        raise NotEnoughPoints(f"spectral needs at least n_clusters = {k} vectors; there are {n}")
    seed = drawn(given.random_state)
    graph, notes, warnings = _similarities(space, given, tools, shares(step, 0.0, 0.3))
    whole, crumbs = _without_crumbs(graph, n, k)
    labels = np.full(n, -1, dtype=np.int64)
    part = graph if len(whole) == n else graph[whole][:, whole]
    labels[whole], more = _grouped(part, space.vectors[whole], given, seed, tools, shares(step, 0.3, 0.95))
    if len(crumbs):
        labels[crumbs] = _nearest_groups(space.vectors, labels, crumbs, tools)
        more.append(f"{len(crumbs)} rows in small pieces of the graph joined the nearest group")
    found, _ = by_size(labels)
    step(1.0)
    ones = np.ones(n, dtype=np.float32)
    effective = {**asdict(given), "random_state": seed}
    return Grouping(labels=found, probabilities=ones, effective=effective, notes=notes, warnings=(*warnings, *more))


def iteration_bytes(given: SpectralParameters, n: int) -> int:
    """Return the bytes of the vectors that the eigenvectors of n rows are found with."""
    return 8 * n * basis_size(n, given.n_components or given.n_clusters)


def table_bytes(given: SpectralParameters, n: int, d: int) -> int:
    """Return the bytes of the table of similarities of (n, d) vectors, with what is made beside it."""
    table = (8 if n <= DOUBLE_ROWS else 4) * n * n
    return table + distance_block_bytes(n, d) + iteration_bytes(given, n)


def has_room(given: SpectralParameters, n: int, d: int, memory: int | None) -> bool:
    """Say whether (n, d) vectors get a table of all similarities."""
    return n <= MOST_ROWS and (memory is None or table_bytes(given, n, d) <= memory)


def _similarities(
    space: Space, given: SpectralParameters, tools: ClusterTools, step: Step
) -> tuple[Any, dict[str, Any], list[str]]:
    """Return the graph, what to note of it, and the warnings."""
    n, d = space.vectors.shape
    if given.affinity == "nearest_neighbors":
        metric = "cosine" if space.metric == "cosine" and _is_unit(space.vectors) else "euclidean"
        graph = neighbours(space, min(given.n_neighbors, n), metric, tools=tools, step=step)
        return _joined(graph, np.ones(graph.ids.shape)), {"graph": "nearest neighbours"}, []
    if has_room(given, n, d, tools.memory):
        return (*_table(space.vectors, given, tools, step),)
    graph = neighbours(space, max(NEAREST, given.n_neighbors) + 1, "euclidean", tools=tools, step=step)
    reach = np.median(graph.distances[:, -1]) or 1.0
    gamma = given.gamma if given.affinity == "rbf" else 1.0 / reach**2
    weights = np.exp(-gamma * np.square(graph.distances))
    said = f"{n} rows are too many for a table of similarities: only those of {graph.k - 1} neighbours were used"
    warnings = [said] if given.affinity == "rbf" else [said, f"{given.affinity} gave way to rbf with gamma {gamma:.3g}"]
    return _joined(graph, weights), {"graph": "rbf of nearest neighbours"}, warnings


def _with_kernel_params(given: SpectralParameters) -> SpectralParameters:
    """Let numbers of the kernel win over the parameters of the same names; those that it does not take are left out."""
    words = KERNEL_WORDS.get(given.affinity, ())
    named: dict[str, Any] = {w: float(value) for w, value in (given.kernel_params or {}).items() if w in words}
    return replace(given, **named, kernel_params=None)


def _is_unit(vectors: Floats) -> bool:
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    return bool(np.abs(lengths - 1).max(initial=0) < 1e-4)  # noqa: PLR2004 - float32 rounding of unit rows


def _joined(graph: Neighbours, weights: Doubles) -> Any:
    """Return the mean of both directions, as scikit-learn has it; each row also counts among its own."""
    n, k = graph.ids.shape
    rows = np.repeat(np.arange(n), k)
    one_way = sparse.csr_matrix((weights.ravel(), (rows, graph.ids.ravel())), shape=(n, n))
    return ((one_way + one_way.T) / 2).tocsr()


def _table(
    vectors: Floats, given: SpectralParameters, tools: ClusterTools, step: Step
) -> tuple[npt.NDArray[Any], dict[str, Any], list[str]]:
    n = len(vectors)
    table = np.empty((n, n), dtype=np.float64 if n <= DOUBLE_ROWS else np.float32)
    block = distance_blocks(vectors, "euclidean", tools=tools) if given.affinity == "rbf" else None
    kernel = None if block else tools.estimators.similarities(vectors, given)
    lowest = 0.0
    for ids in blocks(np.arange(n), n):
        found = np.exp(-given.gamma * np.square(block(ids))) if block else kernel(ids)  # type: ignore[misc]
        lowest = min(lowest, float(found.min()))
        table[ids] = np.maximum(found, 0)
        step((ids[-1] + 1) / n)
    warnings = [f"similarities below 0 (down to {lowest:.3g}) count as 0"] if lowest < 0 else []
    return table, {"graph": f"{given.affinity} of all rows"}, warnings


def _without_crumbs(graph: Any, n: int, k: int) -> tuple[Integers, Integers]:
    """Return the rows in pieces that are large enough to matter, and the rest; all when too few would be left."""
    every = np.arange(n)
    if not sparse.issparse(graph):
        return every, every[:0]
    pieces = graph_pieces(graph)
    small = np.bincount(pieces)[pieces] < n / (CRUMB * k)
    return (every, every[:0]) if n - int(small.sum()) < k else (every[~small], every[small])


def _grouped(
    graph: Any, vectors: Floats, given: SpectralParameters, seed: int, tools: ClusterTools, step: Step
) -> tuple[Integers, list[str]]:
    k = given.n_clusters
    pieces = graph_pieces(graph) if sparse.issparse(graph) else np.zeros(len(vectors), dtype=np.int64)
    number = int(pieces.max(initial=-1)) + 1
    if number >= k:
        said = [f"the graph falls into {number} pieces: the nearest of them were merged"] if number > k else []
        return _merged_pieces(pieces, vectors, k), said
    columns = given.n_components or k
    places = leading_places(graph, columns, seed=seed, tolerance=given.eigen_tol, step=shares(step, 0.0, 0.7))
    said = [] if places.converged else ["not all eigenvectors converged; the others were used"]
    if given.assign_labels == "discretize" and places.values.shape[1] == k:
        return discretized(places.values, seed=seed), said
    if given.assign_labels == "discretize":
        said.append("discretize needs n_components = n_clusters: k-means was used")
    shape = KmeansParameters(n_clusters=k, n_init=given.n_init)
    found = kmeans(
        np.ascontiguousarray(places.values, dtype=np.float32),
        shape,
        seed,
        backend=tools.arrays,
        step=shares(step, 0.7, 1.0),
    )
    apart = len(np.unique(found.labels))
    if apart < k:
        said.append(f"only {apart} of {k} clusters have members: rows differ too little in {columns} eigenvectors")
    return found.labels, said


def _merged_pieces(pieces: Integers, vectors: Floats, k: int) -> Integers:
    """Merge pieces of the graph by Ward's criterion until k are left."""
    sizes = np.bincount(pieces).astype(np.float64)
    means = np.stack([vectors[pieces == piece].mean(axis=0, dtype=np.float64) for piece in range(len(sizes))])
    gaps = np.sqrt(squared_gaps(means))
    return chained_merges(gaps, sizes, "ward").cut(k)[pieces]


def _nearest_groups(vectors: Floats, labels: Integers, rows: Integers, tools: ClusterTools) -> Integers:
    known = labels >= 0
    groups, where = np.unique(labels[known], return_inverse=True)
    sums = tools.arrays.sum_by_label(tools.arrays.send(vectors[known]), tools.arrays.send(where), len(groups))
    means = tools.arrays.fetch(sums) / np.bincount(where)[:, None]
    nearest, _ = nearest_centres(
        np.ascontiguousarray(vectors[rows]), np.ascontiguousarray(means, dtype=np.float32), backend=tools.arrays
    )
    return groups[nearest]
