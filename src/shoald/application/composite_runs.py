"""Runs in the mode composite: the groups of several completed runs go in; groups of groups, over all their documents,
come out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoald.application.attribute_runs import read_record
from shoald.application.cluster_definitions import ResolvedFeature
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_naming import SHOWN_TO_NAMING, ClusterNaming, FoundGroups
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.application.composite_choice import SOURCE_RUNS, asked_count, require_one_space
from shoald.application.composite_sources import Source, SourceMembers, joined_members, read_source
from shoald.application.former_runs import FormerRun, FormerRuns
from shoald.application.memory_promises import MemoryPromises
from shoald.application.ports.run_tables import Columns
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.vector_runs import identified
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.composite_groups import (
    SourceGroups,
    composed_places,
    joined_centroids,
    joined_cohesion,
    joined_groups,
)
from shoald.domain.clustering.group_tree import ROOT, GroupTree, tree_representatives
from shoald.domain.clustering.memory import planned_attributes
from shoald.domain.clustering.quality import metrics_of_sizes, recluster_advised
from shoald.domain.clustering.spaces import Doubles, Floats, Labels
from shoald.domain.clustering.starting_positions import principal_positions
from shoald.domain.failures import ArtifactNotFound, ExecutionNotFound, InvalidVectors, NotEnoughPoints
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.vocabulary import ExecutionMode, ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompositeResult(ClusterResult):
    """What a composite run found: of each row also the run that it comes from, and its group there."""

    origins: SourceMembers

    def member_columns(self) -> Columns:
        """Return the members with where they come from."""
        order = self.member_order()
        return {
            **ClusterResult.member_columns(self),
            "source_run_id": self.origins.run_ids[order].tolist(),
            "source_cluster_id": self.origins.groups[order].tolist(),
        }

    def document_columns(self, members: Columns, rows: Sequence[dict[str, Any]]) -> Columns:
        """Return members and groups in one table, members with where they come from."""
        nothing = [None] * len(rows)
        return {
            **ClusterResult.document_columns(self, members, rows),
            **{name: [*members[name], *nothing] for name in ("source_run_id", "source_cluster_id")},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRuns:
    """Does runs in the mode composite; no vector of a document is read."""

    open_unit_of_work: OpenUnitOfWork
    former_runs: FormerRuns
    naming: ClusterNaming
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult:  # noqa: ARG002 - the sources' count
        """Group the groups of the source runs, and with them their documents."""
        sources = self._sources(work)
        groups = _groups_of(sources)
        known = self._collections(work, sources)
        members = joined_members(sources, [one.collection_id for one in known])
        given = _input(sources, members, known, groups)
        work = self.memory.promised(work, planned_attributes(len(given.ids)))
        work.stage("cluster", f"{len(groups)} groups of {len(sources)} runs")
        labels = joined_groups(groups, count=asked_count(work.cluster.definition, work.run.overrides))
        k = int(labels.max(initial=-1)) + 1
        vectors = joined_centroids(groups, labels, k)
        of_document = np.where(members.numbers >= 0, np.append(labels, ROOT)[members.numbers], ROOT).astype(np.int32)
        tree, events, identity = identified(given, GroupTree.flat(of_document), vectors, self._former(work, given))
        centres = _centres(groups, labels, vectors, tree)
        nearest = tree_representatives(tree, np.nan_to_num(members.similarities), SHOWN_TO_NAMING)
        names = self.naming.name(work, FoundGroups(given=given, tree=tree, nearest=nearest))
        return CompositeResult(
            given=given,
            tree=tree,
            probabilities=(tree.labels != ROOT).astype(np.float32),
            centres=centres,
            variances=None,
            metrics=composite_metrics(tree, centres),
            coordinates=_places(work, groups, members),
            names=names,
            nearest=nearest,
            effective={
                **_effective(work, sources, groups, labels, tree),
                "memory": work.memory,
                "identity": identity,
            },
            warnings=members.warnings,
            lineage=events,
            origins=members,
        )

    def _sources(self, work: Work) -> list[Source]:
        step = work.stage("snapshot", "reading the groups of the source runs")
        found = []
        ids = work.run.overrides[SOURCE_RUNS]
        for at, run_id in enumerate(ids):
            found.append(read_source(self._completed(work, run_id), self.former_runs))
            step((at + 1) / len(ids))
        require_one_space([one.run for one in found])
        widths = {one.centroids.shape[1] for one in found}
        if len(widths) > 1:
            raise InvalidVectors(f"The centroids of the source executions have {sorted(widths)} dimensions.")
        return found

    def _completed(self, work: Work, run_id: str) -> ClusterRun:
        with self.open_unit_of_work() as uow:
            run = uow.cluster_runs.get(run_id)
        if run is None or run.namespace_id != work.run.namespace_id:
            raise ExecutionNotFound(f"There is no execution {run_id!r} any more.", detail={"run_id": run_id})
        if run.status != ExecutionStatus.COMPLETED:
            raise ArtifactNotFound(detail={"run_id": run_id, "status": run.status})
        return run

    def _collections(self, work: Work, sources: Sequence[Source]) -> list[Collection]:
        """Return the collections of the sources that are still there."""
        wanted = dict.fromkeys(one for source in sources for one in source.run.revisions)
        with self.open_unit_of_work() as uow:
            found = {one.collection_id: one for one in uow.collections.get_many(work.run.namespace_id, list(wanted))}
        return [found[one] for one in wanted if one in found]

    def _former(self, work: Work, given: ClusterInput) -> FormerRun | None:
        """Return the composite run before, whose ids this one's groups keep."""
        work.stage("match", "looking for the groups of the run before")
        with self.open_unit_of_work() as uow:
            before = uow.cluster_runs.latest_completed(work.cluster.cluster_id, before=work.run.created_at)
        if before is None or before.mode != ExecutionMode.COMPOSITE:
            return None
        return self.former_runs.over(before, given.ids, [one.collection_id for one in given.collections], given.places)


