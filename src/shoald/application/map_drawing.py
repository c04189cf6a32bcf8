"""A space and the run before go in; the map of all documents comes out, kept near to the one before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_work import Work
from shoald.application.former_runs import FormerRun
from shoald.application.staged_stages import StagedStages, stage_key
from shoald.domain.clustering.map_keeping import aligned, placed_among, some_of, standing_places
from shoald.domain.clustering.parameters import parse_steps
from shoald.domain.clustering.spaces import Floats, Integers, Labels, Space, row_blocks
from shoald.domain.clustering.starting_positions import principal_positions
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import LayoutStability, ReductionMethod


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnMap:
    """The (n, 2 or 3) places, None for no map; how they were found."""

    coordinates: Floats | None
    effective: JsonObject = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapDrawing:
    """Draws the map of one run."""

    work: Work
    given: ClusterInput
    kept: StagedStages

    def drawn(self, space: Space, labels: Labels, former: FormerRun | None) -> DrawnMap:
        """Draw the sample, place the other documents among it, and keep to the former map as was asked."""
        options = self.work.spec.map
        step = self.work.stage("map", "drawing the map" if options.dimensions else "")
        about = {"dimensions": options.dimensions, "method": str(options.method), "seed": options.seed}
        if options.dimensions is None:
            return DrawnMap(
                coordinates=None, effective={**about, "method": "none", **_applied("none", "there is no map")}
            )
        key = stage_key("map", space.key, self.work.tools.arrays.name, options.method, options.dimensions, options.seed)
        places = self.kept.floats(key)
        if places is None:
            places = self._laid(space, options.dimensions, step)
            self.kept.keep_floats(key, places)
        whole = self._with_rest(space, labels, places)
        kept_places, applied = self._kept(space, labels, whole, former)
        note = stages.graph_note(space, tools=self.work.tools)
        return DrawnMap(coordinates=kept_places, effective={**about, **applied, **note})

    def _laid(self, space: Space, dimensions: int, step: Any) -> Floats:
        options, tools = self.work.spec.map, self.work.tools
        if options.method == ReductionMethod.PCA:
            return principal_positions(space.vectors, dimensions, backend=tools.arrays)
        if options.method == ReductionMethod.TSNE:
            asked = {"method": options.method, "n_components": dimensions, "random_state": options.seed}
            steps, _ = parse_steps([asked], loc=("body", "dimension_reduction"))
            found = stages.preprocess(space, steps, tools=tools, step=step)
            # so few vectors, or equal ones, are left as they are
            return (
                found.vectors
                if found.is_layout
                else principal_positions(space.vectors, dimensions, backend=tools.arrays)
            )
        return stages.coordinates(space, dimensions, tools=tools, seed=options.seed, step=step)

    def _with_rest(self, space: Space, labels: Labels, places: Floats) -> Floats:
        """Place the documents outside the sample among those of their group that are in it."""
        given = self.given
        if given.sample is None:
            return places
        found = np.zeros((len(given.ids), places.shape[1]), dtype=np.float32)
        found[given.sampled] = places
        of_sample = labels[given.sampled]
        for group in np.unique(labels[given.rest]):
            mine = given.rest[labels[given.rest] == group]
            standing = some_of(np.flatnonzero(of_sample == group))
            standing = standing if len(standing) else some_of(np.arange(len(places)))
            self._place(space, places, mine, standing, found)
        return found

    def _place(self, space: Space, places: Floats, rows: Integers, standing: Integers, found: Floats) -> None:
        for part in row_blocks(rows, space.vectors.shape[1]):
            self.work.context.check()
            vectors = self.given.vectors_of(part, normalize=True)
            found[part] = placed_among(vectors, space.vectors[standing], places[standing])

    def _kept(
        self, space: Space, labels: Labels, places: Floats, former: FormerRun | None
    ) -> tuple[Floats, JsonObject]:
        """Keep to the former map."""
        asked = self.work.spec.map.stability
        if asked == LayoutStability.NONE:
            return places, _applied("none", "layout_stability is none")
        if former is None:
            return places, _applied("none", "there is no run before")
        before = former.places(places.shape[1])
        turned = None if before is None else aligned(places, before)
        if before is None or turned is None:
            return places, _applied("none", "the run before shares too little of such a map")
        if asked == LayoutStability.ALIGN:
            return turned, _applied("aligned", f"turned to the map of {former.run.run_id}")
        sampled = self.given.sampled
        standing = turned.copy()
        standing[sampled] = standing_places(space.vectors, labels[sampled], before[sampled], turned[sampled])
        known = ~np.isnan(before).any(axis=1)
        standing[known] = before[known]
        return standing, _applied("transform", f"new documents were placed into the map of {former.run.run_id}")


def _applied(word: str, why: str) -> JsonObject:
    return {"layout_stability_applied": word, "layout_stability_reason": why}
