"""Leiden communities of a space's neighbour graph: rows that are nearer to one another than chance would have it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import sparse

from shoald.domain.clustering.fuzzy_graph import fuzzy_graph
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.parameters import LeidenParameters
from shoald.domain.clustering.spaces import Grouping, Integers, Neighbours, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, drawn, neighbours, shares

UNTIL_REST = 50
"""Passes at most when none is given."""
SMALL = 20_000
"""With fewer edges the luck of an order moves the quality by a percent or two, and passes cost milliseconds: the best
of ORDERS orders is taken."""
ORDERS = 4
GAIN = 1e-6
"""A pass that brings a smaller share of the quality is the last."""


def group_by_leiden(
    space: Space, parameters: LeidenParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Group rows into communities of the exact neighbour graph.

    Its edges weigh the cosine (negative ones are left out), or UMAP's membership for `euclidean`, joined over both
    directions. `RBConfiguration` is modularity at the resolution, `modularity` that at 1, `CPM` the constant Potts
    model. Communities below `min_cluster_size` are noise. O(passes · n k) after the graph.
    """
    n = len(space)
    seed = drawn(parameters.random_state)
    effective = {**asdict(parameters), "random_state": seed}
    if parameters.objective_function == "modularity":
        effective["resolution"] = 1.0
    graph = neighbours(space, parameters.n_neighbors + 1, parameters.metric, tools=tools, step=shares(step, 0.0, 0.6))
    edges = community_edges(graph)
    found, notes = _communities(edges, n, effective, tools, shares(step, 0.6, 1.0))
    labels, _ = by_size(_large(found, parameters.min_cluster_size))
    step(1.0)
    return Grouping(
        labels=labels,
        probabilities=(labels >= 0).astype(np.float32),
        effective=effective,
        notes={**notes, "edges": edges.nnz},
        warnings=_warnings(parameters, n),
    )


def community_edges(graph: Neighbours) -> Any:
    """Return the upper triangle of the symmetric graph, a CSR matrix of positive float64 weights."""
    n, k = graph.ids.shape
    if graph.metric != "cosine":
        edges = sparse.triu(fuzzy_graph(graph), k=1, format="csr").astype(np.float64)
        # memberships of what lies very far underflow, and the compiled loops take weights above 0
        edges.eliminate_zeros()
        return edges
    weights = np.maximum(1.0 - graph.distances[:, 1:], 0.0).ravel()
    rows = np.repeat(np.arange(n), k - 1)
    one_way = sparse.csr_matrix((weights, (rows, graph.ids[:, 1:].ravel())), shape=(n, n))
    edges = sparse.triu(one_way.maximum(one_way.T), k=1, format="csr")
    edges.eliminate_zeros()
    edges.sort_indices()
    return edges


def _communities(
    edges: Any, n: int, effective: dict[str, Any], tools: ClusterTools, step: Step
) -> tuple[Integers, dict[str, Any]]:
    """Return the best communities of all orders, and how they were found."""
    if not edges.nnz:
        return np.arange(n), {"quality": None, "passes": 0}
    search = _Passes(edges.tocoo(), n, effective, tools)
    orders = ORDERS if edges.nnz < SMALL else 1
    found = [search.run(order, shares(step, order / orders, (order + 1) / orders)) for order in range(orders)]
    labels, quality, passes = max(found, key=lambda one: one[1])
    return labels, {"quality": quality, "passes": passes, "orders": orders}


class _Passes:
    """Passes over one graph."""

    def __init__(self, upper: Any, n: int, effective: dict[str, Any], tools: ClusterTools) -> None:
        self._graph, self._n, self._estimators = upper, n, tools.estimators
        self._seed, self._passes = int(effective["random_state"]), int(effective["n_iterations"])
        self._resolution = float(effective["resolution"])
        self._modularity = effective["objective_function"] != "CPM"

    def run(self, order: int, step: Step) -> tuple[Integers, float, int]:
        """Pass after pass, each from what the last one found, until they are used up or bring nothing."""
        limit = self._passes if self._passes > 0 else UNTIL_REST
        first = self._seed + order * (UNTIL_REST + 1)
        labels, quality = self._once(None, first)
        step(1 / limit)
        for at in range(1, limit):
            before = quality
            labels, quality = self._once(labels, first + at)
            step((at + 1) / limit)
            if self._passes < 0 and quality <= before + GAIN * abs(before):
                return labels, quality, at + 1
        return labels, quality, limit

    def _once(self, start: Integers | None, seed: int) -> tuple[Integers, float]:
        upper = self._graph
        return self._estimators.communities(
            upper.row,
            upper.col,
            upper.data,
            self._n,
            start=start,
            resolution=self._resolution,
            modularity=self._modularity,
            seed=seed,
        )


def _large(labels: Integers, least: int) -> Integers:
    sizes = np.bincount(labels, minlength=1)
    return np.where(sizes[labels] >= least, labels, -1)


def _warnings(parameters: LeidenParameters, n: int) -> tuple[str, ...]:
    warnings = []
    if parameters.objective_function == "modularity" and parameters.resolution != 1:
        warnings.append("resolution does not apply to the objective modularity: 1 was used")
    if parameters.n_neighbors + 1 > n:
        warnings.append(f"n_neighbors {parameters.n_neighbors} exceeds the {n} vectors: every other one was used")
    return tuple(warnings)
