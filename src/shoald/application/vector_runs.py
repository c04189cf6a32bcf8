"""Runs that group by vectors: an input goes through the stages, groups with centroids, figures and a map come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs
from shoald.application.cluster_naming import SHOWN_TO_NAMING, ClusterNaming, FoundGroups
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work, asked
from shoald.application.feature_weighing import weighed
from shoald.application.former_runs import FormerRun, FormerRuns
from shoald.application.group_refining import Refining, Said, merged_by_faces, subdivided_by_density
from shoald.application.map_drawing import MapDrawing
from shoald.application.memory_promises import MemoryPromises, shape_of
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.sample_completion import completed_by_cosine
from shoald.application.stability_measuring import measured_stability
from shoald.application.staged_stages import StagedStages, stage_key
from shoald.domain.clustering.group_tree import GroupTree, tree_centroids, tree_representatives
from shoald.domain.clustering.lineage import LineageEvent, continued, first_numbers
from shoald.domain.clustering.memory import MemoryPlan
from shoald.domain.clustering.parameters import PreprocessingStep, UmapParameters
from shoald.domain.clustering.spaces import Grouping, Space, row_blocks
from shoald.domain.failures import StorageFull
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import Collection

MANY_DIMENSIONS = 100
"""Density says little in more dimensions than this: unless told otherwise, such methods work on a layout."""
_BY_DENSITY = frozenset({"hdbscan", "dbscan", "optics"})
_LEAST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorRuns:
    """Does runs in the mode full over vectors."""

    open_unit_of_work: OpenUnitOfWork
    inputs: ClusterInputs
    naming: ClusterNaming
    staged: StagedArrays
    former_runs: FormerRuns
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult:
        """Take the collections' vectors through the stages, one after another."""
        given = self.inputs.read(collections, work.spec, work.stage("snapshot", "reading vectors"))
        return self.grouped(self.memory.promised(work, self.planned(work, given)), given)

    def planned(self, work: Work, given: ClusterInput, *, former: int = 0) -> MemoryPlan:
        """Return what a run over an input takes; `former` are the documents of a run that is read beside it."""
        before = self.run_before(work)
        known = former or (0 if before is None else before.num_points)
        shape = shape_of(given, former=known)
        steps, _ = steps_for(work, shape.rows, shape.width)
        plan = self.memory.planned(work.spec, steps, shape)
        if not given.reduction_bytes:
            return plan
        # that was before anything else was held
        reducing = max(0, given.reduction_bytes - plan.held)
        return replace(plan, stages={**plan.stages, "reduce sparse vectors": reducing})

    def grouped(self, work: Work, given: ClusterInput) -> ClusterResult:
        """Take an input through the stages, with a promise of what they take."""
        spec, kept = work.spec, StagedStages(self.staged, scope=_scope(work))
        steps, chosen = steps_for(work, len(given.sampled), sum(given.widths))
        given, weighing = weighed(work, kept, given)
        space = input_space(work, kept, given)
        worked = preprocessed(work, kept, given, space, steps)
        found = grouped_rows(work, kept, given, worked, steps)
        refining = Refining(work=work, given=given, open_unit_of_work=self.open_unit_of_work, kept=kept)
        found, merging = merged_by_faces(refining, space, found)
        tree, division = subdivided_by_density(refining, space, found)
        work.stage("centroids", f"{found.count} groups of {len(given.ids)} documents")
        centres = tree_centroids(space.vectors, tree, spec.centroid_kind, backend=work.tools.arrays)
        before = self.run_before(work)
        metrics = _quality(work, space, found, before)
        stability, measuring = measured_stability(work, kept, worked, space, found, steps)
        whole = completed_by_cosine(work, given, tree, centres, found.probabilities)
        former = self._former(work, given, before)
        tree, events, identity = identified(given, whole.tree, whole.centres.vectors, former)
        drawn = MapDrawing(work=work, given=given, kept=kept).drawn(space, whole.tree.labels, former)
        nearest = tree_representatives(whole.tree, whole.centres.similarities, SHOWN_TO_NAMING)
        similarities = whole.centres.mean_similarity.tolist()
        found_groups = FoundGroups(given=given, tree=tree, nearest=nearest, similarities=similarities)
        names = self.naming.name(work, found_groups)
        said = _together(
            _of_input(given),
            weighing,
            Said(warnings=(*chosen, *worked.warnings)),
            Said(notes=found.notes, warnings=found.warnings),
            merging,
            division,
            Said(metrics=metrics),
            measuring,
            Said(warnings=drawn.warnings),
            Said(notes=whole.notes, warnings=whole.warnings),
        )
        return ClusterResult(
            given=given,
            tree=tree,
            probabilities=whole.probabilities,
            centres=whole.centres,
            variances=_variances(space, whole.tree.labels[given.sampled], tree, centres.vectors),
            metrics=dict(said.metrics),
            coordinates=drawn.coordinates,
            names=names,
            nearest=nearest,
            effective={
                **effective_of(work, given, worked, found),
                "notes": said.notes,
                "map": drawn.effective,
                "memory": work.memory,
                "identity": identity,
            },
            warnings=said.warnings,
            stability=_over_tree(stability, tree),
            lineage=events,
        )

    def run_before(self, work: Work) -> ClusterRun | None:
        """Return the run that this one follows or repeats, if there is one."""
        if work.repeats is not None:
            return work.repeats
        with self.open_unit_of_work() as uow:
            return uow.cluster_runs.latest_completed(work.cluster.cluster_id, before=work.run.created_at)

    def _former(self, work: Work, given: ClusterInput, before: ClusterRun | None) -> FormerRun | None:
        work.stage("match", "looking for the groups of the run before")
        if before is None:
            return None
        ids = [one.collection_id for one in given.collections]
        return self.former_runs.over(before, given.ids, ids, given.places, feature=work.feature)


