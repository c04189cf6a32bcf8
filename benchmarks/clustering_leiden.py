"""Leiden beside leidenalg on the same graph, for the three objective functions: processor time and quality.

The graph is made beforehand and counts for neither. The quality of both partitions is what leidenalg says of them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks._clustering import Report, Vectors, measured, planted_vectors, text_vectors

OBJECTIVES: dict[str, dict[str, Any]] = {
    "modularity": {},
    "RBConfiguration": {"resolution": 2.0},
    "CPM": {"resolution": 0.05},
}


def compared(vectors: Vectors, *, objective: str, given: dict[str, Any]) -> Any:
    """Return (seconds, communities, quality) of ours and of leidenalg's."""
    import igraph
    import leidenalg

    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.domain.clustering.algorithms import group
    from shoald.domain.clustering.methods.leiden import community_edges
    from shoald.domain.clustering.parameters import parse_algorithm
    from shoald.domain.clustering.spaces import Space
    from shoald.domain.clustering.tools import ClusterTools, neighbours

    arrays = ArrayLibraries().get("numpy")
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays))
    space = Space(vectors)
    parameters: Any = parse_algorithm("leiden", {"objective_function": objective, **given}, loc=())[0]
    graph = neighbours(space, parameters.n_neighbors + 1, parameters.metric, tools=tools)
    edges = community_edges(graph).tocoo()
    theirs = igraph.Graph(n=len(vectors), edges=np.column_stack([edges.row, edges.col]))
    kind = leidenalg.CPMVertexPartition if objective == "CPM" else leidenalg.RBConfigurationVertexPartition
    shape = {"weights": edges.data, "resolution_parameter": given.get("resolution", 1.0)}
    began = time.process_time()
    labels = group(space, parameters, tools=tools).labels
    ours_took = time.process_time() - began
    began = time.process_time()
    found = leidenalg.find_partition(theirs, kind, n_iterations=parameters.n_iterations, seed=42, **shape)
    took = time.process_time() - began
    ours = kind(theirs, initial_membership=labels.tolist(), **shape)
    return (ours_took, len(ours), ours.quality()), (took, len(found), found.quality())


def main() -> None:
    """Print the table and write it."""
    report = Report("clustering_leiden", "Leiden")
    report.say("Seconds are processor seconds without the graph. Wanted: a tenth of the time, 99.5 % of the quality.")
    columns = ("data", "objective", "ours s", "leidenalg s", "times", "ours", "leidenalg's", "quality of leidenalg's")
    report.head(*columns)
    for name, file in (("5 k texts", text_vectors()), ("20 k planted", planted_vectors(20_000, 40, 256))):
        for objective, given in OBJECTIVES.items():
            ours, theirs = measured(compared, file, objective=objective, given=given).value
            times, share = theirs[0] / ours[0], f"{ours[2] / theirs[2]:.4f}"
            report.row(name, objective, ours[0], theirs[0], times, ours[1], theirs[1], share)
