"""A fuzzy graph and starting positions in, UMAP's layout out: whole arrays, no compilation, the same on any device.

What umap-learn does edge by edge in compiled loops, with one random vertex pushed away at a time, is done here for a
quarter of the vertices at once: every vertex of the block is pulled along its edges and pushed by one common random
sample, all from the positions before the block. So the number of threads changes nothing, and the pushes are matrix
products. Edges are visited as often as their weight asks for, weak ones rarely and then more strongly.
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
PUSH = 5.0
"""umap-learn's five negative samples for each positive one."""
LIMIT = 4.0
"""The longest pull or push of one pair, as in the reference implementation."""
SOFTENING = 0.001
"""Keeps a push finite where two vertices meet, as in the reference implementation."""
FAINT = 1e-12
TURNS = 16
"""Weak edges are visited once in so many epochs, and then pull so many times as strongly."""
LEAST_EPOCHS = 500
"""umap-learn's epochs for small data: an edge weaker than one visit in that time is left out."""
SHORT_ROW = 4
"""Reductions over rows this short are slow, adding up columns is not."""


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
    graph = graph[order][:, order].tocsr()
    graph.sort_indices()
    a, b = curve_parameters(parameters.min_dist)
    forces = Forces(a, b, backend.xp)
    blocks = _blocks(graph, parameters.epochs, backend)
    position = backend.send(np.ascontiguousarray(start[order], dtype=np.float32))
    with backend.small_products():
        for epoch in range(parameters.epochs):
            rate = 1 - epoch / parameters.epochs
            for block in blocks:
                others = backend.xp.take(position, backend.send(random.integers(0, n, parameters.sample)), axis=0)
                force = forces.push(position, block, others)
                for edges in block.turns[epoch % TURNS]:
                    force += forces.pull(position, edges)
                position[block.rows, :] += rate * block.step * force
            step((epoch + 1) / parameters.epochs)
    placed = np.empty_like(start, dtype=np.float32)
    placed[order] = backend.fetch(position)
    return placed


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a block that are visited together: their ends, their pull, and how to add them up by source."""

    sources: Array
    targets: Array
    weights: Array
    add: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Block:
    """A run of vertices that moves together: `turns[t]` holds the edges to visit in epochs t, t + TURNS and so on,
    in parts that turns share.

    `push` (rows, 1) is how strongly each vertex is pushed, `step` (rows, 1) how far it goes for a unit of force.
    """

    rows: slice
    turns: tuple[tuple[Edges, ...], ...]
    push: Array
    step: Array


def _blocks(graph: Any, epochs: int, backend: ArrayBackend) -> list[Block]:
    """Cut the vertices into blocks and each block's edges into turns; edges that umap-learn would never visit go."""
    strength = graph.data / max(float(graph.data.max(initial=0)), FAINT)
    kept = strength >= 1 / max(epochs, LEAST_EPOCHS)
    n = graph.shape[0]
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    degree = np.bincount(rows, weights=strength * kept, minlength=n).astype(np.float32)[:, None]
    bounds = np.linspace(0, n, min(BLOCKS, n) + 1).astype(int).tolist()
    blocks = []
    for first, last in pairwise(bounds):
        span = slice(graph.indptr[first], graph.indptr[last])
        ends = (rows[span][kept[span]], graph.indices[span][kept[span]], strength[span][kept[span]])
        step = np.float32(0.5) / np.sqrt(np.maximum(degree[first:last], 1))
        turns = _turns(*ends, first, last, backend)
        blocks.append(Block(slice(first, last), turns, backend.send(degree[first:last]), backend.send(step)))
    return blocks


def _turns(
    sources: Integers, targets: Integers, strength: Floats, first: int, last: int, backend: ArrayBackend
) -> tuple[tuple[Edges, ...], ...]:
    """Deal a block's edges to turns; each is stored once, however often it is visited.

    An edge of strength above 1/4 is in all of them, above 1/16 in every 4th with 4 times the pull, else in one with
    16 times the pull.
    """
    every = np.where(strength > 1 / 4, 1, np.where(strength > 1 / TURNS, 4, TURNS))
    phase = np.arange(len(strength)) % every
    parts: dict[tuple[int, int], tuple[Edges, ...]] = {}
    for often in (1, 4, TURNS):
        for turn in range(often):
            chosen = np.flatnonzero((every == often) & (phase == turn))
            bounds = np.searchsorted(sources[chosen], np.arange(first, last + 1))
            pull = (strength[chosen] * often).astype(np.float32)
            sent = [backend.send(values) for values in (sources[chosen], targets[chosen], pull, bounds)]
            made = Edges(sent[0], sent[1], sent[2], backend.adder(sent[3]))
            parts[often, turn] = (made,) if len(chosen) else ()
    return tuple(parts[1, 0] + parts[4, turn % 4] + parts[TURNS, turn] for turn in range(TURNS))


@dataclass(frozen=True, slots=True)
class Forces:
    """The gradients of UMAP's cross-entropy for 1 / (1 + a d^2b), each pair's no longer than LIMIT."""

    a: float
    b: float
    xp: Any

    def pull(self, position: Array, edges: Edges) -> Array:
        """Return (rows, d): each vertex towards its neighbours, doubled since umap-learn moves both ends."""
        xp = self.xp
        apart = xp.take(position, edges.targets, axis=0)
        apart -= xp.take(position, edges.sources, axis=0)
        square = xp.maximum(_squares(xp, apart), FAINT)
        power = xp.exp(self.b * xp.log(square))
        factor = 4 * self.a * self.b * power / (square * (1 + self.a * power))
        apart *= (edges.weights * xp.minimum(factor, LIMIT / xp.sqrt(square)))[:, None]
        return edges.add(apart)

    def push(self, position: Array, block: Block, others: Array) -> Array:
        """Return (rows, d): each vertex away from the common sample, PUSH times as strongly as it is pulled."""
        xp = self.xp
        here = position[block.rows, :]
        square = _squares(xp, here)[:, None] + _squares(xp, others)[None, :] - 2 * (here @ others.T)
        square = xp.maximum(square, FAINT)
        factor = 2 * self.b / ((SOFTENING + square) * (1 + self.a * xp.exp(self.b * xp.log(square))))
        factor = xp.minimum(factor, LIMIT / xp.sqrt(square))
        force = xp.sum(factor, axis=1)[:, None] * here - factor @ others
        return force * (block.push * (PUSH / others.shape[0]))


def _squares(xp: Any, rows: Array) -> Array:
    """Sum the squares of each row; column by column where rows are short."""
    if rows.shape[1] > SHORT_ROW:
        return xp.vecdot(rows, rows)
    total = rows[:, 0] * rows[:, 0]
    for column in range(1, rows.shape[1]):
        total += rows[:, column] * rows[:, column]
    return total
