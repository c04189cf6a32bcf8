"""The shape of a run in, what each of its stages will take of memory out, in bytes beside what the process holds.

What counts is private memory: pages of mapped files can be given back, and are not counted. The terms are the arrays
that are alive together; the constants were measured (`benchmarks/clustering_memory.py` compares both).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoald.domain.clustering.algorithm_memory import BESIDE, BY_LIBRARY, MIB, graph_bytes, peak_bytes
from shoald.domain.clustering.distances import BLOCK_ENTRIES
from shoald.domain.clustering.map_keeping import PLACED_AT_ONCE, STANDING
from shoald.domain.clustering.metrics import OWN_METRICS
from shoald.domain.clustering.parameters import (
    AlgorithmParameters,
    HdbscanParameters,
    PreprocessingStep,
    TsneParameters,
    UmapParameters,
    WhiteningParameters,
)
from shoald.domain.clustering.spaces import block_rows
from shoald.domain.clustering.stability import QUICK, THOROUGH, sample_rows

FLOAT = 4
A_ROW = 110
"""Bytes of a document from the beginning to the end: its id, its place, its group, its figures."""
A_DOCUMENT = 620
"""Bytes of one document while it is published: its words and numbers, once as they are and once as they are written."""
A_MEMBER = 400
"""Bytes of a document of another run: its words as they were read, and as they are compared."""
WRITING = 6 << 20
"""Buffers of what writes the artifacts."""
AN_EDGE = 112
"""Bytes of a listed neighbour of a layout: the fuzzy graph while it is made of both directions, and then its turns."""
FIRST_LAYOUT = 6 << 20
"""What threads keep of what they multiplied in, in a process whose first large work is a layout before the algorithm;
one that has drawn one does not take it again, and is then said to take a tenth more than it does.
"""
MAP_NEIGHBOURS = 15
PART_NEIGHBOURS = 15
A_NUMBER = 26
"""Bytes of a number in a block while vectors are compared: as it is, of unit length, in doubles, and less its mean."""
A_FORMER_NUMBER = 8
"""Bytes of a number of the block before it, which is given back when the next one is done."""
TSNE_EDGE = 74
"""Bytes of a neighbour that t-SNE lists, three times its perplexity of them a row."""
TSNE_FLAT = 3
"""Into more dimensions than this t-SNE compares all pairs."""
TSNE_PAIR = 24
"""Bytes of a pair there."""
LARGEST_GROUP = 0.5
"""The share of the rows that the largest group is taken to have when it is divided."""
A_COSINE = 16
"""Bytes of a cosine to a standing row while a new one is placed: as it is, turned round, and its place in the order."""
A_TREE = 24
"""Bytes of an edge of a spanning tree that settings share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShape:
    """How many rows the algorithm sees, how many documents there are in all, and the columns of a row.

    `is_joined` says that several features or collections are put into one array. `former` are the documents of a run
    that this one is compared with.
    """

    rows: int
    documents: int
    width: int
    is_joined: bool = False
    former: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """What a run will do with its vectors; `map_dimensions` None is no map, `learned_rows` 0 no learning of weights."""

    algorithm: AlgorithmParameters
    steps: Sequence[PreprocessingStep] = ()
    map_dimensions: int | None = None
    map_method: str = "umap"
    levels: int = 0
    effort: str = "quick"
    learned_rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """What is held from the beginning to the end, and what each stage takes beside that, in bytes.

    `is_mapped` says that the vectors are worked on in a mapped file and are held in no memory of the run's own.
    """

    held: int
    stages: Mapping[str, int]
    is_mapped: bool = False

    @property
    def largest(self) -> str:
        """The stage that takes most."""
        return max(self.stages, key=lambda name: self.stages[name])

    @property
    def peak(self) -> int:
        """The most that is taken at once."""
        return self.held + max(self.stages.values())


