"""Leiden passes by graspologic-native: arrays in, communities out."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.spaces import Doubles, Integers

RANDOMNESS = 0.001
"""How far a merge may be from the best one: the library's default."""


def leiden_pass(  # noqa: PLR0913 - a graph is three arrays
    left: Integers,
    right: Integers,
    weights: Doubles,
    n: int,
    start: Integers | None,
    resolution: float,
    *,
    modularity: bool,
    seed: int,
) -> tuple[Integers, float]:
    """Return (n,) communities and their quality; rows without edges get communities of their own.

    The library names nodes by strings: making them costs about a third of a second for 700,000 edges.
    """
    import graspologic_native

    names = [str(row) for row in range(n)]
    edges = [
        (names[a], names[b], weight)
        for a, b, weight in zip(left.tolist(), right.tolist(), weights.tolist(), strict=True)
    ]
    linked = np.unique(np.concatenate([left, right]))
    begin = None if start is None else {names[row]: int(start[row]) for row in linked.tolist()}
    quality, found = graspologic_native.leiden(edges, begin, resolution, RANDOMNESS, 1, modularity, seed, 1)
    labels = np.full(n, -1, dtype=np.int64)
    labels[linked] = [found[names[row]] for row in linked.tolist()]
    alone = np.flatnonzero(labels < 0)
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(len(alone))
    return labels, float(quality)
