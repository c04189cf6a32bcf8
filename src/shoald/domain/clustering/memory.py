"""The shape of a run in, what each of its stages will take of memory out, in bytes beside what the process holds.

The figures are those that were measured, stage by stage, at 2,000 to 8,000 rows of 64 and 256 dimensions; blocks of
products make the constant parts, tables of all pairs the squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shoald.domain.clustering.algorithm_memory import graph_bytes, peak_bytes
from shoald.domain.clustering.parameters import (
    AlgorithmParameters,
    PreprocessingStep,
    TsneParameters,
    UmapParameters,
    WhiteningParameters,
)

FLOAT = 4
A_DOCUMENT = 600
"""Bytes of one document while it is published: its words and numbers, once as they are and once as they are written."""
WRITING = 3 << 20
"""Buffers of what writes the artifacts."""
AN_EDGE = 60
"""Bytes of one edge of a layout: the fuzzy graph, its transpose, and its turns."""
MAP_NEIGHBOURS = 15
WHITENED = 4.1
"""Copies of the vectors while they are whitened."""
MEASURED = 6
"""Copies of the vectors while their quality is measured: unit rows, and sums in doubles."""
TSNE_NEIGHBOURS = 90
TSNE_FLAT = 3
"""Into more dimensions than this t-SNE compares all pairs."""
TSNE_PAIR = 24
"""Bytes of a pair there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShape:
    """How many rows the algorithm sees, how many documents there are in all, and the columns of a row."""

    rows: int
    documents: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """What is held from the beginning to the end, and what each stage takes beside that, in bytes."""

    held: int
    stages: Mapping[str, int]

    @property
    def largest(self) -> str:
        """The stage that takes most."""
        return max(self.stages, key=lambda name: self.stages[name])

    @property
    def peak(self) -> int:
        """The most that is taken at once."""
        return self.held + max(self.stages.values())


def planned(
    shape: RunShape,
    algorithm: AlgorithmParameters,
    steps: Sequence[PreprocessingStep],
    map_dimensions: int | None,
    *,
    limit: int | None = None,
) -> MemoryPlan:
    """Return what a run takes. Where tables of all pairs would exceed the limit, methods that have a cheaper way take
    that, and are counted by it.
    """
    vectors = FLOAT * shape.rows * shape.width
    width, held, stages = shape.width, vectors + 8 * shape.documents, {"snapshot": vectors // 8 + 24 * shape.documents}
    for step in steps:
        stages[f"preprocess {step.method}"] = _step_bytes(step, shape.rows, width)
        width = step.n_components if isinstance(step, UmapParameters | TsneParameters) else width
    held += FLOAT * shape.rows * width if steps else 0
    room = None if limit is None else limit - held
    stages[f"cluster {algorithm.method}"] = peak_bytes(algorithm, shape.rows, width, room)
    stages["centroids and quality"] = MEASURED * vectors
    if map_dimensions is not None:
        stages["map"] = _layout_bytes(shape.rows, shape.width, MAP_NEIGHBOURS, map_dimensions)
    stages["publish"] = WRITING + A_DOCUMENT * shape.documents
    return MemoryPlan(held=held, stages=stages)


def _step_bytes(step: PreprocessingStep, n: int, d: int) -> int:
    if isinstance(step, WhiteningParameters):
        return int(WHITENED * FLOAT * n * d) + 48 * d * d
    if isinstance(step, UmapParameters):
        return _layout_bytes(n, d, step.n_neighbors, step.n_components)
    pairs = TSNE_PAIR * n * n if step.n_components > TSNE_FLAT else 0
    return max(pairs, graph_bytes(n, d, TSNE_NEIGHBOURS) + 200 * n)


def _layout_bytes(n: int, d: int, k: int, dimensions: int) -> int:
    """Return what UMAP takes: the graph while it is built, or then the edges and places while they move."""
    return max(graph_bytes(n, d, k), AN_EDGE * n * k + 24 * n * dimensions)
