"""Seeded vectors whose groups are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def planted(
    n: int = 1200, groups: int = 12, d: int = 48, *, spread: float = 0.35, noise: float = 0.0, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return unit rows around random directions, each group flat in six directions of its own, and their labels.

    The groups lie so far apart that no row's nearest neighbours reach another group: the neighbour graph falls apart.
    """
    random = np.random.default_rng(seed)
    centres = _unit(random.normal(size=(groups, d)))
    labels = random.integers(0, groups, n)
    directions = random.normal(size=(groups, 6, d)) / np.sqrt(d)
    rows = centres[labels] + spread * np.einsum("nj,njd->nd", random.normal(size=(n, 6)), directions[labels]) / np.sqrt(
        6
    )
    stray = random.random(n) < noise
    rows[stray] = random.normal(size=(int(stray.sum()), d))
    return _unit(rows).astype(np.float32), np.where(stray, -1, labels)


def texture(n: int = 1000, d: int = 64, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return unit rows as text gives them: a common direction, falling variances, topics that overlap."""
    random = np.random.default_rng(seed)
    scales = 1 / np.sqrt(1 + np.arange(d))
    topics = random.normal(size=(max(4, n // 60), d)) * scales
    rows = topics[random.integers(0, len(topics), n)] + 0.8 * random.normal(size=(n, d)) * scales
    rows[:, 0] += 1.0
    return _unit(rows).astype(np.float32)


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