def planned(shape: RunShape, asked: RunAsked, *, limit: int | None = None) -> MemoryPlan:
    """Return what a run takes.

    Where it would exceed the limit, its vectors are mapped, and methods that have a cheaper way than a table of all
    pairs take that; both are counted so.
    """
    whole = _plan(shape, asked, limit, is_mapped=False)
    if limit is None or whole.peak <= limit:
        return whole
    return _plan(shape, asked, limit, is_mapped=True)


def planned_assignment(shape: RunShape, groups: int, map_dimensions: int | None) -> MemoryPlan:
    """Return what putting documents into `groups` standing groups takes; they go through in blocks."""
    n, d = shape.documents, shape.width
    block = min(n, block_rows(d))
    stages = {
        "snapshot": _reading(shape),
        "cluster assign": block * (3 * FLOAT * d + FLOAT * groups) + 2 * FLOAT * groups * d,
        "publish": WRITING + A_DOCUMENT * n,
    }
    if map_dimensions is not None:
        ordered = A_COSINE * min(block, PLACED_AT_ONCE)
        stages["map"] = 3 * FLOAT * d * block + (ordered + 2 * FLOAT * d) * STANDING
    return MemoryPlan(held=_own(shape) + A_ROW * n + A_MEMBER * shape.former + BESIDE, stages=stages)


def planned_attributes(documents: int) -> MemoryPlan:
    """Return what grouping so many documents by their attributes takes."""
    stages = {"cluster attributes": A_MEMBER * documents, "publish": WRITING + A_DOCUMENT * documents}
    return MemoryPlan(held=A_ROW * documents + BESIDE, stages=stages)


def _plan(shape: RunShape, asked: RunAsked, limit: int | None, *, is_mapped: bool) -> MemoryPlan:
    n, d = shape.rows, shape.width
    vectors = 0 if is_mapped else FLOAT * n * d
    width, stages = d, {"snapshot": _reading(shape) + (FLOAT * n * d if is_mapped else 0)}
    if asked.learned_rows:
        stages["weigh"] = _weighing(asked, d)
    for step in asked.steps:
        stages[f"preprocess {step.method}"] = step_bytes(step, n, width)
        width = step.n_components if isinstance(step, UmapParameters | TsneParameters) else width
    held = vectors + _own(shape) + A_ROW * shape.documents + A_MEMBER * shape.former + BESIDE
    held += FLOAT * n * width if asked.steps and not is_mapped else 0
    room = None if limit is None else max(0, limit - held)
    stages[f"cluster {asked.algorithm.method}"] = peak_bytes(asked.algorithm, n, width, room)
    stages["quality"] = _comparing(n, d)
    if asked.levels:
        stages["subdivide"] = _dividing(max(1, int(n * LARGEST_GROUP)), d)
    if asked.effort != "none":
        stages["stability"] = _regrouping(asked, n, d, width, room)
    if asked.map_dimensions is not None:
        stages["map"] = _map_bytes(asked, n, d, asked.map_dimensions)
    stages["publish"] = WRITING + A_DOCUMENT * shape.documents
    return MemoryPlan(held=held, stages=stages, is_mapped=is_mapped)


def _own(shape: RunShape) -> int:
    """Return the bytes of the array that several features or collections are joined in."""
    return FLOAT * shape.documents * shape.width if shape.is_joined else 0


def _reading(shape: RunShape) -> int:
    """Return what ordering the rows by content takes: blocks in which every number has 64 bits, and hashes."""
    return 24 * min(shape.documents, block_rows(shape.width)) * shape.width + 60 * shape.documents


def _comparing(n: int, d: int) -> int:
    """Return what centroids and quality take: one block of vectors, and what is left of the block before."""
    block = min(n, block_rows(d))
    return (A_NUMBER * block + A_FORMER_NUMBER * min(n - block, block)) * d + 40 * n


