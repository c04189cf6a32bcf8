"""A fuzzy graph and starting positions in, UMAP's layout out: whole arrays, no compilation, the same on any device.

What umap-learn does edge by edge in compiled loops, with one random vertex pushed away at a time, is done here for a
quarter of the vertices at once: every vertex of the block is pulled along its edges and pushed by one common random
sample, all from the positions before the block. So the number of threads changes nothing, and the pushes are matrix
products. Edges are visited as often as their weight asks for, weak ones rarely and then more strongly. Coordinates lie
one after another, not point after point, and forces are found for a tile of vertices at a time, whose numbers stay in
the processor's cache: a third of the time at fifty thousand vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import curve_fit

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.spaces import Floats, Integers, Step, no_step

BLOCKS = 4
SAMPLE = 32
NEAR = 8 * SAMPLE
"""Numbers that the forces on one vertex take while they are found."""
FEWEST_ROWS = 256
"""Vertices of a tile at least: below that calls cost more than what they do."""
PUSH = 5.0
"""umap-learn's five negative samples for each positive one."""
LIMIT = 4.0
"""The longest push of one pair, as in the reference implementation; the curve keeps every pull below it."""
SOFTENING = 0.001
"""Keeps a push finite where two vertices meet, as in the reference implementation."""
FAINT = 1e-12
TURNS = 4
"""Weak edges are visited once in so many epochs, and then pull so many times as strongly."""
LEAST_EPOCHS = 500
"""umap-learn's epochs for small data: an edge weaker than one visit in that time is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutParameters:
    """How to lay out: epochs of four blocks each, UMAP's `min_dist`, and the seed of the blocks and samples."""

    epochs: int = 200
    min_dist: float = 0.1
    sample: int = SAMPLE
    seed: int = 42


def curve_parameters(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """Return the a and b of 1 / (1 + a d^2b) closest to UMAP's membership curve.

    >>> [round(value, 3) for value in curve_parameters(0.1)]
    [1.577, 0.895]
    """
    at = np.linspace(0, 3 * spread, 300)
    wanted = np.where(at < min_dist, 1.0, np.exp(-(at - min_dist) / spread))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), at, wanted)
    return float(a), float(b)


def layout(
    graph: Any, start: Floats, parameters: LayoutParameters, *, backend: ArrayBackend, step: Step = no_step
) -> Floats:
    """Move (n, d) starting positions until neighbours are near; returns (n, d) float32.

    `graph` is `fuzzy_graph`'s CSR matrix. The step falls linearly from 1 to 0 over the epochs. O(epochs · (edges + n ·
    sample) · d).
    """
    n = len(start)
    random = np.random.default_rng(parameters.seed)
    order = random.permutation(n)
    forces = Forces(*curve_parameters(parameters.min_dist), backend.xp)
    blocks = _blocks(_permuted(graph, order), parameters.epochs, backend)
    position = backend.send(np.ascontiguousarray(start[order].T, dtype=np.float32))
    with backend.small_products():
        for epoch in range(parameters.epochs):
            rate = 1 - epoch / parameters.epochs
            for tiles in blocks:
                drawn = backend.send(random.integers(0, n, parameters.sample))
                sample = forces.sample(backend.xp.take(position, drawn, axis=1))
                found = [forces.on(position, tile, sample, epoch) for tile in tiles]
                for tile, force in zip(tiles, found, strict=True):
                    position[:, tile.rows] += rate * tile.step * force
            step((epoch + 1) / parameters.epochs)
    placed = np.empty_like(start, dtype=np.float32)
    placed[order] = backend.fetch(position).T
    return placed


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a tile that are visited together: their ends, their pull, and how to add them up by source."""

    sources: Array
    targets: Array
    weights: Array
    add: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Tile:
    """A run of vertices whose forces are found together; those of a block move together afterwards.

    `turns[t]` holds the edges to visit in epochs t, t + TURNS and so on, in parts that turns share. `push` (rows,) is
    how strongly each vertex is pushed, `step` (rows,) how far it goes for a unit of force.
    """

    rows: slice
    turns: tuple[tuple[Edges, ...], ...]
    push: Array
    step: Array


def _permuted(graph: Any, order: Integers) -> Any:
    """Return the CSR graph whose vertex i is the given one's `order[i]`, indices sorted."""
    place = np.empty(len(order), dtype=graph.indices.dtype)
    place[order] = np.arange(len(order))
    moved = graph[order]
    moved.indices = place[moved.indices]
    moved.has_sorted_indices = False
    moved.sort_indices()
    return moved


