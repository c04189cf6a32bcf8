"""The choice of an algorithm from the size, the dimensions and a look at the data; and the reason, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shoald.domain.clustering.methods.hdbscan import group_by_hdbscan
from shoald.domain.clustering.parameters import (
    AutoParameters,
    HdbscanParameters,
    KmeansParameters,
    LeidenParameters,
)
from shoald.domain.clustering.spaces import Space
from shoald.domain.clustering.tools import ClusterTools

LOOKED_AT = 2_000
"""Rows of the look, evenly apart."""
FEW_DIMENSIONS = 30
MANY_ROWS = 200_000
"""Above so many rows the exact neighbour graph costs more than means do (quadratic; minutes at 100,000)."""
QUIET = 0.35
"""Density is trusted when it leaves no more noise than this in the look, and finds groups."""
SMALLEST = 5
LARGEST = 1000

Chosen = KmeansParameters | HdbscanParameters | LeidenParameters


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen algorithm's parameters, why it was chosen, what the look saw, and what does not apply to it."""

    parameters: Chosen
    why: str
    look: dict[str, Any]
    warnings: tuple[str, ...] = ()


def choose(space: Space, given: AutoParameters, *, tools: ClusterTools) -> Choice:
    """Choose: means for a given number of groups or very many rows; density where the look finds clear groups or the
    dimensions are few; communities of the neighbour graph elsewhere. O(LOOKED_AT² d).
    """
    n, d = space.vectors.shape
    if given.n_clusters is not None:
        means = KmeansParameters(n_clusters=given.n_clusters, random_state=given.random_state)
        return Choice(means, f"n_clusters = {given.n_clusters} was asked for", {}, _idle(given, "kmeans"))
    smallest = given.min_cluster_size or max(SMALLEST, round(n**0.4))
    if n > MANY_ROWS:
        k = int(min(LARGEST, max(8, np.sqrt(n / 2))))
        means = KmeansParameters(n_clusters=k, n_init=3, random_state=given.random_state)
        why = f"{n} rows are more than {MANY_ROWS}, where a neighbour graph costs more than k-means"
        return Choice(means, why, {}, _idle(given, "kmeans"))
    density = HdbscanParameters(min_cluster_size=max(2, min(smallest, n)))
    if d <= FEW_DIMENSIONS or space.is_layout:
        return Choice(density, f"{d} dimensions are few enough for density", {})
    look = _look(space, smallest, tools)
    if look["groups"] > 1 and look["noise_ratio"] <= QUIET:
        why = f"density finds {look['groups']} groups in {look['rows']} rows, with {look['noise_ratio']:.0%} noise"
        return Choice(density, why, look)
    why = (
        f"density finds {look['groups']} groups and {look['noise_ratio']:.0%} noise in {look['rows']} rows of {d} "
        "dimensions: communities of the neighbour graph leave no row out"
    )
    communities = LeidenParameters(min_cluster_size=given.min_cluster_size or 0, random_state=given.random_state)
    return Choice(communities, why, look)


def _look(space: Space, smallest: int, tools: ClusterTools) -> dict[str, Any]:
    """Run density on rows evenly apart, asking for groups as much smaller as the look is."""
    n = len(space)
    rows = np.unique(np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(np.int64))
    part = Space(np.ascontiguousarray(space.vectors[rows]), space.name, space.metric)
    # a small group of the whole has few rows in the look
    size = max(SMALLEST, round(smallest * len(rows) / max(n, 1)))
    aside = ClusterTools(arrays=tools.arrays, estimators=tools.estimators, memory=tools.memory)
    found = group_by_hdbscan(part, HdbscanParameters(min_cluster_size=size), tools=aside)
    noise = float((found.labels < 0).mean()) if len(rows) else 1.0
    return {"rows": len(rows), "min_cluster_size": size, "groups": found.count, "noise_ratio": round(noise, 4)}


def _idle(given: AutoParameters, chosen: str) -> tuple[str, ...]:
    if given.min_cluster_size is None:
        return ()
    return (f"min_cluster_size does not apply: {chosen} was chosen",)
