"""Leiden passes on arrays: edges in, communities out (Traag, Waltman and van Eck 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from shoald.domain.clustering.spaces import Doubles, Integers

SLACK = 1e-10
"""A gain below this share of the mean weight is rounding."""


def leiden_pass(  # noqa: PLR0913 - a graph is three arrays
    left: Integers,
    right: Integers,
    weights: Doubles,
    n: int,
    start: Integers | None,
    resolution: float,
    *,
    modularity: bool,
    seed: int,
) -> tuple[Integers, float]:
    """Return (n,) communities and their quality; rows without edges get communities of their own.

    Moves rows, refines, and goes on with the refined parts as rows, until no community has two of them. The quality
    is the modularity, or for the Potts model what edges within weigh beyond `resolution` a pair, as a share of all
    weight. The first call of a process loads compiled code, the first of an installation compiles for some seconds.
    Nothing stops a pass: a worker that is told to cancel ends the process (`worker.parent`).
    """
    one_way = sparse.csr_matrix((weights, (left, right)), shape=(n, n))
    graph = one_way + one_way.T.tocsr()
    degrees = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    total = float(degrees.sum())
    masses, gamma = (degrees, resolution / (total or 1.0)) if modularity else (np.ones(n), resolution)
    before = np.arange(n) if start is None else np.unique(start, return_inverse=True)[1]
    labels = _communities(graph, masses, before, gamma, np.random.default_rng(seed))
    return labels, _quality(graph, masses, labels, gamma) / (total or 1.0)


def _communities(graph: Any, masses: Doubles, labels: Integers, gamma: float, random: np.random.Generator) -> Integers:
    """Go up level by level; return the communities of the first level's rows."""
    from shoald.adapters.estimators.leiden_kernels import merged_rows, move_rows, refine_rows

    arrays = (graph.indptr, graph.indices, graph.data)
    slack = SLACK * float(graph.data.mean()) if graph.nnz else 0.0
    member, labels = np.arange(len(labels)), labels.astype(np.int64)
    while True:
        n = len(labels)
        move_rows(arrays, masses, labels, gamma, random.permutation(n), slack)
        names, labels = np.unique(labels, return_inverse=True)
        if len(names) == n:
            return np.asarray(labels[member], dtype=np.int64)
        parts = refine_rows(arrays, masses, labels, gamma, random.permutation(n), slack)
        kept, parts = np.unique(parts, return_inverse=True)
        if len(kept) == n:
            # nothing could be joined well: the communities themselves go on, so that this ends
            kept, parts = np.unique(labels, return_index=True)[1], labels
        member, labels = parts[member], labels[kept]
        arrays = merged_rows(arrays, parts, np.argsort(parts, kind="stable"), _begins(parts, len(kept)))
        masses = np.bincount(parts, weights=masses, minlength=len(kept)).astype(np.float64)


def _begins(parts: Integers, count: int) -> Integers:
    """Return where each of the parts begins when rows are ordered by them, and the end."""
    return np.concatenate([[0], np.cumsum(np.bincount(parts, minlength=count))])


def _quality(graph: Any, masses: Doubles, labels: Integers, gamma: float) -> float:
    """Return twice the inner weight less gamma times the squared masses of the communities."""
    from shoald.adapters.estimators.leiden_kernels import weight_within

    inner = float(weight_within((graph.indptr, graph.indices, graph.data), labels))
    return inner - gamma * float(np.square(np.bincount(labels, weights=masses)).sum())
