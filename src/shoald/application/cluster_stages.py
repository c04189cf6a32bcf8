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

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy.typing as npt

from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.assignment import assign_by_cosine
from shoald.domain.clustering.centroids import Centroids, group_centroids, nearest_members
from shoald.domain.clustering.distances import distance_blocks
from shoald.domain.clustering.fuzzy_graph import fuzzy_graph
from shoald.domain.clustering.input_vectors import checked_vectors
from shoald.domain.clustering.layout import LayoutParameters, layout
from shoald.domain.clustering.metrics import OWN_METRICS, UMAP_METRICS
from shoald.domain.clustering.parameters import (
    AlgorithmParameters,
    PreprocessingStep,
    TsneParameters,
    UmapParameters,
    WhiteningParameters,
)
from shoald.domain.clustering.quality import quality_metrics
from shoald.domain.clustering.reachability import listed
from shoald.domain.clustering.spaces import Floats, Grouping, Integers, Labels, Neighbours, Space, Step, no_step
from shoald.domain.clustering.starting_positions import principal_positions, starting_positions
from shoald.domain.clustering.tools import ClusterTools, graph_note, neighbours
from shoald.domain.clustering.whitening import whiten
from shoald.domain.failures import InvalidVectors, Unsupported

__all__ = [
    "ClusterTools",
    "assign",
    "centroids",
    "cluster",
    "coordinates",
    "graph_note",
    "input_space",
    "neighbours",
    "preprocess",
    "quality",
    "representatives",
]

MAP_ROWS = 8
"""Fewer rows than this have no neighbourhoods worth a layout."""
MAP_NEIGHBOURS = 15
MAP_DISTANCE = 0.1
MAP_EPOCHS = 300
EPOCHS_OF_A_SMALL_MAP = 500
SMALL_MAP = 10_000
"""At most so many rows get as many epochs as umap-learn gives them: with fewer, ten thousand texts miss its quality."""
REDUCTION_EPOCHS = 200
TSNE_DIMENSIONS = 3
TSNE_ROWS = 5_000
"""Above TSNE_DIMENSIONS, t-SNE keeps a table of all pairs: 600 MB and minutes at so many rows."""


def input_space(vectors: npt.NDArray[Any], *, normalize: bool = True) -> Space:
    """Check (n, d) vectors and make them the input space: float32, C-contiguous, and rows of unit length if asked.

    Raises `InvalidVectors` naming the first rows that hold NaN or infinity, or are zero (which has no direction), and
    `NotEnoughPoints` when there are none.
    """
    return Space(checked_vectors(vectors, normalize=normalize))


def preprocess(space: Space, steps: Sequence[PreprocessingStep], *, tools: ClusterTools, step: Step = no_step) -> Space:
    """Apply the steps in order; with none, return the space itself. The result says what was done, and its warnings."""
    for at, one in enumerate(steps):
        part = _part(step, at, len(steps))
        if isinstance(one, WhiteningParameters):
            space = _whitened(space, one, tools, part)
        elif isinstance(one, TsneParameters):
            space = _by_tsne(space, one, tools, part)
        else:
            space = _reduced(space, one, tools, part)
    return space


def cluster(space: Space, parameters: AlgorithmParameters, *, tools: ClusterTools, step: Step = no_step) -> Grouping:
    """Group the rows of a space. Raises `NotEnoughPoints` when the algorithm cannot work on so few."""
    return group(space, parameters, tools=tools, step=step)


def centroids(space: Space, labels: Labels, *, tools: ClusterTools, kind: str = "mean") -> Centroids:
    """Return the centroids of the groups in the given space (the input space, for what users see), and the cosines.

    `kind` is `mean`, `median` or `medoid`.
    """
    return group_centroids(space.vectors, labels, kind, backend=tools.arrays)


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
    return quality_metrics(space.vectors, labels, centres, backend=tools.arrays, previous=previous)


def coordinates(space: Space, dimensions: int, *, tools: ClusterTools, seed: int = 42, step: Step = no_step) -> Floats:
    """Return the (n, 2) or (n, 3) float32 map of a space, for looking at; neighbours stay near.

    UMAP's layout of the cosine graph (15 neighbours, min_dist 0.1); fewer than MAP_ROWS rows are shown by their
    principal components.
    """
    if len(space) < MAP_ROWS:
        return principal_positions(space.vectors, dimensions, backend=tools.arrays)
    shape = UmapParameters(
        n_components=dimensions, n_neighbors=MAP_NEIGHBOURS, min_dist=MAP_DISTANCE, random_state=seed
    )
    epochs = EPOCHS_OF_A_SMALL_MAP if len(space) <= SMALL_MAP else MAP_EPOCHS
    return _own_layout(space, shape, epochs, tools, step)


def representatives(labels: Labels, centres: Centroids, *, count: int) -> list[Integers]:
    """Return, for each group, the rows nearest to its centroid, nearest first, at most `count`."""
    return nearest_members(labels, centres.similarities, len(centres.sizes), count)


