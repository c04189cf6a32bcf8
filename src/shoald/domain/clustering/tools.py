"""What the algorithms compute with: an array library, the compiled estimators, and the graphs built so far."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from shoald.domain.clustering.approximate_graph import SAMPLE, approximate_graph
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.estimators import Estimators
from shoald.domain.clustering.neighbour_graph import neighbour_graph
from shoald.domain.clustering.spaces import Neighbours, Space, Step, no_step

LISTED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTools:
    """The tools of one run.

    `graphs` maps a key to a neighbour graph; one kept on disk makes a graph outlive the run. `memory` is how many bytes
    an algorithm may take beside its input; above that it works by a cheaper way that it names. None: no limit.
    `trees`, where given, keeps the spanning trees of densities, so that many settings share one.
    """

    arrays: ArrayBackend
    estimators: Estimators
    graphs: MutableMapping[str, Neighbours] = field(default_factory=dict[str, Neighbours])
    memory: int | None = None
    trees: MutableMapping[str, Any] | None = None


def neighbours(
    space: Space, k: int, metric: str, *, tools: ClusterTools, exact: bool = False, step: Step = no_step
) -> Neighbours:
    """Return the graph of a space from `tools.graphs`, or build it and put it there. `k` counts the row itself.

    Graphs are built with a multiple of LISTED neighbours, so that stages that want a few more or fewer share one;
    asking for the largest k first saves building twice. Exact up to as much work as the estimators say pays; above it
    nearly so, with the recall on a sample, unless `exact` is asked for.
    """
    metric = "cosine" if metric == "cosine" else "euclidean"
    n, d = space.vectors.shape
    k = min(k, n)
    key = f"{space.key}-{metric}"
    known = tools.graphs.get(key)
    if known is None or known.k < k or (exact and known.recall is not None):
        wide, found = min(n, -(-k // LISTED) * LISTED), tools.estimators.candidates
        if exact or 2.0 * n * n * d <= tools.estimators.exact_operations:
            known = neighbour_graph(space.vectors, wide, metric, candidates=found, step=step)
        else:
            known = approximate_graph(space.vectors, wide, metric, candidates=found, backend=tools.arrays, step=step)
        tools.graphs[key] = known
    return known.nearest(k)


def graph_note(space: Space, *, tools: ClusterTools) -> dict[str, Any]:
    """Return, for a run's record, the recall of the approximate graphs of a space; nothing where all are exact."""
    graphs = ((metric, tools.graphs.get(f"{space.key}-{metric}")) for metric in ("cosine", "euclidean"))
    recalls = {metric: graph.recall for metric, graph in graphs if graph is not None and graph.recall is not None}
    return {"approximate_neighbours": {"recall": recalls, "sample": SAMPLE}} if recalls else {}


def shares(step: Step, begin: float, end: float) -> Step:
    """Return the progress of a part of a stage, which lies between two shares of the whole.

    >>> seen = []
    >>> shares(seen.append, 0.5, 1.0)(0.5)
    >>> seen
    [0.75]
    """
    return lambda done: step(begin + (end - begin) * done)


def drawn(seed: int | None) -> int:
    """Return the seed, or a fresh one where none was given; the run records it."""
    return secrets.randbelow(2**32) if seed is None else seed
