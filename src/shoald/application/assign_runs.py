"""Runs in the mode assign: the groups of the last full run stay, documents that are new go to the nearest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs
from shoald.application.cluster_naming import SHOWN_TO_NAMING, Names
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.application.former_runs import FormerRun, FormerRuns
from shoald.application.independent_runs import by_feature, is_independent, run_of_feature
from shoald.application.memory_promises import MemoryPromises, shape_of
from shoald.application.model_labels import NamedGroup
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.several_results import SeveralResults
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.group_tree import ROOT, GroupTree, tree_representatives
from shoald.domain.clustering.lineage import Fate, LineageEvent
from shoald.domain.clustering.map_keeping import placed_among, some_of
from shoald.domain.clustering.memory import MemoryPlan, one_after_another, planned_assignment
from shoald.domain.clustering.quality import metrics_of_sizes, recluster_advised
from shoald.domain.clustering.spaces import Floats, Integers, block_rows, row_blocks
from shoald.domain.failures import ArtifactNotFound, InvalidVectors
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import Collection

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRuns:
    """Does runs in the mode assign: O(new documents · groups), a block of documents in memory at a time."""

    open_unit_of_work: OpenUnitOfWork
    inputs: ClusterInputs
    former_runs: FormerRuns
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult | SeveralResults:
        """Keep the members that the last run had and that are still there; assign all other documents.

        Where features are grouped each by itself, documents are assigned to the groups of each.
        """
        base = self._base(work)
        if not is_independent(work.spec):
            given = self._read(work, base, collections)
            return self._one(self.memory.promised(work, _planned(work, given, base)), given, base)
        works, bases = by_feature(work), {one: run_of_feature(base, one) for one in work.spec.features}
        inputs = {one: self._read(mine, bases[one], collections) for one, mine in works.items()}
        plans = [_planned(works[one], inputs[one], base) for one in works]
        work = self.memory.promised(work, one_after_another(plans, max(len(one.ids) for one in inputs.values())))
        parts = {one: self._one(replace(works[one], memory=work.memory), inputs[one], bases[one]) for one in works}
        return SeveralResults(parts=parts)

    def _read(self, work: Work, base: ClusterRun, collections: Sequence[Collection]) -> ClusterInput:
        """Read all documents; sparse features along the components that the groups were made with."""
        step = work.stage("snapshot", "reading vectors" if work.feature is None else f"reading {work.feature}")
        return self.inputs.read(collections, _whole(work, base), step, components=self.former_runs.components(base))

    def _one(self, work: Work, given: ClusterInput, base: ClusterRun) -> ClusterResult:
        """Assign the documents of an input to the groups of one run, or of one of its features."""
        ids = [one.collection_id for one in given.collections]
        former = self.former_runs.over(base, given.ids, ids, given.places, feature=work.feature)
        if len(former.centroids) and former.centroids.shape[1] != given.vectors.shape[1]:
            raise InvalidVectors(
                f"the vectors have {given.vectors.shape[1]} dimensions, the centroids {former.centroids.shape[1]}"
            )
        threshold = float(work.run.overrides.get("assignment_threshold", THRESHOLD))
        groups, cosines = self._assigned(work, given, former, threshold)
        tree = replace(former.groups().tree, labels=groups)
        centres = _centroids(tree, former, cosines)
        coordinates = _placed(work, given, former, groups)
        new = int((former.at < 0).sum())
        work.stage("label", "")
        return ClusterResult(
            given=given,
            tree=tree,
            probabilities=np.where(groups >= 0, centres.similarities, 0).astype(np.float32),
            centres=centres,
            variances=_carried(former, "variance"),
            metrics=_metrics(tree, centres, base),
            coordinates=coordinates,
            names=Names(
                names=tuple(
                    NamedGroup(
                        label=row["label"],
                        keywords=tuple(row["keywords"]),
                        summary=row.get("summary"),
                        confidence=row.get("confidence"),
                        fields=row.get("metadata") or {},
                    )
                    for row in former.rows
                )
            ),
            nearest=tree_representatives(tree, centres.similarities, SHOWN_TO_NAMING),
            effective={
                **_effective(base, threshold, new, int(((groups < 0) & (former.at < 0)).sum())),
                "memory": work.memory,
            },
            stability=_carried(former, "stability").astype(np.float32),
            lineage=_kept(tree, former),
        )

    def _base(self, work: Work) -> ClusterRun:
        with self.open_unit_of_work() as uow:
            base = uow.cluster_runs.latest_completed(work.cluster.cluster_id, before=work.run.created_at)
        if base is None:
            raise ArtifactNotFound(
                "There is no completed execution whose groups documents could be assigned to.",
                detail={"cluster_id": work.cluster.cluster_id},
            )
        return base

    def _assigned(self, work: Work, given: ClusterInput, former: FormerRun, threshold: float) -> tuple[Any, Floats]:
        """Return the group of each row, and its cosine to that centroid."""
        step = work.stage("cluster", "assigning new documents")
        tree = former.groups().tree
        labels = tree.labels.copy()
        cosines = np.zeros(len(labels), dtype=np.float32)
        known = former.at >= 0
        cosines[known] = np.nan_to_num(former.members.cosines[former.at[known]])
        leaves = np.setdiff1d(np.arange(len(tree)), tree.parents)
        new = np.flatnonzero(~known)
        size = block_rows(given.vectors.shape[1])
        for at in range(0, len(new), size):
            rows = new[at : at + size]
            vectors = given.vectors_of(rows, normalize=True)
            found, near = stages.assign(vectors, former.centroids[leaves], threshold=threshold, tools=work.tools)
            labels[rows], cosines[rows] = np.append(leaves, ROOT)[found], near
            step(min(1.0, (at + size) / len(new)))
        return labels, cosines


def _planned(work: Work, given: ClusterInput, base: ClusterRun) -> MemoryPlan:
    shape = shape_of(given, former=base.num_points)
    return planned_assignment(shape, len(base.centroids), work.spec.map_dimensions)


def _whole(work: Work, base: ClusterRun) -> Any:
    """Return the definition with all documents and the weights that the groups were made with."""
    weights = base.effective.get("feature_weights") or work.spec.weights
    return replace(work.spec, sample_size=None, weights=weights, learning=None)


def _centroids(tree: GroupTree, former: FormerRun, cosines: Floats) -> Centroids:
    members, seen = tree.members(), np.maximum(cosines, 0)
    return Centroids(
        vectors=former.centroids,
        sizes=np.array([len(rows) for rows in members], dtype=np.int64),
        similarities=seen,
        cosines=cosines,
        mean_similarity=np.array([seen[rows].mean() if len(rows) else 0 for rows in members], dtype=np.float32),
        min_similarity=np.array([seen[rows].min() if len(rows) else 0 for rows in members], dtype=np.float32),
    )


def _placed(work: Work, given: ClusterInput, former: FormerRun, groups: Any) -> Floats | None:
    """Return the former map with the new documents among those of their groups."""
    step = work.stage("map", "placing new documents")
    known = former.members.coordinates
    if known is None or work.spec.map_dimensions is None:
        return None
    found = np.zeros((len(groups), known.shape[1]), dtype=np.float32)
    is_known = former.at >= 0
    found[is_known] = known[former.at[is_known]]
    new_groups = np.unique(groups[~is_known])
    for at, group in enumerate(new_groups.tolist()):
        new = np.flatnonzero(~is_known & (groups == group))
        standing = _standing(is_known, groups, group)
        if len(standing):
            beside = given.vectors_of(standing, normalize=True)
            for rows in row_blocks(new, given.vectors.shape[1]):
                found[rows] = placed_among(given.vectors_of(rows, normalize=True), beside, found[standing])
        step((at + 1) / len(new_groups))
    return found


def _standing(is_known: Any, groups: Any, group: int) -> Integers:
    """Return some rows of a group that have a place; of all groups where this one has none."""
    mine = np.flatnonzero(is_known & (groups == group))
    return some_of(mine if len(mine) else np.flatnonzero(is_known))


def _carried(former: FormerRun, name: str) -> Any:
    """Return a figure of each group as it was."""
    values = [row.get(name) for row in former.rows]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _metrics(tree: GroupTree, centres: Centroids, base: ClusterRun) -> dict[str, Any]:
    """Return what can be said without comparing all documents again."""
    found = metrics_of_sizes(tree.first_sizes, len(tree.labels), centres.similarities[tree.labels >= 0])
    found["should_recluster"] = float(recluster_advised(found, base.metrics))
    return found


def _effective(base: ClusterRun, threshold: float, new: int, left: int) -> dict[str, Any]:
    """Say what was done: how the groups were made is what it was."""
    before = dict(base.effective)
    kept: dict[str, Any] = {
        key: before[key] for key in ("algorithm", "algorithm_params", "preprocessing_steps") if key in before
    }
    assignment = {"base_run_id": base.run_id, "threshold": threshold, "new_documents": new, "left_in_no_group": left}
    why = f"new documents were placed into the map of {base.run_id}"
    return {
        **kept,
        "normalize_features": before.get("normalize_features", True),
        "multi_feature_strategy": before.get("multi_feature_strategy"),
        "feature_weights": before.get("feature_weights") or {},
        "effective_feature_method": before.get("effective_feature_method"),
        "notes": {"assignment": assignment},
        "map": {**before["map"], "layout_stability_applied": "transform", "layout_stability_reason": why},
        "identity": before.get("identity") or {"matched_to": base.run_id},
    }


def _kept(tree: GroupTree, former: FormerRun) -> tuple[LineageEvent, ...]:
    known = former.at >= 0
    return tuple(
        LineageEvent(fate=Fate.KEPT, before=(one,), after=(one,), shared=int(known[rows].sum()))
        for one, rows in zip(tree.ids, tree.members(), strict=True)
    )
