"""Reciprocal-rank fusion: several orders of the same items go in, one comes out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shoald.domain.retrieval.hits import Hits, Positions

CONSTANT = 60
"""What Cormack, Clarke and Büttcher (2009) add to a rank."""


def fused(rankings: Sequence[Positions], weights: Sequence[float]) -> Hits:
    """Return all items of the rankings with the sum of weight / (60 + rank), ranks from 1; ties by position.

    >>> import numpy as np
    >>> hits = fused([np.array([7, 3]), np.array([3])], [1.0, 1.0])
    >>> hits.positions.tolist(), hits.scores.round(4).tolist()
    ([3, 7], [0.0325, 0.0164])
    """
    everywhere = np.concatenate([np.zeros(0, np.int64), *rankings])
    shares = [
        weight / (CONSTANT + np.arange(1, len(ranking) + 1)) for ranking, weight in zip(rankings, weights, strict=True)
    ]
    positions, rows = np.unique(everywhere, return_inverse=True)
    scores = np.zeros(len(positions))
    np.add.at(scores, rows, np.concatenate([np.zeros(0), *shares]))
    return Hits.ordered(positions, scores)
