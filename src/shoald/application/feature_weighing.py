"""An input of several features goes in; the same input, each feature by the weight that was learned, comes out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_options import WeightLearning
from shoald.application.cluster_work import Work, asked
from shoald.application.group_refining import Said
from shoald.application.staged_stages import StagedStages, stage_key
from shoald.domain.clustering.feature_weights import WORST, LearnedWeights, bayesian_search, grid_search
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Space, Step
from shoald.domain.failures import NotEnoughPoints
from shoald.domain.vocabulary import WeightMetric, WeightSearch

MOST_ROWS = 2000
_RESTARTS = 3
_FIGURES = {
    WeightMetric.SILHOUETTE: ("silhouette_score", 1.0),
    WeightMetric.DAVIES_BOULDIN: ("davies_bouldin_index", -1.0),
    WeightMetric.CALINSKI_HARABASZ: ("calinski_harabasz_score", 1.0),
}


def weighed(work: Work, kept: StagedStages, given: ClusterInput) -> tuple[ClusterInput, Said]:
    """Learn weights on a sample where that was asked for, and apply them to the input's vectors in place.

    Groups are made by the run's own algorithm, without the steps before it.
    """
    how = work.spec.learning
    if how is None:
        return given, Said()
    if len(given.widths) < 2:  # noqa: PLR2004 - one feature has nothing to be weighed against
        return given, Said(warnings=("multi_feature_strategy weighted does not apply: there is one feature",))
    step = work.stage("weigh", "learning weights of features")
    key = stage_key("weights", given.content, work.spec.normalize, asdict(how), asked(work.spec.algorithm))
    known = kept.arrays(key)
    if known is None:
        found = _learned(work, given, how, step)
        numbers = np.array([found.score, found.tried, *found.weights])
        kept.keep_arrays(key, {"numbers": numbers})
    else:
        numbers = np.asarray(known["numbers"])
    weights = numbers[2:].tolist()
    _apply(given, weights)
    by_name = {feature.name: weight for feature, weight in zip(given.features, weights, strict=True)}
    name, sign = _FIGURES[WeightMetric(how.metric)]
    note = {
        **asdict(how),
        "rows": min(len(given.sampled), how.sample_size or MOST_ROWS),
        "weights": by_name,
        "score": float(numbers[0]) * sign,
        "score_is": name,
        "tried": int(numbers[1]),
    }
    record = {**given.record, "feature_weights": by_name}
    return replace(given, record=record), Said(notes={"weight_learning": note})


def _apply(given: ClusterInput, weights: list[float]) -> None:
    """Scale the columns of each feature; the array of several features is the run's own."""
    at = 0
    for width, weight in zip(given.widths, weights, strict=True):
        given.vectors[:, at : at + width] *= np.float32(weight)
        at += width


def _learned(work: Work, given: ClusterInput, how: WeightLearning, step: Step) -> LearnedWeights:
    rows = _chosen(given, how)
    trial = _Trial(work, given.vectors[given.rows[rows]], given.widths, how.metric)
    features = len(given.widths)
    if how.method == WeightSearch.GRID_SEARCH:
        return grid_search(trial.score, features, how.max_iterations, step=step)
    return bayesian_search(trial.score, features, how.max_iterations, how.random_state, step=step)


def _chosen(given: ClusterInput, how: WeightLearning) -> Integers:
    rows, most = given.sampled, how.sample_size or MOST_ROWS
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(how.random_state).choice(rows, most, replace=False))


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Scores weights by the groups that they give."""

    work: Work
    vectors: Floats
    widths: tuple[int, ...]
    metric: str

    def score(self, weights: Doubles) -> float:
        """Return how good the groups are under some weights, larger is better."""
        self.work.context.check()
        columns = np.repeat(weights, self.widths).astype(np.float32)
        tools = replace(self.work.tools, graphs={})
        space = Space(np.ascontiguousarray(self.vectors * columns))
        try:
            found = stages.cluster(space, self._quicker(), tools=tools)
        except NotEnoughPoints:
            return WORST
        centres = stages.centroids(space, found.labels, tools=tools)
        name, sign = _FIGURES[WeightMetric(self.metric)]
        figure = stages.quality(space, found.labels, centres, tools=tools)[name]
        return WORST if figure is None else float(figure) * sign

    def _quicker(self) -> Any:
        algorithm = self.work.spec.algorithm
        restarts = getattr(algorithm, "n_init", None)
        return algorithm if restarts is None else replace(algorithm, n_init=min(restarts, _RESTARTS))