def _weighing(asked: RunAsked, d: int) -> int:
    n = asked.learned_rows
    return 2 * FLOAT * n * d + peak_bytes(asked.algorithm, n, d, None) + A_NUMBER * n * d


def _dividing(n: int, d: int) -> int:
    return FLOAT * n * d + max(layout_bytes(n, d, PART_NEIGHBOURS, 10), peak_bytes(HdbscanParameters(), n, 10))


def _regrouping(asked: RunAsked, n: int, d: int, width: int, room: int | None) -> int:
    """Return what grouping a subsample anew takes: the thorough form begins with the steps before the algorithm."""
    effort = THOROUGH if asked.effort == "thorough" else QUICK
    size = sample_rows(n, int(getattr(asked.algorithm, "n_clusters", None) or 8), effort)
    first = d if effort is THOROUGH else width
    steps = [step_bytes(step, size, first) for step in asked.steps] if effort is THOROUGH else []
    return FLOAT * size * (first + width) + max([peak_bytes(asked.algorithm, size, width, room), *steps])


def _map_bytes(asked: RunAsked, n: int, d: int, dimensions: int) -> int:
    if asked.map_method == "pca":
        return principal_bytes(n, d, dimensions)
    if asked.map_method == "tsne":
        return step_bytes(TsneParameters(n_components=dimensions), n, d)
    return layout_bytes(n, d, MAP_NEIGHBOURS, dimensions)


def step_bytes(step: PreprocessingStep, n: int, d: int) -> int:
    """Return what a step before the algorithm takes on (n, d) vectors, its result included."""
    if isinstance(step, WhiteningParameters):
        return FLOAT * n * d + 14 * min(n, block_rows(d)) * d + 48 * d * d
    if isinstance(step, UmapParameters):
        laid_out = layout_bytes(n, d, step.n_neighbors, step.n_components) + FIRST_LAYOUT
        return max(laid_out, _measuring(step.metric, n, d))
    pairs = TSNE_PAIR * n * n if step.n_components > TSNE_FLAT else 0
    listed = min(n - 1, int(3 * step.perplexity) + 1)
    return max(pairs + 5 * n * d, TSNE_EDGE * n * listed + BESIDE)


def _measuring(metric: str, n: int, d: int) -> int:
    """Return what lists of neighbours take that are made of all distances; nothing where products make them."""
    return 0 if metric in OWN_METRICS else 8 * n * d + BY_LIBRARY * min(n * n, BLOCK_ENTRIES)


def principal_bytes(n: int, d: int, dimensions: int) -> int:
    """Return what the principal positions take."""
    return 20 * min(n, block_rows(d)) * d + 48 * d * d + 24 * n * dimensions


def layout_bytes(n: int, d: int, k: int, dimensions: int) -> int:
    """Return what UMAP takes: the graph while it is built, or then the edges and places while they move."""
    moving = AN_EDGE * n * k + 24 * n * dimensions
    return max(graph_bytes(n, d, k) + 2 * MIB, principal_bytes(n, d, dimensions), moving)


def one_after_another(plans: Sequence[MemoryPlan], documents: int) -> MemoryPlan:
    """Return what several runs take that are done one after another and whose results are published together."""
    largest = max(plans, key=lambda one: one.peak)
    kept = A_ROW * documents * (len(plans) - 1)
    stages = {**largest.stages, "publish": WRITING + A_DOCUMENT * documents * len(plans)}
    return replace(largest, held=largest.held + kept, stages=stages)


def swept(plans: Sequence[MemoryPlan], rows: int) -> MemoryPlan:
    """Return what trying settings takes: that of the dearest, and a spanning tree kept for each; nothing is published.

    Where one of them has to work on mapped vectors, all do.
    """
    largest = max(plans, key=lambda one: one.peak)
    stages = {name: size for name, size in largest.stages.items() if name != "publish"}
    return MemoryPlan(held=largest.held + A_TREE * rows, stages=stages, is_mapped=any(one.is_mapped for one in plans))
