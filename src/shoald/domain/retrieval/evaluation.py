"""Metrics of questions go in; their means come out, with intervals that say how far other questions might move them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.retrieval.relevance import Judgement
from shoald.domain.vocabulary import EvaluationMetric

# numbers of a block of resamples: 32 MiB
_MOST_COUNTS = 1 << 22


@dataclass(frozen=True, slots=True)
class MetricAt:
    """A metric at a depth, such as `recall` at 5."""

    metric: str
    k: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over questions, and the ends of its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How intervals are made: their share of the resamples, how many there are, and the seed of the draws."""

    confidence: float = 0.95
    resamples: int = 1000
    seed: int = 0


def metrics_at(depths: Sequence[int]) -> list[MetricAt]:
    """Return what is measured: recall and nDCG at each depth, MRR at the deepest.

    >>> [f"{m.metric}@{m.k}" for m in metrics_at([1, 5])]
    ['recall@1', 'recall@5', 'ndcg@1', 'ndcg@5', 'mrr@5']
    """
    rows = [MetricAt(metric, k) for metric in (EvaluationMetric.RECALL, EvaluationMetric.NDCG) for k in depths]
    return [*rows, MetricAt(EvaluationMetric.MRR, max(depths))]


def measured(judgement: Judgement, wanted: Sequence[MetricAt]) -> list[float]:
    """Return the value of each metric for one question."""
    measures = {
        EvaluationMetric.RECALL: judgement.recall,
        EvaluationMetric.NDCG: judgement.ndcg,
        EvaluationMetric.MRR: judgement.reciprocal_rank,
    }
    return [measures[EvaluationMetric(one.metric)](one.k) for one in wanted]


def intervals(values: npt.NDArray[np.float64], how: Resampling) -> list[Interval]:
    """Return the mean of each column of (questions, metrics) with its percentile bootstrap interval.

    Questions are drawn with replacement (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3);
    the same seed draws the same questions, so that differences of two strategies are paired (Sakai 2006, Evaluating
    evaluation metrics based on the bootstrap). One question has an interval of no length. O(resamples · questions).
    """
    means = np.concatenate([block @ values for block in _weights(len(values), how)])
    tail = (1.0 - how.confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail], axis=0)
    return [
        Interval(mean=float(mean), low=float(least), high=float(most))
        for mean, least, most in zip(values.mean(axis=0), low, high, strict=True)
    ]


def _weights(questions: int, how: Resampling) -> Iterator[npt.NDArray[np.float64]]:
    """Yield blocks of (resamples, questions): the share that each question has in each resample."""
    rng = np.random.default_rng(how.seed)
    size = max(1, _MOST_COUNTS // questions)
    even = np.full(questions, 1.0 / questions)
    for start in range(0, how.resamples, size):
        yield rng.multinomial(questions, even, size=min(size, how.resamples - start)) / questions
