"""A grouping and how it was made go in; how well each of its groups comes back, and what that says, come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_work import Work
from shoald.application.cluster_work import asked as asked_of
from shoald.application.group_refining import Said
from shoald.application.staged_stages import StagedStages, content_of, stage_key
from shoald.domain.clustering.parameters import ALGORITHMS, AlgorithmParameters, PreprocessingStep
from shoald.domain.clustering.spaces import Floats, Grouping, Integers, Labels, Space
from shoald.domain.clustering.stability import (
    COMES_BACK,
    CUTTING,
    QUICK,
    THOROUGH,
    Effort,
    clearances,
    comebacks,
    sample_rows,
    scores,
)
from shoald.domain.failures import NotEnoughPoints
from shoald.domain.vocabulary import StabilityEffort

_SCALED = {"min_cluster_size": 2, "base_min_cluster_size": 2, "min_samples": 2}
"""Parameters that count members: fewer of a subsample are as many; and the least that they may become."""
_RESTARTS = 3


def measured_stability(
    work: Work,
    kept: StagedStages,
    worked: Space,
    space: Space,
    found: Grouping,
    steps: Sequence[PreprocessingStep],
) -> tuple[Floats | None, Said]:
    """Return (k,) the scores, None where they were not asked for or there is no group.

    Quick: four subsamples of at most 1,500 rows of the preprocessed vectors. Thorough: ten of four fifths of all rows,
    from the input on, the steps before the algorithm done anew with other seeds.
    """
    asked = work.spec.stability
    step = work.stage("stability", "" if asked == StabilityEffort.NONE else "grouping subsamples")
    if asked == StabilityEffort.NONE or found.count == 0:
        return None, Said()
    effort = THOROUGH if asked == StabilityEffort.THOROUGH else QUICK
    algorithm, share = _fitted(_used(work.spec.algorithm, found), len(space), found.count, effort)
    is_cut = str(algorithm.method) in CUTTING
    clearance = clearances(worked.vectors, found.labels) if is_cut else None
    key = stage_key("stability", worked.key, space.key, asked, asked_of(algorithm), content_of(found.labels))
    known = kept.floats(key)
    if known is None:
        again = _Again(work, space if effort is THOROUGH else worked, algorithm, steps if effort is THOROUGH else ())
        known = comebacks(found.labels, again.regrouped, effort, step=step).astype(np.float32)
        kept.keep_floats(key, known)
    found_scores = scores(known, clearance)
    return found_scores, _said(found_scores, effort, asked, share, is_cut=is_cut)


@dataclass(frozen=True, slots=True)
class _Again:
    """Groups some of the rows by themselves, the steps before the algorithm done anew."""

    work: Work
    space: Space
    algorithm: AlgorithmParameters
    steps: Sequence[PreprocessingStep]

    def regrouped(self, rows: Integers, seed: int) -> Labels:
        """Return the labels of the rows; where they are too few for the algorithm, none is in a group."""
        own = replace(self.space, vectors=np.ascontiguousarray(self.space.vectors[rows]))
        tools = replace(self.work.tools, graphs={})
        worked = stages.preprocess(own, [_reseeded(one, seed) for one in self.steps], tools=tools)
        try:
            return stages.cluster(worked, _reseeded(self.algorithm, seed), tools=tools).labels
        except NotEnoughPoints:
            return np.full(len(rows), -1, dtype=np.int32)


def _said(found: Floats, effort: Effort, asked: str, share: float, *, is_cut: bool) -> Said:
    known = found[~np.isnan(found)]
    shaky = np.flatnonzero(found < COMES_BACK)
    note = {
        "effort": asked,
        "rounds": effort.rounds,
        "share_of_rows": round(share, 4),
        "counts_border": is_cut,
        "comes_back_from": COMES_BACK,
    }
    warnings: tuple[str, ...] = ()
    if len(shaky):
        warnings = (f"{len(shaky)} of {len(found)} groups would not come back from other samples: see stability",)
    metrics: dict[str, Any] = {
        "mean_stability": float(known.mean()) if len(known) else None,
        "unstable_clusters": len(shaky),
    }
    return Said(notes={"stability": note}, metrics=metrics, warnings=warnings)


def _used(asked: AlgorithmParameters, found: Grouping) -> AlgorithmParameters:
    """Return what was asked for, or what `auto` chose: a subsample could make it choose otherwise."""
    chosen = found.effective.get("algorithm_chosen")
    if chosen is None:
        return asked
    shape = ALGORITHMS[str(chosen)]
    return shape(**{one.name: found.effective[one.name] for one in fields(shape)})


def _fitted(parameters: AlgorithmParameters, n: int, k: int, effort: Effort) -> tuple[AlgorithmParameters, float]:
    """Return the parameters for a subsample, in which groups have fewer members, and its share of the rows."""
    share = sample_rows(n, k, effort) / n
    given = asdict(parameters)
    changed: dict[str, Any] = {
        name: type(given[name])(max(least, round(given[name] * share)))
        for name, least in _SCALED.items()
        if given.get(name) is not None and given[name] >= 1
    }
    if given.get("n_init") is not None:
        changed["n_init"] = min(given["n_init"], _RESTARTS)
    return replace(parameters, **changed), share


def _reseeded(parameters: Any, seed: int) -> Any:
    return replace(parameters, random_state=seed) if hasattr(parameters, "random_state") else parameters
