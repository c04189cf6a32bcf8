"""The name of a clustering method in; what runs it, and what it needs, out.

`group` runs whichever algorithm the parameters belong to:

    parameters, dropped = parse_algorithm("dbscan", {"eps": 0.3}, loc=("body", "algorithm_params"))
    found = group(space, parameters, tools=tools, step=step)     # Grouping: labels, notes, warnings, effective

`algorithm_memory.peak_bytes(parameters, n, d)` says what it will take at most beside its input.
`step(fraction)` is called between blocks with the share done; what it raises ends the algorithm, and that is cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from shoald.domain.clustering.methods.agglomerative import group_by_agglomeration
from shoald.domain.clustering.methods.automatic import choose
from shoald.domain.clustering.methods.dbscan import group_by_dbscan
from shoald.domain.clustering.methods.evoc import group_by_evoc
from shoald.domain.clustering.methods.gaussian_mixture import group_by_mixture
from shoald.domain.clustering.methods.hdbscan import group_by_hdbscan
from shoald.domain.clustering.methods.kmeans import group_by_kmeans
from shoald.domain.clustering.methods.leiden import group_by_leiden
from shoald.domain.clustering.methods.mean_shift import group_by_mean_shift
from shoald.domain.clustering.methods.optics import group_by_optics
from shoald.domain.clustering.methods.spectral import group_by_spectrum
from shoald.domain.clustering.parameters import AlgorithmParameters, AutoParameters
from shoald.domain.clustering.spaces import Grouping, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, graph_note
from shoald.domain.failures import NotEnoughPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One clustering method.

    `reads` is what it works on: `vectors`, `neighbours` (the exact graph of the space) or `distances` (every pair).
    `run` takes (space, parameters, tools=, step=).
    """

    reads: str
    run: Callable[..., Grouping]


ALGORITHM_OF: Mapping[str, Algorithm] = {
    "kmeans": Algorithm(reads="vectors", run=group_by_kmeans),
    "dbscan": Algorithm(reads="distances", run=group_by_dbscan),
    "hdbscan": Algorithm(reads="neighbours", run=group_by_hdbscan),
    "agglomerative": Algorithm(reads="distances", run=group_by_agglomeration),
    "leiden": Algorithm(reads="neighbours", run=group_by_leiden),
    "optics": Algorithm(reads="distances", run=group_by_optics),
    "mean_shift": Algorithm(reads="vectors", run=group_by_mean_shift),
    "spectral": Algorithm(reads="distances", run=group_by_spectrum),
    "evoc": Algorithm(reads="neighbours", run=group_by_evoc),
    "gaussian_mixture": Algorithm(reads="vectors", run=group_by_mixture),
}


ON_NEIGHBOURS = frozenset({"hdbscan", "leiden", "spectral", "evoc"})
"""Methods whose neighbours may be approximate; their notes then say how many were missed."""


def group(space: Space, parameters: AlgorithmParameters, *, tools: ClusterTools, step: Step = no_step) -> Grouping:
    """Group the rows of a space by the method that the parameters belong to; `auto` chooses one first.

    Raises `NotEnoughPoints` where the method cannot work on so few, and whatever `step` raises. The same space,
    parameters and seeds give the same labels bit for bit with any number of threads.
    """
    if not len(space):
        raise NotEnoughPoints("there are no vectors to cluster")
    if isinstance(parameters, AutoParameters):
        return _chosen(space, parameters, tools, step)
    algorithm = ALGORITHM_OF[parameters.method]
    found = algorithm.run(space, cast("Any", parameters), tools=tools, step=step)
    note = graph_note(space, tools=tools) if parameters.method in ON_NEIGHBOURS else {}
    return replace(found, notes={**found.notes, **note}) if note else found


def _chosen(space: Space, parameters: AutoParameters, tools: ClusterTools, step: Step) -> Grouping:
    """Run what the look at the data chose; the notes say what and why, `effective` holds its parameters."""
    choice = choose(space, parameters, tools=tools)
    found = group(space, choice.parameters, tools=tools, step=step)
    name = choice.parameters.method
    return replace(
        found,
        effective={**found.effective, "algorithm_chosen": name},
        notes={**found.notes, "auto": {"chosen": name, "why": choice.why, "look": choice.look}},
        warnings=(f"auto chose {name}: {choice.why}", *choice.warnings, *found.warnings),
    )
