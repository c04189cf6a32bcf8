"""Vectors in, the first positions of a layout out: their principal components."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.spaces import Floats, block_rows
from shoald.domain.clustering.whitening import moments

WIDTH = 10.0
STILL = 1e-9
"""Vectors that vary less than this do not vary."""
GRID = 1024
"""Positions are rounded to 1 / GRID, far coarser than what the order of a sum can change."""
JITTER = 1e-3


def principal_positions(vectors: Floats, dimensions: int, *, backend: ArrayBackend) -> Floats:
    """Return the (n, dimensions) float32 principal components, the widest coordinate reaching ±10.

    The sign of an axis is such that its largest entry is positive. Where the vectors have fewer dimensions than asked
    for, or do not vary, the rest is 0. O(n d² + d³).
    """
    mean, covariance = moments(vectors, backend=backend)
    # of a few hundred columns: threads would wait for one another fifty times longer than one works
    with backend.small_products():
        _, axes = np.linalg.eigh(covariance)
    axes = axes[:, ::-1][:, :dimensions]
    leading = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[leading, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    size = block_rows(vectors.shape[1])
    found = np.concatenate([(vectors[at : at + size] - mean) @ axes for at in range(0, len(vectors), size)])
    widest = float(np.abs(found).max(initial=0))
    positions = np.zeros((len(vectors), dimensions), dtype=np.float32)
    if widest > STILL:
        positions[:, : found.shape[1]] = np.round(found * (WIDTH / widest) * GRID) / GRID
    return positions


def starting_positions(vectors: Floats, dimensions: int, *, seed: int, backend: ArrayBackend) -> Floats:
    """Return the principal positions with a little noise, so that equal rows can part. Deterministic by seed."""
    noise = np.random.default_rng(seed).normal(scale=JITTER, size=(len(vectors), dimensions))
    return (principal_positions(vectors, dimensions, backend=backend) + noise).astype(np.float32)
