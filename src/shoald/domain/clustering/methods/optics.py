"""OPTICS on a space: the exact reachability plot, and the clusters in it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from shoald.domain.clustering.distances import distance_blocks
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.metrics import own_metric
from shoald.domain.clustering.parameters import OpticsParameters
from shoald.domain.clustering.plots import Reachability
from shoald.domain.clustering.reachability import Lists, listed, reachability
from shoald.domain.clustering.spaces import Grouping, Integers, Labels, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, neighbours, shares

LISTED = 32
"""Neighbours listed for the walk, at least."""


def group_by_optics(
    space: Space, parameters: OpticsParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Order rows by how near they are reached, and cut the plot by steepness (`xi`) or at a distance (`dbscan`).

    Labels are scikit-learn's but for their numbers. With fewer rows than `min_samples` all are noise. O(n² d) time at
    most, in products for euclidean and cosine; O(n d + n k) memory.
    """
    n = len(space)
    limit = np.inf if parameters.max_eps is None else parameters.max_eps
    eps = limit if parameters.eps is None else parameters.eps
    least = _least(parameters, n)
    if n < max(parameters.min_samples, 2):
        return _all_noise(n, parameters, f"{n} vectors are fewer than min_samples = {parameters.min_samples}")
    if n < least and parameters.cluster_method == "xi":
        return _all_noise(n, parameters, f"{n} vectors are fewer than min_cluster_size = {least}")
    plot = reachability_plot(space, parameters, limit, tools, step)
    if parameters.cluster_method == "dbscan":
        found = _cut(plot, eps)
    else:
        found = tools.estimators.steep_areas(plot, parameters, least)
    labels, _ = by_size(found)
    step(1.0)
    return Grouping(
        labels=labels,
        probabilities=(labels >= 0).astype(np.float32),
        effective={**asdict(parameters), "min_cluster_size": least},
        notes={"pieces": int((~np.isfinite(plot.distances)).sum())},
        warnings=_advice(labels),
    )


def reachability_plot(
    space: Space, parameters: OpticsParameters, limit: float, tools: ClusterTools, step: Step
) -> Reachability:
    """Return the order, distances and predecessors of a space."""
    n, metric = len(space), own_metric(parameters.metric, parameters.p, parameters.metric_params)
    k = min(n, max(LISTED, parameters.min_samples))
    lists = None
    if metric is not None:
        graph = neighbours(space, k, metric, tools=tools, exact=True, step=shares(step, 0.0, 0.5))
        lists = Lists(graph.ids, graph.distances)
    # its rows in doubles are not needed while the graph is built
    scan = distance_blocks(
        space.vectors, parameters.metric, tools=tools, p=parameters.p, metric_params=parameters.metric_params
    )
    lists = lists or listed(scan, n, k, shares(step, 0.0, 0.5))
    return reachability(lists, scan, parameters.min_samples, limit, step=shares(step, 0.5, 1.0))


def _cut(plot: Reachability, eps: float) -> Integers:
    """Return DBSCAN's clusters at a distance, border rows as the order has them."""
    far, core = plot.distances > eps, plot.cores <= eps
    labels = np.empty(len(far), dtype=np.int64)
    labels[plot.ordering] = np.cumsum((far & core)[plot.ordering]) - 1
    labels[far & ~core] = -1
    return labels


def _least(parameters: OpticsParameters, n: int) -> int:
    """Return the rows of the smallest cluster: a share of all below 1, `min_samples` when not given."""
    given = parameters.min_cluster_size
    if given is None:
        return parameters.min_samples
    return max(2, int(given * n)) if given <= 1 else int(given)


def _all_noise(n: int, parameters: OpticsParameters, why: str) -> Grouping:
    return Grouping(
        labels=np.full(n, -1, dtype=np.int32),
        probabilities=np.zeros(n, dtype=np.float32),
        effective=asdict(parameters),
        warnings=(f"{why}: all are noise",),
    )


def _advice(labels: Labels) -> tuple[str, ...]:
    noise = float((labels < 0).mean())
    if noise <= 0.5:  # noqa: PLR2004 - no more noise than clusters
        return ()
    return (f"{noise:.0%} noise: try a larger min_cluster_size, a umap step, or hdbscan",)
