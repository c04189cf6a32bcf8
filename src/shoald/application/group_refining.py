"""Groups go in as the algorithm found them; faces merged and large groups divided, they come out as they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_work import Work
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.staged_stages import StagedStages, content_of, stage_key
from shoald.domain.clustering.face_merge import merged_faces, sightings_of
from shoald.domain.clustering.group_tree import GroupTree
from shoald.domain.clustering.hierarchy import LEAST_MEMBERS, PARTS, least_divided, subdivided
from shoald.domain.clustering.parameters import HdbscanParameters, UmapParameters
from shoald.domain.clustering.spaces import Grouping, Integers, Labels, Space
from shoald.domain.clustering.stability import clearances
from shoald.domain.json_types import JsonObject

READ_AT_ONCE = 1000
PART_DIMENSIONS = 10
PART_NEIGHBOURS = 15
MOST_NOISE = 0.5
"""A division that leaves more than this in no part is none."""
LEAST_CLEARANCE = 0.3
"""Neither is one whose parts no valley of density sets apart: a layout shows parts where there are none."""
UNSEEN = 1
"""Parts may have so few members that a valley between them shows by chance: one more counts as standing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refining:
    """What refining needs of its run."""

    work: Work
    given: ClusterInput
    open_unit_of_work: OpenUnitOfWork
    kept: StagedStages


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a stage says of itself: figures for the run's record, and warnings."""

    notes: JsonObject = field(default_factory=dict[str, Any])
    metrics: JsonObject = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()


def merged_by_faces(refining: Refining, space: Space, found: Grouping) -> tuple[Grouping, Said]:
    """Merge groups of one face, if that was asked for."""
    rule, work = refining.work.spec.faces, refining.work
    work.stage("merge", "comparing faces" if rule else "")
    if rule is None:
        return found, Said()
    centres = stages.centroids(space, found.labels, tools=work.tools)
    payloads = list(payloads_of(refining.open_unit_of_work, refining.given, refining.given.sampled))
    seen = sightings_of(found.labels, payloads, rule)
    merged = merged_faces(found.labels, centres.vectors, seen, rule)
    note = {**asdict(rule), "groups_before": found.count, "groups_after": len(merged.parts)}
    warnings: tuple[str, ...] = ()
    if not any(seen.scenes) and not any(seen.boxes):
        missing = f"{rule.bbox_field}, {rule.frame_field} and {rule.scene_field}"
        warnings = (f"face_cluster_merge found nothing to go by: no document has {missing}",)
    return replace(found, labels=merged.labels), Said(notes={"face_cluster_merge": note}, warnings=warnings)


def payloads_of(open_unit_of_work: OpenUnitOfWork, given: ClusterInput, rows: Integers) -> Iterator[JsonObject]:
    """Yield the payloads of some rows in their order; one of a document that is gone is empty."""
    for start in range(0, len(rows), READ_AT_ONCE):
        block = rows[start : start + READ_AT_ONCE]
        found: dict[int, JsonObject] = {}
        with open_unit_of_work() as uow:
            for place, collection in enumerate(given.collections):
                mine = block[given.places[block] == place].tolist()
                ids = [given.ids[row].decode() for row in mine]
                payloads = uow.collections.payloads(collection.collection_id, ids) if ids else {}
                found.update({row: payloads.get(one, {}) for row, one in zip(mine, ids, strict=True)})
        yield from (found[row] for row in block.tolist())


def subdivided_by_density(refining: Refining, space: Space, found: Grouping) -> tuple[GroupTree, Said]:
    """Divide groups by UMAP and HDBSCAN, level by level, if that was asked for."""
    work = refining.work
    tree = GroupTree.flat(found.labels)
    step = work.stage("subdivide", "dividing groups" if work.spec.levels else "")
    if work.spec.levels == 0:
        return tree, Said()
    size = _smallest(found)
    least = least_divided(size)
    key = stage_key("subdivide", space.key, content_of(found.labels), work.spec.levels, size)
    known = refining.kept.arrays(key)
    if known is None:
        tree = subdivided(tree, _Division(work, space, size).parts, levels=work.spec.levels, least=least, step=step)
        refining.kept.keep_arrays(key, {"parents": tree.parents, "labels": tree.labels, "ids": np.array(tree.ids)})
    else:
        ids = tuple(str(one) for one in known["ids"])
        tree = GroupTree(ids=ids, parents=np.array(known["parents"]), labels=np.array(known["labels"]))
    note = {
        "levels": tree.depth,
        "groups_of_all_levels": len(tree),
        "divided_from_members": least,
        "why": f"twice min_cluster_size {size}, at least {LEAST_MEMBERS}",
        "by": f"umap to {PART_DIMENSIONS} dimensions and hdbscan with min_cluster_size {size}",
        "most_noise": MOST_NOISE,
        "least_clearance": LEAST_CLEARANCE,
    }
    return tree, Said(notes={"hierarchy": note})


def _smallest(found: Grouping) -> int:
    """Return the rows of the smallest group as the algorithm was told, in whichever way; parts have two at least."""
    default = HdbscanParameters().min_cluster_size
    return max(PARTS, int(found.effective.get("min_cluster_size") or default))


@dataclass(frozen=True, slots=True)
class _Division:
    """Divides one group at a time in the input space."""

    work: Work
    space: Space
    min_cluster_size: int

    def parts(self, rows: Integers) -> Labels:
        """Return the parts of a group; all in one where density finds too little."""
        self.work.context.check()
        own = Space(np.ascontiguousarray(self.space.vectors[rows]))
        tools = replace(self.work.tools, graphs={})
        worked = stages.preprocess(own, self._steps(own), tools=tools)
        size = self.min_cluster_size
        found = stages.cluster(worked, HdbscanParameters(min_cluster_size=size), tools=tools)
        is_whole = found.count < PARTS or (found.labels < 0).mean() > MOST_NOISE
        if is_whole or clearances(own.vectors, found.labels, unseen=UNSEEN).mean() < LEAST_CLEARANCE:
            return np.zeros(len(rows), dtype=np.int32)
        return found.labels

    def _steps(self, own: Space) -> Sequence[UmapParameters]:
        if own.vectors.shape[1] <= PART_DIMENSIONS:
            return ()
        return (UmapParameters(n_components=PART_DIMENSIONS, n_neighbors=PART_NEIGHBOURS),)
