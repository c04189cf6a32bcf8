"""Rows and their groups in, groups out that no single row leaves to its gain (Hartigan's rule for k-means).

Lloyd's iteration asks which mean is nearest; a row that moves takes its old mean's pull with it, so in small groups of
many dimensions nearly every partition is at rest for Lloyd. Moving one row at a time leaves those optima.
"""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.spaces import Doubles, Floats, Integers

MOVES = 200
"""Moves at most."""
GAIN = 1e-9
"""A smaller share of a row's mean error is rounding."""


def moved_singly(rows: Floats, labels: Integers, k: int) -> Integers:
    """Return (n,) labels in [0, k) after the best single moves, one after another.

    (n, d) rows near the origin. O(n k d), and O(n (d + k)) a move; O(n k) memory.
    """
    exact, labels = rows.astype(np.float64), labels.copy()
    sizes = np.bincount(labels, minlength=k).astype(np.float64)
    sums = np.zeros((k, rows.shape[1]))
    np.add.at(sums, labels, exact)
    lengths, every = np.einsum("ij,ij->i", exact, exact), np.arange(len(rows))
    squares = _squares(exact, lengths, sums, sizes)
    for _ in range(MOVES):
        left = squares[every, labels] * np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0.0)[labels]
        joined = squares * (sizes / (sizes + 1))
        joined[every, labels] = np.inf
        nearest = joined.argmin(axis=1)
        gains = left - joined[every, nearest]
        row = int(gains.argmax())
        if gains[row] <= GAIN * left.mean():
            break
        pair = np.array([labels[row], nearest[row]])
        sums[pair] += np.array([[-1.0], [1.0]]) * exact[row]
        sizes[pair] += (-1, 1)
        labels[row] = nearest[row]
        squares[:, pair] = _squares(exact, lengths, sums[pair], sizes[pair])
    return labels


def _squares(rows: Doubles, lengths: Doubles, sums: Doubles, sizes: Doubles) -> Doubles:
    """Return the (n, groups) squared distances to the groups' means; an empty group's is the origin."""
    means = sums / np.maximum(sizes, 1)[:, None]
    return np.asarray(np.maximum(lengths[:, None] - 2 * rows @ means.T + np.square(means).sum(axis=1), 0.0))