def _blocks(graph: Any, epochs: int, backend: ArrayBackend) -> list[list[Tile]]:
    """Cut the vertices into blocks and those into tiles; edges that umap-learn would never visit go."""
    strength = graph.data / max(float(graph.data.max(initial=0)), FAINT)
    kept = strength >= 1 / max(epochs, LEAST_EPOCHS)
    n = graph.shape[0]
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    degree = np.bincount(rows, weights=strength * kept, minlength=n).astype(np.float32)
    height = max(FEWEST_ROWS, backend.near_entries // NEAR)

    def tile(first: int, last: int) -> Tile:
        begin, end = graph.indptr[[first, last]]
        mine = begin + np.flatnonzero(kept[begin:end])
        turns = _turns((rows[mine], graph.indices[mine]), strength[mine], mine, np.arange(first, last), backend)
        step = np.float32(0.5) / np.sqrt(np.maximum(degree[first:last], 1))
        return Tile(slice(first, last), turns, backend.send(degree[first:last]), backend.send(step))

    blocks = pairwise(_bounds(0, n, min(BLOCKS, n)))
    return [[tile(*ends) for ends in pairwise(_bounds(a, b, -(-(b - a) // height)))] for a, b in blocks]


def _bounds(first: int, last: int, parts: int) -> list[int]:
    """Return where equal parts begin, and the end; of no parts, the beginning alone.

    >>> _bounds(0, 10, 4)
    [0, 2, 5, 7, 10]
    """
    return [first + (last - first) * part // max(parts, 1) for part in range(parts + 1)]


def _turns(
    ends: tuple[Integers, Integers], strength: Floats, edges: Integers, tile: Integers, backend: ArrayBackend
) -> tuple[tuple[Edges, ...], ...]:
    """Deal the edges of a tile, given by their sources and targets, to turns; each is stored once.

    An edge of strength above 1/4 is in all of them, a weaker one in one of TURNS with TURNS times the pull: which one
    its number in the graph decides, so that tiles of another size change nothing.
    """
    sources, targets = ends
    every = np.where(strength > 1 / TURNS, 1, TURNS)
    phase = edges % every
    parts: dict[tuple[int, int], tuple[Edges, ...]] = {}
    for often in (1, TURNS):
        for turn in range(often):
            chosen = np.flatnonzero((every == often) & (phase == turn))
            bounds = np.searchsorted(sources[chosen], np.append(tile, tile[-1] + 1))
            pull = (strength[chosen] * often).astype(np.float32)
            sent = [backend.send(values) for values in (sources[chosen], targets[chosen], pull, bounds)]
            made = Edges(sent[0], sent[1], sent[2], backend.adder(sent[3]))
            parts[often, turn] = (made,) if len(chosen) else ()
    return tuple(parts[1, 0] + parts[TURNS, turn] for turn in range(TURNS))


@dataclass(frozen=True, slots=True)
class Sample:
    """Vertices that push: `measuring` (sample, d + 2) gives squared distances, `moving` (d + 1, sample) adds up pushes.

    Both by one product: |y - z|² = |y|² + |z|² - 2 y·z, and the sum of f (y - z) is y times that of f less that of f z.
    """

    measuring: Array
    moving: Array


@dataclass(frozen=True, slots=True)
class Forces:
    """The gradients of UMAP's cross-entropy for 1 / (1 + a d^2b); positions are (d, n)."""

    a: float
    b: float
    xp: Any

    def on(self, position: Array, tile: Tile, sample: Sample, epoch: int) -> Array:
        """Return (d, rows): all that pulls and pushes the vertices of a tile in an epoch."""
        force = self.push(position[:, tile.rows], sample) * (tile.push * (PUSH / sample.measuring.shape[0]))
        for edges in tile.turns[epoch % TURNS]:
            force += self.pull(position, edges)
        return force

    def pull(self, position: Array, edges: Edges) -> Array:
        """Return (d, rows): each vertex towards its neighbours, doubled since umap-learn moves both ends."""
        xp = self.xp
        apart = xp.take(position, edges.targets, axis=1)
        apart -= xp.take(position, edges.sources, axis=1)
        square = xp.maximum(xp.sum(apart * apart, axis=0), FAINT)
        power = xp.exp(self.b * xp.log(square))
        apart *= (edges.weights * power / (square * (1 + self.a * power)))[None, :]
        return 4 * self.a * self.b * edges.add(apart)

    def sample(self, others: Array) -> Sample:
        """Prepare (d, sample) positions to push from; their distances are softened already."""
        xp = self.xp
        ones = xp.ones((1, others.shape[1]), dtype=others.dtype)
        squares = xp.sum(others * others, axis=0)[None, :] + SOFTENING
        return Sample(xp.concat([-2 * others, ones, squares]).T, xp.concat([others, ones]))

    def push(self, here: Array, sample: Sample) -> Array:
        """Return (d, rows): each vertex away from the sample, every pair's push no longer than LIMIT."""
        xp = self.xp
        ones = xp.ones((1, here.shape[1]), dtype=here.dtype)
        square = sample.measuring @ xp.concat([here, xp.sum(here * here, axis=0)[None, :], ones])
        square = xp.maximum(square, SOFTENING)
        factor = xp.exp(self.b * xp.log(square))
        factor *= self.a
        factor += 1
        factor *= square
        factor = 2 * self.b / xp.maximum(factor, (2 * self.b / LIMIT) * xp.sqrt(square))
        moved = sample.moving @ factor
        return here * moved[-1:, :] - moved[:-1, :]