def _scope(work: Work) -> str:
    """Return what sets kept stages apart: one that repeats a run must not take what that run kept."""
    return "" if work.repeats is None else work.run.run_id


def steps_for(work: Work, n: int, d: int) -> tuple[tuple[PreprocessingStep, ...], tuple[str, ...]]:
    """Return the steps before the algorithm on n rows of d dimensions, and what is said of those nobody asked for."""
    spec, method = work.spec, str(work.spec.algorithm.method)
    if spec.chose_steps or method not in _BY_DENSITY or d <= MANY_DIMENSIONS or n < _LEAST_ROWS:
        return spec.steps, ()
    default = UmapParameters()
    said = (
        f"no preprocessing_steps were given: since {method} finds little in {d} dimensions, it worked on umap to "
        f"{default.n_components}; the step none leaves vectors as they are"
    )
    return (default,), (said,)


def space_key(work: Work, given: ClusterInput, steps: Sequence[PreprocessingStep]) -> list[Any]:
    """Return what decides the space that the algorithm works in."""
    spec = work.spec
    return [
        given.content,
        spec.sample_size,
        spec.normalize,
        spec.strategy,
        given.record.get("feature_weights", spec.weights),
        work.tools.arrays.name,
        [asked(one) for one in steps],
    ]


def input_space(work: Work, kept: StagedStages, given: ClusterInput) -> Space:
    """Return the sampled rows; in a mapped file where the run's promise asks for that.

    Raises `StorageFull` when there is no room for the file.
    """
    space = Space(given.vectors_of(given.sampled, normalize=work.spec.normalize))
    if not work.is_mapped:
        return space
    key = stage_key("input", *space_key(work, given, ()))
    kept.keep_space(key, space)
    mapped = kept.space(key)
    if mapped is None:
        raise StorageFull("There is no room for the file that a run within this memory works on.")
    return mapped


def preprocessed(
    work: Work, kept: StagedStages, given: ClusterInput, space: Space, steps: Sequence[PreprocessingStep]
) -> Space:
    """Apply the steps before the algorithm, or take what an earlier attempt made of the same input."""
    step = work.stage("preprocess", ", ".join(str(one.method) for one in steps))
    if not steps:
        return space
    key = stage_key("preprocess", *space_key(work, given, steps))
    known = kept.space(key)
    if known is None:
        known = stages.preprocess(space, steps, tools=work.tools, step=step)
        kept.keep_space(key, known)
        known = (kept.space(key) if work.is_mapped else None) or known
    return known


