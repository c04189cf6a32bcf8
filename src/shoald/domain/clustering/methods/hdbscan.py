"""HDBSCAN on a space: its groups, how firmly rows belong, and how long each group persists."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from shoald.domain.clustering.condensed_tree import condense, effective_hdbscan, flatten, selection_of
from shoald.domain.clustering.distances import distance_blocks
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.metrics import OWN_METRICS, TREE_METRICS, own_metric
from shoald.domain.clustering.parameters import HdbscanParameters
from shoald.domain.clustering.spaces import Doubles, Grouping, Labels, Space, Step, no_step
from shoald.domain.clustering.spanning_tree import ordered_edges, spanning_tree, spanning_tree_of_any_metric
from shoald.domain.clustering.tools import ClusterTools, neighbours

FEW_DIMENSIONS = 30
"""Up to here trees that cut space beat matrix products (measured at 10 and 256 dimensions, not between)."""
MANY_DIMENSIONS = 256
"""A layout fills few of its dimensions: there the trees win up to here (measured 7 times at 50, 3 times at 128)."""
LISTED = 16
"""Neighbours listed for the spanning tree, at least."""


def group_by_hdbscan(space: Space, given: HdbscanParameters, *, tools: ClusterTools, step: Step = no_step) -> Grouping:
    """Group rows by density; the spanning tree is exact by whichever way is cheaper in so many dimensions."""
    n = len(space)
    parameters = effective_hdbscan(given, n)
    warnings = []
    if n < parameters.min_cluster_size:
        warnings.append(f"{n} vectors are fewer than min_cluster_size = {parameters.min_cluster_size}: all are noise")
    reference = parameters.match_reference_implementation
    if reference and (own_metric(parameters.metric) or parameters.metric) not in {"euclidean", *TREE_METRICS}:
        warnings.append(f"the library has no tree for {parameters.metric}: ties keep our own order")
    if parameters.metric in TREE_METRICS and parameters.alpha != 1 and not reference:
        warnings.append(f"alpha does not apply to the metric {parameters.metric}")
        parameters = replace(parameters, alpha=1.0)
    edges, notes = _shared_tree(space, parameters, tools, step)
    flat = flatten(condense(edges, parameters.min_cluster_size), selection_of(parameters))
    labels, old = by_size(flat.labels)
    notes["persistence"] = [round(value, 6) for value in flat.persistence[old].tolist()]
    step(1.0)
    return Grouping(
        labels=labels,
        probabilities=flat.probabilities,
        effective=asdict(parameters),
        notes=notes,
        warnings=(*warnings, *_of_approximation(notes), *_advice(labels, space)),
    )


def _shared_tree(
    space: Space, parameters: HdbscanParameters, tools: ClusterTools, step: Step
) -> tuple[Doubles, dict[str, Any]]:
    """Return the spanning tree that another setting has made, or make it; it depends on few of the parameters."""
    if tools.trees is None:
        return _density_tree(space, parameters, tools, step)
    reference = parameters.match_reference_implementation
    key = f"{space.key}-{parameters.metric}-{parameters.min_samples}-{parameters.alpha}-{reference}"
    if key not in tools.trees:
        tools.trees[key] = _density_tree(space, parameters, tools, step)
    edges, notes = tools.trees[key]
    return edges, dict(notes)


def _density_tree(
    space: Space, parameters: HdbscanParameters, tools: ClusterTools, step: Step
) -> tuple[Doubles, dict[str, Any]]:
    """Return the spanning tree by whichever way is cheaper in so many dimensions, and say which."""
    core = int(parameters.min_samples or 1)
    n, d = space.vectors.shape
    metric = own_metric(parameters.metric) or parameters.metric
    own = metric in OWN_METRICS
    if n == 1:
        return np.empty((0, 3)), {"spanning_tree": "none"}
    if parameters.match_reference_implementation and (metric == "euclidean" or metric in TREE_METRICS):
        edges = tools.estimators.reference_tree(space.vectors, core, metric, parameters.alpha)
        return edges, {"spanning_tree": "reference"}
    few = d <= (MANY_DIMENSIONS if space.is_layout else FEW_DIMENSIONS) and metric != "cosine" and parameters.alpha == 1
    if not own and metric not in TREE_METRICS:
        block = distance_blocks(space.vectors, metric, tools=tools)
        edges = spanning_tree_of_any_metric(block, n, core, parameters.alpha, step=step)
        return edges, {"spanning_tree": "all_distances"}
    if few or not own:
        edges = tools.estimators.spanning_tree(space.vectors, core, metric)
        return ordered_edges(edges), {"spanning_tree": "dual_tree"}
    graph = neighbours(space, max(LISTED, core + 1), metric, tools=tools, step=lambda done: step(0.6 * done))
    tree = spanning_tree(
        space.vectors, graph, core, parameters.alpha, backend=tools.arrays, step=lambda done: step(0.6 + 0.4 * done)
    )
    notes = {"spanning_tree": "products", "rows_scanned": tree.scanned, "pieces_joined": tree.joined}
    if graph.recall is not None:
        notes |= {"spanning_tree": "approximate", "neighbours_recall": graph.recall}
    return tree.edges, notes


def _of_approximation(notes: dict[str, Any]) -> list[str]:
    """Say that the tree is not exact where it is not."""
    if notes.get("spanning_tree") != "approximate":
        return []
    recall = f"{notes['neighbours_recall']:.1%}"
    return [f"the spanning tree is approximate: in a sample {recall} of the nearest neighbours were found"]


def _advice(labels: Labels, space: Space) -> list[str]:
    """Say what to try where density finds little in many dimensions."""
    noise = float((labels < 0).mean())
    if space.vectors.shape[1] <= FEW_DIMENSIONS or (noise <= 0.5 and labels.max(initial=-1) > 1):  # noqa: PLR2004
        return []
    return [
        f"{labels.max(initial=-1) + 1} groups and {noise:.0%} noise: try a umap preprocessing step, or leaf selection"
    ]
