"""A definition and settings of its algorithm go in; what each of them gives comes out, on one graph and one reduction.

What is made on the way is kept under the keys of runs: a run with one of the settings takes it and computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_definitions import read_spec
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs, part_of
from shoald.application.cluster_work import BEGINS, Work
from shoald.application.independent_runs import by_feature, is_independent
from shoald.application.map_drawing import MapDrawing
from shoald.application.memory_promises import MemoryPromises, shape_of
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.stability_measuring import measured_stability
from shoald.application.staged_stages import StagedStages, stage_key
from shoald.application.vector_runs import grouped_rows, input_space, preprocessed, steps_for
from shoald.domain.clustering.memory import swept
from shoald.domain.clustering.spaces import Grouping, Space
from shoald.domain.clustering.sweeps import SweepPoint, score_of, suggested, together
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection

PREPROCESSED, DRAWN_FROM = BEGINS["cluster"], BEGINS["map"]
"""Shares of a sweep's progress between which settings are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRuns:
    """Does sweeps."""

    inputs: ClusterInputs
    staged: StagedArrays
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection], settings: Sequence[JsonObject]) -> dict[str, Any]:
        """Try every setting and say which to take. Raises `TooLarge` when one of them would take too much memory.

        Where features are grouped each by itself, a setting is tried on each of them, and a point tells of all.
        """
        works = list(by_feature(work).values()) if is_independent(work.spec) else [work]
        step = work.stage("snapshot", "reading vectors")
        inputs = [
            self.inputs.read(collections, one.spec, part_of(step, at, len(works))) for at, one in enumerate(works)
        ]
        swept_features = [self._swept(one, given, settings) for one, given in zip(works, inputs, strict=True)]
        points = [together(same) for same in zip(*(one.points for one in swept_features), strict=True)]
        contents = [given.content for given in inputs]
        largest = max(swept_features, key=lambda one: one.memory["estimated_peak_bytes"])
        return {
            "points": [one.as_json() for one in points],
            "suggested": suggested(points),
            "documents": max(len(given.ids) for given in inputs),
            "content_sha256": contents[0] if len(contents) == 1 else stage_key(*contents),
            "memory": dict(largest.memory),
            "warnings": list(dict.fromkeys(warning for one in swept_features for warning in one.warnings)),
        }

    def _swept(self, work: Work, given: ClusterInput, settings: Sequence[JsonObject]) -> _Swept:
        """Try every setting on one input."""
        kept = StagedStages(self.staged)
        work = replace(work, tools=replace(work.tools, trees={}))
        tried = self._promised([self._trial(work, setting) for setting in settings], given)
        space = input_space(tried[0], kept, given)
        steps, chosen = steps_for(work, *space.vectors.shape)
        worked = preprocessed(work, kept, given, space, steps)
        points = []
        for at, (setting, mine) in enumerate(zip(settings, tried, strict=True)):
            done = PREPROCESSED + (DRAWN_FROM - PREPROCESSED) * at / len(settings)
            work.context.progress("sweep", work.done(done), f"setting {at + 1} of {len(settings)}")
            points.append(_point(mine, kept, given, (space, worked), setting))
        labels = np.zeros(len(given.ids), dtype=np.int32)
        MapDrawing(work=work, given=given, kept=kept).drawn(space, labels, None)
        warnings = (*given.warnings, *chosen, *worked.warnings, *_dropped(tried))
        return _Swept(points=points, warnings=warnings, memory=tried[0].memory)

    def _trial(self, work: Work, setting: JsonObject) -> Work:
        """Return the work of one setting."""
        overrides = {**work.run.overrides, "algorithm_params": dict(setting)}
        spec = read_spec(work.cluster.definition, overrides)
        spec = spec if work.feature is None else replace(spec, features=(work.feature,))
        return replace(work, spec=spec, is_quiet=True)

    def _promised(self, tried: Sequence[Work], given: ClusterInput) -> list[Work]:
        """Return the works of all settings with one promise, what the dearest takes; raises `TooLarge`."""
        shape = shape_of(given)
        plans = [self.memory.planned(one.spec, steps_for(one, shape.rows, shape.width)[0], shape) for one in tried]
        plan = swept(plans, shape.rows)
        return [self.memory.kept_to(one, plan) for one in tried]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Swept:
    """What the settings gave on one input, in their order."""

    points: Sequence[SweepPoint]
    warnings: tuple[str, ...]
    memory: JsonObject


def _dropped(tried: Sequence[Work]) -> list[str]:
    """Return what was asked for and does not apply, of all settings."""
    return [warning for one in tried for warning in one.spec.warnings]


def _point(
    work: Work, kept: StagedStages, given: ClusterInput, spaces: tuple[Space, Space], setting: JsonObject
) -> SweepPoint:
    space, worked = spaces
    steps, _ = steps_for(work, *space.vectors.shape)
    found = grouped_rows(work, kept, given, worked, steps)
    centres = stages.centroids(space, found.labels, tools=work.tools)
    metrics = stages.quality(space, found.labels, centres, tools=work.tools)
    _, measured = measured_stability(work, kept, worked, space, found, steps)
    return _as_point(setting, found, {**metrics, **measured.metrics})


def _as_point(setting: JsonObject, found: Grouping, metrics: dict[str, Any]) -> SweepPoint:
    sizes = np.bincount(found.labels[found.labels >= 0])
    figures: dict[str, Any] = {
        "num_clusters": found.count,
        "noise_ratio": metrics["noise_ratio"],
        "largest_share": float(sizes.max() / sizes.sum()) if len(sizes) else 0.0,
        "silhouette_score": metrics["silhouette_score"],
        "mean_cosine_to_centroid": metrics["mean_cosine_to_centroid"],
        "mean_stability": metrics.get("mean_stability"),
        "unstable_clusters": metrics.get("unstable_clusters", 0),
        "degenerate": metrics["degenerate"] or None,
    }
    return SweepPoint(parameters=dict(setting), **figures, score=score_of(figures))