def _groups_of(sources: Sequence[Source]) -> SourceGroups:
    return SourceGroups(
        centroids=np.concatenate([one.centroids for one in sources]),
        sizes=np.concatenate([one.sizes for one in sources]),
        runs=np.repeat(np.arange(len(sources)), [len(one.words) for one in sources]),
        cohesion=np.concatenate([one.cohesion for one in sources]),
    )


def _input(
    sources: Sequence[Source], members: SourceMembers, collections: Sequence[Collection], groups: SourceGroups
) -> ClusterInput:
    """Return the documents of the sources as an input without vectors."""
    if not len(members.ids):
        raise NotEnoughPoints("There are no documents of the source executions any more.")
    runs = [one.run for one in sources]
    content = hashlib.sha256(repr([(one.run_id, one.artifacts["members"]["sha256"]) for one in runs]).encode())
    return ClusterInput(
        collections=tuple(collections),
        ids=members.ids,
        places=members.places,
        vectors=np.empty((0, groups.centroids.shape[1]), dtype=np.float32),
        rows=np.arange(len(members.ids)),
        features=tuple(ResolvedFeature(name) for name in runs[0].effective["input"]["features"]),
        source_documents=len(members.ids),
        vectors_retrieved=len(members.ids),
        content=content.hexdigest(),
        record=_record(runs, collections),
    )


def _record(runs: Sequence[ClusterRun], collections: Sequence[Collection]) -> JsonObject:
    """Say what was read: of a collection the oldest of the revisions that the runs saw."""
    revisions = {
        one.collection_id: min(run.revisions[one.collection_id] for run in runs if one.collection_id in run.revisions)
        for one in collections
    }
    return {
        "collections": [{**read_record(one), "revision": revisions[one.collection_id]} for one in collections],
        "features": list(runs[0].effective["input"]["features"]),
        "filters": None,
        "sample_size": None,
        "sample_seed": None,
    }


def _centres(groups: SourceGroups, labels: Labels, vectors: Floats, tree: GroupTree) -> Centroids:
    """Return the centroids; how near single documents are to them is not known, since none is read."""
    n, k = len(tree.labels), len(vectors)
    unknown = np.full(n, np.nan, dtype=np.float32)
    return Centroids(
        vectors=vectors,
        sizes=np.bincount(tree.labels[tree.labels >= 0], minlength=k),
        similarities=unknown,
        cosines=unknown,
        mean_similarity=joined_cohesion(groups, labels, vectors).astype(np.float32),
        min_similarity=np.full(k, np.nan, dtype=np.float32),
    )


def _places(work: Work, groups: SourceGroups, members: SourceMembers) -> Floats:
    """Return a map: the source groups by their centroids, and each with the shape that it has on the map of its run."""
    dimensions = _dimensions(work)
    work.stage("map", "composing the map")
    anchors = principal_positions(groups.centroids, dimensions, backend=work.tools.arrays)
    return composed_places(members.numbers, members.coordinates[:, :dimensions], anchors)


def _dimensions(work: Work) -> int:
    """Return the dimensions of the map, which costs too little to be put off."""
    return work.spec.map_dimensions or work.run.overrides.get("vis_n_components") or 2


def composite_metrics(tree: GroupTree, centres: Centroids) -> dict[str, Any]:
    """Return the figures that need no vectors of documents."""
    sizes: Doubles = centres.sizes.astype(np.float64)
    found = metrics_of_sizes(centres.sizes, len(tree.labels))
    if sizes.sum():
        found["mean_cosine_to_centroid"] = float((centres.mean_similarity * sizes).sum() / sizes.sum())
    return {**found, "should_recluster": float(recluster_advised(found, None))}


def _effective(
    work: Work, sources: Sequence[Source], groups: SourceGroups, labels: Labels, tree: GroupTree
) -> dict[str, Any]:
    dimensions, count = _dimensions(work), asked_count(work.cluster.definition, work.run.overrides)
    words = [(one.run.run_id, word) for one in sources for word in one.words]
    mapping: dict[str, list[dict[str, Any]]] = {one: [] for one in tree.ids}
    for (run_id, word), label, size in zip(words, labels.tolist(), groups.sizes.tolist(), strict=True):
        mapping[tree.ids[label]].append(
            {"source_run_id": run_id, "original_cluster_id": word, "num_members": int(size)}
        )
    return {
        "algorithm": "composite",
        "algorithm_params": {"linkage": "centroid, weighed by members", "metric": "cosine", "n_clusters": count},
        "preprocessing_steps": [],
        "notes": {"source_groups": len(words)},
        "map": {
            "dimensions": dimensions,
            "method": "composed",
            "layout_stability_applied": "none",
            "layout_stability_reason": "a composite map is composed of those of its sources",
        },
        "composite": {SOURCE_RUNS: [one.run.run_id for one in sources], "mapping": mapping},
    }
