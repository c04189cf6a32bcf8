"""A neighbour graph in, UMAP's symmetric graph of memberships out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from shoald.domain.clustering.spaces import Doubles, Neighbours

BISECTIONS = 48


def fuzzy_graph(neighbours: Neighbours) -> Any:
    """Return the (n, n) CSR matrix of float32 memberships in (0, 1], indices sorted, no diagonal.

    Each row's distances beyond its nearest other point become exp(-(distance - nearest) / scale), the scale such that
    they sum to log2 k (McInnes, Healy and Melville 2018, section 3.1); both directions are joined as a fuzzy union.
    All rows are bisected at once. O(n k).
    """
    distances = neighbours.distances[:, 1:]
    n, others = distances.shape
    if others == 0:
        return sparse.csr_matrix((n, n), dtype=np.float32)
    positive = np.where(distances > 0, distances, np.inf).min(axis=1)
    beyond = np.maximum(distances - np.where(np.isfinite(positive), positive, 0.0)[:, None], 0.0)
    weights = np.exp(-beyond / _scales(beyond, distances)[:, None])
    rows = np.repeat(np.arange(n), others)
    one_way = sparse.csr_matrix((weights.ravel(), (rows, neighbours.ids[:, 1:].ravel())), shape=(n, n))
    other_way = one_way.T.tocsr()
    union = (one_way + other_way - one_way.multiply(other_way)).tocsr().astype(np.float32)
    union.sort_indices()
    return union


def _scales(beyond: Doubles, distances: Doubles) -> Doubles:
    """Bisect each row's scale so that the memberships sum to log2 of the neighbour count, itself included."""
    n, others = beyond.shape
    target = np.log2(others + 1)
    low, high, scale = np.zeros(n), np.full(n, np.inf), np.ones(n)
    for _ in range(BISECTIONS):
        too_large = np.exp(-beyond / scale[:, None]).sum(axis=1) > target
        high, low = np.where(too_large, scale, high), np.where(too_large, low, scale)
        scale = np.where(np.isinf(high), scale * 2, (low + high) / 2)
    floor = 1e-3 * np.where(distances.any(axis=1), distances.mean(axis=1), distances.mean())
    return np.asarray(np.maximum(scale, np.maximum(floor, 1e-12)))