def grouped_rows(
    work: Work, kept: StagedStages, given: ClusterInput, worked: Space, steps: Sequence[PreprocessingStep]
) -> Grouping:
    """Run the algorithm; what was drawn by a seed of its own is not kept, since the next run draws another."""
    algorithm = work.spec.algorithm
    step = work.stage("cluster", str(algorithm.method))
    key = stage_key("cluster", *space_key(work, given, steps), asked(algorithm))
    is_repeatable = getattr(algorithm, "random_state", 0) is not None
    known = kept.grouping(key) if is_repeatable else None
    if known is None:
        known = stages.cluster(worked, algorithm, tools=work.tools, step=step)
        kept.keep_grouping(key, known)
    return known


def identified(
    given: ClusterInput, tree: GroupTree, centroids: Any, former: FormerRun | None
) -> tuple[GroupTree, tuple[LineageEvent, ...], JsonObject]:
    """Give groups the ids of those that they continue."""
    if former is None:
        return tree, (), {"matched_to": None, "next_numbers": first_numbers(tree)}
    groups = former.groups()
    width = centroids.shape[1]
    if groups.centroids.shape[1] != width or not _is_same_space(given, former.run):
        groups = replace(groups, centroids=np.zeros((len(groups.tree), width), dtype=np.float32))
    found = continued(tree, centroids, groups)
    identity = {"matched_to": former.run.run_id, "next_numbers": dict(found.next_numbers)}
    return tree.named(found.ids), found.events, identity


def _is_same_space(given: ClusterInput, before: ClusterRun) -> bool:
    """Say whether centroids of both can be compared: sparse vectors are reduced to components of their own."""
    known = (before.effective.get("input") or {}).get("reductions")
    return not given.components or known == given.record["reductions"]


def _variances(space: Space, labels: Any, tree: GroupTree, centroids: Any) -> Any:
    """Return (k,) the mean squared distance of the members to their centroid, NaN for a group without any here."""
    found = np.full(len(tree), np.nan)
    for group, rows in enumerate(replace(tree, labels=labels).members()):
        if len(rows):
            parts = row_blocks(rows, space.vectors.shape[1])
            squares = [_squares(space.vectors[part], centroids[group]) for part in parts]
            found[group] = max(0.0, float(np.concatenate(squares).mean()))
    return found


def _squares(members: Any, centre: Any) -> Any:
    """Return the squared distance of each row to a centre."""
    lengths = np.einsum("ij,ij->i", members, members, dtype=np.float64)
    return lengths - 2.0 * (members @ centre) + float(centre @ centre)


def _over_tree(scores: Any, tree: GroupTree) -> Any:
    """Spread the scores of the first level over the tree; groups below it were not measured."""
    if scores is None:
        return None
    return np.concatenate([scores, np.full(len(tree) - len(scores), np.nan, dtype=np.float32)])


def _quality(work: Work, space: Space, found: Grouping, before: ClusterRun | None) -> dict[str, Any]:
    """Return the figures of the groups; whether to cluster again is judged by the run before."""
    centres = stages.centroids(space, found.labels, tools=work.tools, kind=work.spec.centroid_kind)
    previous = None if before is None else before.metrics
    return stages.quality(space, found.labels, centres, tools=work.tools, previous=previous)


def _of_input(given: ClusterInput) -> Said:
    """Say what became of features that are not dense; the input's own warnings are the run's already."""
    reductions = given.record.get("reductions")
    return Said() if reductions is None else Said(notes={"reductions": reductions})


def _together(*said: Said) -> Said:
    """Return what all stages say of themselves."""
    return Said(
        notes={key: note for one in said for key, note in one.notes.items()},
        metrics={key: figure for one in said for key, figure in one.metrics.items()},
        warnings=tuple(warning for one in said for warning in one.warnings),
    )


def effective_of(work: Work, given: ClusterInput, worked: Space, found: Grouping) -> dict[str, Any]:
    """Say how the groups were made."""
    spec = work.spec
    return {
        "algorithm": str(spec.algorithm.method),
        "algorithm_params": dict(found.effective),
        "preprocessing_steps": list(worked.steps),
        "normalize_features": spec.normalize,
        "multi_feature_strategy": spec.strategy,
        "feature_weights": given.record.get("feature_weights", dict(spec.weights)),
        "effective_feature_method": spec.centroid_kind,
        "sample_size": spec.sample_size,
    }
