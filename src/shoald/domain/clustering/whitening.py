"""Vectors in, decorrelated vectors out, in the same coordinates (soft ZCA)."""

from __future__ import annotations

import numpy as np

from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.spaces import Doubles, Floats, Step, block_rows, no_step

RANK = 1e-9
"""Directions with less than this share of the largest variance are noise of float32, and are left out."""


def whiten(vectors: Floats, regularization: float, *, backend: ArrayBackend, step: Step = no_step) -> Floats:
    """Return (n, d) float32 with mean 0 and a covariance near the identity on the directions that vary.

    (x - mean) U diag(1 / sqrt(variance + regularization)) Uᵀ, with the eigenvectors U and eigenvalues of the
    covariance in float64 (soft ZCA, Diera, Galke and Scherp 2024); 0 regularization is plain ZCA. Fewer than two rows
    become 0. O(n d² + d³).
    """
    mean, covariance = moments(vectors, backend=backend, step=lambda done: step(0.6 * done))
    with backend.small_products():
        variance, axes = np.linalg.eigh(covariance)
    alive = variance > RANK * max(float(variance.max(initial=0)), 1e-300)
    scale = np.zeros_like(variance)
    scale[alive] = 1 / np.sqrt(variance[alive] + regularization)
    turn = backend.send(np.ascontiguousarray((axes * scale) @ axes.T, dtype=np.float32))
    white = np.empty_like(vectors)
    size = block_rows(vectors.shape[1])
    for at in range(0, len(vectors), size):
        block = (vectors[at : at + size] - mean).astype(np.float32)
        white[at : at + size] = backend.fetch(backend.send(block) @ turn)
        step(0.6 + 0.4 * min(1.0, (at + size) / len(vectors)))
    return white


def moments(vectors: Floats, *, backend: ArrayBackend, step: Step = no_step) -> tuple[Doubles, Doubles]:
    """Return the (d,) mean and the (d, d) covariance in float64, block by block. O(n d²)."""
    n, d = vectors.shape
    mean = vectors.mean(axis=0, dtype=np.float64)
    total = backend.xp.zeros((d, d), dtype=backend.xp.float64)
    size = block_rows(d)
    for at in range(0, n, size):
        block = backend.send(vectors[at : at + size] - mean)
        total = total + block.T @ block
        step(min(1.0, (at + size) / n))
    return mean, backend.fetch(total) / max(n - 1, 1)