def assign(
    vectors: npt.NDArray[Any], centres: Floats, *, threshold: float, tools: ClusterTools, step: Step = no_step
) -> tuple[Labels, Floats]:
    """Give each vector the centroid with the largest cosine, -1 when that is below the threshold; and that cosine.

    Raises `InvalidVectors` as `input_space` does, and when the dimensions differ.
    """
    rows = checked_vectors(vectors, normalize=True)
    if len(centres) and rows.shape[1] != centres.shape[1]:
        raise InvalidVectors(f"the vectors have {rows.shape[1]} dimensions, the centroids {centres.shape[1]}")
    return assign_by_cosine(rows, centres, threshold, backend=tools.arrays, step=step)


def _part(step: Step, at: int, parts: int) -> Step:
    """Return the progress of one part of several equal ones."""
    return lambda done: step((at + done) / parts)


def _whitened(space: Space, parameters: WhiteningParameters, tools: ClusterTools, step: Step) -> Space:
    warnings = space.warnings
    n, d = space.vectors.shape
    if n <= d:
        warnings += (
            f"whitening {n} vectors of {d} dimensions: the covariance is known on {max(n - 1, 0)} of them only",
        )
    white = whiten(space.vectors, parameters.regularization, backend=tools.arrays, step=step)
    done = {"method": parameters.method, **asdict(parameters)}
    return Space(white, _chain(space, "whitening"), space.metric, (*space.steps, done), warnings)


def _reduced(space: Space, parameters: UmapParameters, tools: ClusterTools, step: Step) -> Space:
    n = len(space)
    warnings = space.warnings
    done: dict[str, Any] = {"method": parameters.method, **asdict(parameters)}
    if n < MAP_ROWS:
        warnings += (f"umap needs {MAP_ROWS} vectors; {n} were left as they are",)
        return replace(space, steps=(*space.steps, {**done, "skipped": True}), warnings=warnings)
    if parameters.n_neighbors > n:
        warnings += (f"n_neighbors {parameters.n_neighbors} exceeds the {n} vectors: {n} were used",)
        done["n_neighbors"] = n
    if parameters.metric in UMAP_METRICS:
        reduced = tools.estimators.umap(space.vectors, parameters, step)
        done["implementation"] = tools.estimators.library_of(parameters)
    else:
        epochs = REDUCTION_EPOCHS
        reduced = _own_layout(space, parameters, epochs, tools, step)
        done |= {"implementation": "shoal", "epochs": epochs, **graph_note(space, tools=tools)}
    return Space(reduced, _chain(space, "umap"), "euclidean", (*space.steps, done), warnings)


def _by_tsne(space: Space, given: TsneParameters, tools: ClusterTools, step: Step) -> Space:
    n = len(space)
    warnings = space.warnings
    library = tools.estimators.library_of(given)
    done: dict[str, Any] = {"method": given.method, **asdict(given), "implementation": library}
    if n < MAP_ROWS or not space.vectors.var(axis=0).any():
        warnings += (f"tsne needs {MAP_ROWS} vectors that differ; {n} were left as they are",)
        return replace(space, steps=(*space.steps, {**done, "skipped": True}), warnings=warnings)
    if given.n_components > TSNE_DIMENSIONS and n > TSNE_ROWS:
        raise Unsupported(
            f"tsne into {given.n_components} dimensions compares all pairs: at most {TSNE_ROWS} vectors, here {n}",
            hint=f"at most {TSNE_DIMENSIONS} dimensions, or umap",
        )
    # scikit-learn asks for fewer than n; three times the perplexity are its neighbours
    perplexity = min(given.perplexity, (n - 1) / 3)
    if perplexity < given.perplexity:
        warnings += (f"perplexity {given.perplexity:g} needs more than {n} vectors: {perplexity:g} was used",)
        done["perplexity"] = perplexity
    found = tools.estimators.tsne(space.vectors, replace(given, perplexity=perplexity), step)
    return Space(found, _chain(space, "tsne"), "euclidean", (*space.steps, done), warnings)


def _chain(space: Space, name: str) -> str:
    return name if space.name == "input" else f"{space.name}+{name}"


def _graph_of(space: Space, shape: UmapParameters, tools: ClusterTools, step: Step) -> Neighbours:
    """Return the graph of a space; where products do not measure the metric, one of all distances that none shares."""
    if shape.metric in OWN_METRICS:
        return neighbours(space, shape.n_neighbors, shape.metric, tools=tools, step=step)
    measured = distance_blocks(space.vectors, shape.metric, tools=tools)
    found = listed(measured, len(space), min(shape.n_neighbors, len(space)), step)
    return Neighbours(found.ids, found.distances, shape.metric)


def _own_layout(space: Space, shape: UmapParameters, epochs: int, tools: ClusterTools, step: Step) -> Floats:
    graph = _graph_of(space, shape, tools, lambda done: step(0.3 * done))
    start = starting_positions(space.vectors, shape.n_components, seed=shape.random_state, backend=tools.arrays)
    how = LayoutParameters(epochs=epochs, min_dist=shape.min_dist, seed=shape.random_state)
    return layout(fuzzy_graph(graph), start, how, backend=tools.arrays, step=lambda done: step(0.3 + 0.7 * done))
