"""A way to score weights of features goes in; the best weights that a search finds come out.

Weights matter only beside one another, so every combination is scaled to a largest weight of 1.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shoald.domain.clustering.spaces import Doubles, Step, no_step

GRID_FEATURES = 3
"""Features of which every combination can be tried."""
CANDIDATES = 256
WORST = -1e6
"""The score of weights under which no groups are found."""

Score = Callable[[Doubles], float]
"""(features,) weights to how good the groups are that they give, larger is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedWeights:
    """The best weights, their score, and how many combinations were tried."""

    weights: tuple[float, ...]
    score: float
    tried: int


def grid_search(score: Score, features: int, values: int, *, step: Step = no_step) -> LearnedWeights:
    """Try every combination of so many values of each weight, those that differ only in scale once.

    O(features · values^(features - 1)) scores. Ties go to the combination that comes first, equal weights first.
    """
    axis = np.linspace(0, 1, values).tolist()
    several = itertools.product(axis, repeat=features)
    combinations = [one for one in several if max(one) == 1]
    combinations.sort(key=lambda one: (-min(one), one))
    return _best([np.array(one) for one in combinations], score, step)


def bayesian_search(score: Score, features: int, tries: int, seed: int, *, step: Step = no_step) -> LearnedWeights:
    """Try equal weights, each feature above the others, and then where a Gaussian process expects the most to gain.

    Deterministic by seed. O(tries) scores and O(tries³) of its own.
    """
    random = np.random.default_rng(seed)
    begin = [np.ones(features), *(np.where(np.arange(features) == one, 1.0, 0.2) for one in range(features))]
    tried: list[Doubles] = []
    scores: list[float] = []
    for at in range(tries):
        if at < len(begin):
            weights = begin[at]
        else:
            weights = _most_promising(np.array(tried), np.array(scores), _scaled(random, features), seed)
        tried.append(weights)
        scores.append(score(weights))
        step((at + 1) / tries)
    best = int(np.argmax(scores))
    return LearnedWeights(weights=tuple(tried[best].tolist()), score=scores[best], tried=tries)


def _scaled(random: np.random.Generator, features: int) -> Doubles:
    """Draw candidates evenly over the shares that weights can have."""
    drawn = random.dirichlet(np.ones(features), CANDIDATES)
    return np.asarray(drawn / drawn.max(axis=1, keepdims=True))


def _best(combinations: list[Doubles], score: Score, step: Step) -> LearnedWeights:
    scores = []
    for at, weights in enumerate(combinations):
        scores.append(score(weights))
        step((at + 1) / len(combinations))
    best = int(np.argmax(scores))
    return LearnedWeights(weights=tuple(combinations[best].tolist()), score=scores[best], tried=len(combinations))


def _most_promising(tried: Doubles, scores: Doubles, candidates: Doubles, seed: int) -> Doubles:
    """Return the candidate with the largest expected improvement (Jones, Schonlau and Welch 1998)."""
    from scipy.stats import norm
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    known = np.where(scores <= WORST, scores[scores > WORST].min(initial=0.0) - 1, scores)
    spread = known.std() or 1.0
    kernel = ConstantKernel(1.0) * Matern(length_scale=0.5, nu=2.5) + WhiteKernel(1e-3)
    model = GaussianProcessRegressor(kernel, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a kernel at its bound is as good as any
        model.fit(tried, (known - known.mean()) / spread)
    mean, deviation = model.predict(candidates, return_std=True)
    gain = mean - (known.max() - known.mean()) / spread
    ratio = gain / np.maximum(deviation, 1e-9)
    expected = gain * norm.cdf(ratio) + deviation * norm.pdf(ratio)
    return np.asarray(candidates[int(np.argmax(expected))])
