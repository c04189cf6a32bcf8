"""Maps of runs that put theirs off: a completed run goes in; a map of the vectors that it read comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_definitions import ClusterSpec
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs, Pins
from shoald.application.cluster_work import Work
from shoald.application.former_runs import FormerRun, FormerRuns, RunMembers
from shoald.application.independent_runs import by_feature, is_independent
from shoald.application.map_drawing import MapDrawing
from shoald.application.memory_promises import MemoryPromises
from shoald.application.ports.run_tables import Columns
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.replay_runs import asked_spec
from shoald.application.staged_stages import StagedStages
from shoald.application.vector_runs import VectorRuns, input_space
from shoald.domain.clustering.spaces import Doubles, Floats
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.records.collection import Collection

_AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaterMap:
    """The map of a completed run: (m, 2 or 3) places of its members in their order, the middle of each group's by its
    id, and how it was drawn.
    """

    places: Floats
    middles: Mapping[str, Doubles]
    effective: JsonObject

    def centroid_rows(self, rows: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
        """Return the descriptions of groups with their places."""
        return tuple({**row, **self._middle(str(row["cluster_id"]))} for row in rows)

    def _middle(self, word: str) -> dict[str, float | None]:
        middle = self.middles.get(word)
        values: list[float | None] = [] if middle is None else [float(value) for value in middle]
        return {axis: values[at] if at < len(values) else None for at, axis in enumerate(_AXES)}

    def columns(self, words: Sequence[str | None]) -> Columns:
        """Return the axes of a table: `words` are the groups that its rows describe, None for members, which stand in
        their order.
        """
        found = np.full((len(words), len(_AXES)), np.nan)
        is_member = np.array([word is None for word in words], dtype=bool)
        found[is_member, : self.places.shape[1]] = self.places[: int(is_member.sum())]
        for at in np.flatnonzero(~is_member).tolist():
            middle = self.middles.get(str(words[at]))
            if middle is not None:
                found[at, : len(middle)] = middle
        return {axis: np.ascontiguousarray(found[:, at]) for at, axis in enumerate(_AXES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterMaps:
    """Draws maps after their runs."""

    open_unit_of_work: OpenUnitOfWork
    inputs: ClusterInputs
    former_runs: FormerRuns
    vectors: VectorRuns
    memory: MemoryPromises
    staged: StagedArrays

    def drawn(self, work: Work, collections: Sequence[Collection]) -> LaterMap:
        """Draw the map as the run would have.

        Raises `ArtifactNotFound` when documents were written since and the vectors that it read are kept no longer.
        """
        work = replace(work, spec=_spec(work.run))
        members = self.former_runs.members(work.run)
        places = np.full((len(members.ids), work.spec.map_dimensions or 2), np.nan, dtype=np.float32)
        works = by_feature(work) if is_independent(work.spec) else {None: work}
        effective: JsonObject = {}
        for feature, mine in works.items():
            given = self._read(mine, members, collections)
            rows = np.arange(len(members.ids)) if feature is None else np.flatnonzero(members.features == feature)
            now = self._over(work.run, given, feature)
            drawn = self._one(mine, given, now)
            places[rows[now.at]] = drawn.coordinates
            effective = drawn.effective
        return LaterMap(places=places, middles=_middles(work.run, members.groups, places), effective=effective)

    def _read(self, work: Work, members: RunMembers, collections: Sequence[Collection]) -> ClusterInput:
        """Read what the run read, of one feature where each was grouped by itself."""
        run = work.run
        mine = slice(None) if work.feature is None else np.flatnonzero(members.features == work.feature)
        pins = Pins.of(run.effective["input"], members.ids[mine], members.collection_ids[mine])
        found = [one for one in collections if one.collection_id in pins.ids]
        step = work.stage("snapshot", "looking for the vectors that the run read")
        components = self.former_runs.components(run) or None
        return self.inputs.read(found, work.spec, step, pins=pins, components=components)

    def _over(self, run: ClusterRun, given: ClusterInput, feature: str | None) -> FormerRun:
        collection_ids = [one.collection_id for one in given.collections]
        return self.former_runs.over(run, given.ids, collection_ids, given.places, feature=feature)

    def _one(self, work: Work, given: ClusterInput, now: FormerRun) -> Any:
        work = self.memory.kept_to(work, self.vectors.planned(work, given, former=work.run.num_points))
        kept = StagedStages(self.staged, scope="")
        with self.open_unit_of_work() as uow:
            before = uow.cluster_runs.latest_completed(work.cluster.cluster_id, before=work.run.created_at)
        former = None if before is None else self._over(before, given, work.feature)
        drawing = MapDrawing(work=work, given=given, kept=kept)
        return drawing.drawn(input_space(work, kept, given), now.groups().tree.labels, former)


def _spec(run: ClusterRun) -> ClusterSpec:
    """Return what was asked of the run, the map too, with the weights that it had."""
    overrides = {key: value for key, value in run.overrides.items() if key != "defer_visualization"}
    request = {**run.effective["request"], "overrides": overrides}
    spec = asked_spec(replace(run, effective={**run.effective, "request": request}))
    return replace(spec, weights=run.effective.get("feature_weights") or spec.weights, learning=None)


def _middles(run: ClusterRun, groups: npt.NDArray[Any], places: Floats) -> dict[str, Doubles]:
    """Return the mean place of the members of each group, those of its parts too."""
    words, of = np.unique(groups.astype(str), return_inverse=True)
    sums, counts = np.zeros((len(words), places.shape[1])), np.bincount(of, minlength=len(words))
    np.add.at(sums, of, places)
    parents = {str(row["cluster_id"]): row.get("parent_cluster_id") for row in run.centroids}
    total: dict[str, tuple[Any, int]] = {}
    for at, word in enumerate(words.tolist()):
        above: str | None = NOISE_CENTROID if word == NOISE_MEMBER else word
        while above is not None:
            place, count = total.get(above, (np.zeros(places.shape[1]), 0))
            total[above] = place + sums[at], count + int(counts[at])
            above = parents.get(above)
    return {word: place / count for word, (place, count) in total.items() if count}
