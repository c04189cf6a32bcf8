"""The stages of a cluster run, from vectors to labels, centroids, figures and a map: plain functions on arrays.

Nothing here knows storage, jobs or the contract. `application/clustering.py` calls one stage after another, keeps what
is dear between them, and hands each a `step(fraction)` that stores progress and raises when the run must stop:

    tools = ClusterTools(arrays=arrays, estimators=estimators)
    method, notes = parse_algorithm("hdbscan", {"min_cluster_size": 15, "min_samples": 5}, loc=("body", "params"))
    steps, more = parse_steps([{"method": "umap", "n_components": 10}], loc=("body", "preprocessing_steps"))

    space = input_space(vectors)                                  # checks shape, NaN, zero rows; unit rows
    worked = preprocess(space, steps, tools=tools, step=step)     # Space: .vectors to keep, .steps, .warnings
    found = cluster(worked, method, tools=tools, step=step)       # Grouping: .labels, .probabilities, .notes
    centres = centroids(space, found.labels, tools=tools)         # Centroids: .vectors (k, d), .sizes, .similarities
    figures = quality(space, found.labels, centres, tools=tools)  # dict: the documented metrics
    flat = coordinates(space, 2, tools=tools, step=step)          # (n, 2) float32; the graph is shared with 3-D
    solid = coordinates(space, 3, tools=tools, step=step)
    likely = representatives(found.labels, centres, count=3)      # rows of each group, nearest to the centroid first
    later = assign(new_vectors, centres.vectors, threshold=0.5, tools=tools)

`ClusterTools.graphs` is any mutable mapping from a key to `Neighbours`; one kept on disk makes a graph outlive the run.
Everything is deterministic: the same vectors, parameters and seeds give the same bytes, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from shoald.application.ports.estimators import Estimators
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.parameters import AlgorithmParameters, PreprocessingStep
from shoald.domain.clustering.spaces import Floats, Grouping, Integers, Labels, Neighbours, Space, Step, no_step


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTools:
    """What the stages compute with: an array library, the compiled estimators, and the graphs built so far."""

    arrays: ArrayBackend
    estimators: Estimators
    graphs: MutableMapping[str, Neighbours] = field(default_factory=dict[str, Neighbours])


def input_space(vectors: npt.NDArray[Any], *, normalize: bool = True) -> Space:
    """Check (n, d) vectors and make them the input space: float32, C-contiguous, and rows of unit length if asked.

    Raises `InvalidVectors` naming the first rows that hold NaN or infinity, or are zero (which has no direction), and
    `NotEnoughPoints` when there are none.
    """
    raise NotImplementedError


def preprocess(space: Space, steps: Sequence[PreprocessingStep], *, tools: ClusterTools, step: Step = no_step) -> Space:
    """Apply the steps in order; with none, return the space itself. The result records what was done and its warnings."""
    raise NotImplementedError


def neighbours(space: Space, k: int, metric: str, *, tools: ClusterTools, step: Step = no_step) -> Neighbours:
    """Return the exact graph of a space from `tools.graphs`, or build it and put it there. `k` counts the row itself."""
    raise NotImplementedError


def cluster(space: Space, parameters: AlgorithmParameters, *, tools: ClusterTools, step: Step = no_step) -> Grouping:
    """Group the rows of a space. Raises `NotEnoughPoints` when the algorithm cannot work on so few."""
    raise NotImplementedError


def centroids(space: Space, labels: Labels, *, tools: ClusterTools, kind: str = "mean") -> Centroids:
    """Return the centroids of the groups in the given space (the input space, for what users see), and the cosines.

    `kind` is `mean`, `median` or `medoid`.
    """
    raise NotImplementedError


def quality(
    space: Space,
    labels: Labels,
    centres: Centroids,
    *,
    tools: ClusterTools,
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the documented metrics of a grouping, computed in the given space (the input space); noise is left out.

    `previous` are the metrics of the cluster's last completed run, which `should_recluster` compares with.
    """
    raise NotImplementedError


def coordinates(space: Space, dimensions: int, *, tools: ClusterTools, seed: int = 42, step: Step = no_step) -> Floats:
    """Return the (n, 2) or (n, 3) float32 map of a space, for looking at; neighbours stay near."""
    raise NotImplementedError


def representatives(labels: Labels, centres: Centroids, *, count: int) -> list[Integers]:
    """Return, for each group, the rows nearest to its centroid, nearest first, at most `count`."""
    raise NotImplementedError


def assign(
    vectors: npt.NDArray[Any], centres: Floats, *, threshold: float, tools: ClusterTools, step: Step = no_step
) -> tuple[Labels, Floats]:
    """Give each vector the centroid with the largest cosine, or -1 when that is below the threshold; and that cosine."""
    raise NotImplementedError
