"""A similarity graph in, the rows' places by its leading eigenvectors out (Ng, Jordan and Weiss 2002; Shi and Malik).

A graph in pieces has the eigenvalue 1 once for every piece, where iterations fail: the pieces are found first, each
gives its own vector exactly, and only what lies within a piece is iterated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

from shoald.domain.clustering.spaces import Doubles, Integers, Step, no_step

DENSE = 400
"""Up to so many rows all eigenvectors are computed at once."""
ROUNDS = 100
"""Products after which the progress of an iteration stands at a half."""


@dataclass(frozen=True, slots=True)
class Places:
    """(n, c) places by falling eigenvalue; (n,) which piece of the graph a row lies in; whether all converged."""

    values: Doubles
    pieces: Integers
    converged: bool


def graph_pieces(graph: Any) -> Integers:
    """Return (n,) the connected piece of each row."""
    return np.asarray(sparse.csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)


def leading_places(graph: Any, count: int, *, seed: int, tolerance: float = 0.0, step: Step = no_step) -> Places:
    """Return `count` leading eigenvectors of D^-1/2 W D^-1/2, each divided by sqrt(degree) and scaled to be of order 1.

    `graph` is (n, n), symmetric, without negative weights, sparse or dense; its diagonal does not count. At most n
    columns come back. O(rounds · edges).
    """
    pieces = graph_pieces(graph) if sparse.issparse(graph) else np.zeros(graph.shape[0], dtype=np.int64)
    number = int(pieces.max(initial=-1)) + 1
    wanted = max(1, count - number + 1)
    found: list[tuple[float, Integers, Doubles]] = []
    converged = True
    for piece in range(number):
        rows = np.flatnonzero(pieces == piece)
        part = graph if number == 1 else graph[rows][:, rows]
        values, vectors, ended = _leading(part, wanted, seed, tolerance, _share(step, piece, number))
        converged = converged and ended
        found += [(float(value), rows, vectors[:, at]) for at, value in enumerate(values)]
    found.sort(key=lambda one: (-round(one[0], 9), -len(one[1]), int(one[1][0])))
    places = np.zeros((graph.shape[0], min(count, len(found))))
    for column, (_, rows, vector) in enumerate(found[: places.shape[1]]):
        places[rows, column] = vector
    return Places(places, pieces, converged)


def _share(step: Step, piece: int, number: int) -> Step:
    return lambda done: step((piece + done) / number)


def _leading(graph: Any, count: int, seed: int, tolerance: float, step: Step) -> tuple[Doubles, Doubles, bool]:
    """Return the leading eigenvalues and places of one connected piece."""
    n = graph.shape[0]
    degrees, multiply = _normalized(graph)
    count = min(count, n)
    converged = True
    if n <= max(DENSE, count + 1):
        # column by column, so that sparse pieces need no other code
        whole = np.column_stack([multiply(column) for column in np.eye(n)])
        values, vectors = linalg.eigh((whole + whole.T) / 2, subset_by_index=[n - count, n - 1])
    else:
        values, vectors, converged = _iterated(multiply, n, count, seed, tolerance, step)
    order = np.argsort(-values, kind="stable")
    vectors = vectors[:, order] / np.sqrt(degrees)[:, None] * np.sqrt(degrees.sum())
    leading = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[leading, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    return values[order], np.asarray(vectors * signs), converged


def _normalized(graph: Any) -> tuple[Doubles, Callable[[Doubles], Doubles]]:
    """Return the degrees (1 for a row without edges) and what multiplies with the normalized graph."""
    diagonal = np.asarray(graph.diagonal(), dtype=np.float64)
    degrees = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel() - diagonal
    degrees = np.where(degrees > 0, degrees, 1.0)
    scale = 1 / np.sqrt(degrees)

    def multiply(vector: Doubles) -> Doubles:
        scaled = scale * np.asarray(vector).ravel()
        return np.asarray(scale * (graph @ scaled.astype(graph.dtype) - diagonal * scaled), dtype=np.float64)

    return degrees, multiply


def _iterated(
    multiply: Callable[[Doubles], Doubles], n: int, count: int, seed: int, tolerance: float, step: Step
) -> tuple[Doubles, Doubles, bool]:
    """Run Lanczos' iteration from a seeded start; what has not converged is left out."""
    products = 0

    def counted(vector: Doubles) -> Doubles:
        nonlocal products
        products += 1
        step(products / (products + ROUNDS))
        return multiply(vector)

    operator = sparse_linalg.LinearOperator((n, n), matvec=counted, dtype=np.float64)
    start = np.random.default_rng(seed).uniform(-1, 1, n)
    try:
        values, vectors = sparse_linalg.eigsh(
            operator, count, which="LA", v0=start, ncv=basis_size(n, count), tol=tolerance
        )
    except sparse_linalg.ArpackNoConvergence as stopped:
        return stopped.eigenvalues, stopped.eigenvectors, False
    return values, vectors, True


def basis_size(n: int, count: int) -> int:
    """Return how many vectors of n rows are held while `count` eigenvectors are found."""
    return min(n, max(2 * count + 1, 40))


def discretized(places: Doubles, *, seed: int, rounds: int = 30) -> Integers:
    """Return labels by rotating places until each lies near one axis (Yu and Shi 2003): as many as there are columns.

    The rotation starts from rows far apart; it ends when the cut no longer changes.
    """
    n, k = places.shape
    rows = places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-300)
    rotation = np.zeros((k, k))
    rotation[:, 0] = rows[np.random.default_rng(seed).integers(n)]
    alike = np.zeros(n)
    for column in range(1, k):
        alike += np.abs(rows @ rotation[:, column - 1])
        rotation[:, column] = rows[alike.argmin()]
    before = 0.0
    labels = np.zeros(n, dtype=np.int64)
    for _ in range(rounds):
        labels = (rows @ rotation).argmax(axis=1)
        indicator = sparse.csr_matrix((np.ones(n), labels, np.arange(n + 1)), shape=(n, k))
        left, values, right = linalg.svd(indicator.T @ rows)
        cut = 2.0 * (n - values.sum())
        if abs(cut - before) < np.finfo(np.float64).eps:
            break
        before, rotation = cut, (left @ right).T
    return np.asarray(labels, dtype=np.int64)
