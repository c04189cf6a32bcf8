"""Cluster runs: a definition and its collections go in; groups, figures and artifacts come out, by a job.

A run is a pipeline of named stages: snapshot, preprocess (with neighbours), cluster, centroids, quality, map, label,
publish. What the dear ones made is kept by the hash of their inputs, so that a run that was killed goes on there.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_definitions import ClusterSpec, read_spec
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs
from shoald.application.cluster_naming import SHOWN_TO_NAMING, ClusterNaming
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_stages import ClusterTools
from shoald.application.ports.arrays import Arrays
from shoald.application.ports.clock import Clock
from shoald.application.ports.estimators import Estimators
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import Columns, RunTables
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import CENTROIDS, DOCUMENTS, MEMBERS, artifact_key, remove_artifacts
from shoald.application.staged_stages import StagedGraphs, StagedStages, stage_key
from shoald.domain.clustering.parameters import HdbscanParameters, UmapParameters
from shoald.domain.clustering.spaces import Floats, Grouping, Space
from shoald.domain.failures import ClusterNotFound, CollectionNotFound, ExecutionNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import ExecutionStatus

# shares of a run's progress at which the stages begin; most of the time goes into preprocessing and the map
_BEGINS = {
    "snapshot": 0.0,
    "preprocess": 0.05,
    "cluster": 0.50,
    "centroids": 0.65,
    "quality": 0.66,
    "map": 0.68,
    "label": 0.92,
    "publish": 0.95,
}
_ENDS = dict(zip(_BEGINS, [*list(_BEGINS.values())[1:], 1.0], strict=True))
_MAP_SEED = 42
_WARM_POINTS = 64


@dataclass(frozen=True, slots=True)
class _Work:
    """One run that is being done."""

    context: JobContext
    cluster: Cluster
    run: ClusterRun
    spec: ClusterSpec
    tools: ClusterTools

    def stage(self, name: str, message: str = "") -> Callable[[float], None]:
        """Begin a stage and return what takes its progress; both raise when the run must stop."""
        begin, end = _BEGINS[name], _ENDS[name]
        self.context.progress(name, begin, message)

        def step(done: float) -> None:
            self.context.progress(name, begin + (end - begin) * min(1.0, max(0.0, done)), message)

        return step


class ClusterPipeline:
    """Does runs, one after another; heavy to import, so that only workers do."""

    def __init__(  # noqa: PLR0913 - a run touches everything
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        inputs: ClusterInputs,
        naming: ClusterNaming,
        tables: RunTables,
        staged: StagedArrays,
        arrays: Arrays,
        estimators: Callable[[Any], Estimators],
        backend: str = "auto",
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._inputs = inputs
        self._naming = naming
        self._tables = tables
        self._staged = staged
        self._arrays = arrays
        self._estimators = estimators
        self._backend = backend

    def run(self, context: JobContext) -> None:
        """Do the run that the payload names, and publish it in one transaction."""
        with self._open_unit_of_work() as uow:
            cluster, run, collections = _parts_of(uow, context.job)
        backend = self._arrays.get(self._backend)
        tools = ClusterTools(arrays=backend, estimators=self._estimators(backend), graphs=StagedGraphs(self._staged))
        work = _Work(context, cluster, run, read_spec(cluster.definition, run.overrides), tools)
        given = self._inputs.read(collections, work.spec, work.stage("snapshot", "reading vectors"))
        result = self._computed(work, given)
        self._publish(work, result)
        remove_artifacts(self._objects, run.run_id, but_attempt=context.job.attempt)

    def warm(self) -> None:
        """Take a few made-up points through the stages, so that the first run does not wait for libraries to load."""
        backend = self._arrays.get(self._backend)
        tools = ClusterTools(arrays=backend, estimators=self._estimators(backend))
        points = np.random.default_rng(_MAP_SEED).normal(size=(_WARM_POINTS, 4)).astype(np.float32)
        space = stages.input_space(points)
        found = stages.cluster(
            stages.preprocess(space, [UmapParameters(n_components=2)], tools=tools), HdbscanParameters(), tools=tools
        )
        stages.quality(space, found.labels, stages.centroids(space, found.labels, tools=tools), tools=tools)

    def _computed(self, work: _Work, given: ClusterInput) -> ClusterResult:
        """Take the input through the stages, one after another."""
        kept = StagedStages(self._staged)
        n = len(given.ids)
        space = stages.input_space(given.vectors, normalize=work.spec.normalize)
        worked = _preprocessed(work, kept, given, space)
        found = _grouped(work, kept, given, worked)
        work.stage("centroids", f"{found.count} groups of {n} documents")
        centres = stages.centroids(space, found.labels, tools=work.tools, kind=work.spec.centroid_kind)
        work.stage("quality", f"{found.count} groups of {n} documents")
        metrics = stages.quality(space, found.labels, centres, tools=work.tools, previous=self._metrics_before(work))
        places = _mapped(work, kept, given, space)
        nearest = stages.representatives(found.labels, centres, count=SHOWN_TO_NAMING)
        naming = work.stage("label", f"naming {found.count} groups")
        names = self._naming.name(given, nearest, work.spec.labeling, naming)
        return ClusterResult(
            given=given,
            space=space,
            found=_with_warnings(found, worked),
            centres=centres,
            metrics=metrics,
            coordinates=places,
            names=names,
            nearest=nearest,
        )

    def _metrics_before(self, work: _Work) -> JsonObject | None:
        with self._open_unit_of_work() as uow:
            before = uow.cluster_runs.latest_completed(work.cluster.cluster_id, before=work.run.created_at)
        return None if before is None else before.metrics

    def _publish(self, work: _Work, result: ClusterResult) -> None:
        """Write the artifacts, then make them and the run true in the transaction that ends the job."""
        work.stage("publish", "writing artifacts")
        rows = result.centroid_rows()
        members = result.member_columns()
        about = _about(work, result)
        artifacts = {
            MEMBERS: self._written(work, MEMBERS, members),
            CENTROIDS: self._written(work, CENTROIDS, result.centroid_columns(rows, about)),
            DOCUMENTS: self._written(work, DOCUMENTS, result.document_columns(members, rows)),
        }
        with self._open_unit_of_work() as uow:
            present = uow.cluster_runs.get(work.run.run_id)
            if present is None:
                raise ExecutionNotFound
            uow.cluster_runs.publish(_completed(work, result, present, rows, artifacts, self._clock))
            outcome = {
                "cluster_id": work.cluster.cluster_id,
                "run_id": work.run.run_id,
                "num_clusters": result.found.count,
                "num_points": len(result.given.ids),
            }
            work.context.complete(uow, outcome, with_errors=bool(result.names.errors))
            uow.commit()

    def _written(self, work: _Work, name: str, columns: Columns) -> dict[str, Any]:
        """Store one artifact; nothing of it is visible before it is whole."""
        work.context.check()
        key = artifact_key(work.run.run_id, work.context.job.attempt, name)
        metadata = {"shoal.run_id": work.run.run_id, "shoal.cluster_id": work.cluster.cluster_id}
        with self._objects.open_writer() as writer:
            rows = self._tables.write(writer, columns, metadata=metadata)
            stored = writer.publish(key)
        return {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size, "rows": rows}


def _parts_of(uow: UnitOfWork, job: Job) -> tuple[Cluster, ClusterRun, list[Collection]]:
    cluster = uow.clusters.find(job.namespace_id, job.payload["cluster_id"])
    if cluster is None:
        raise ClusterNotFound(detail={"cluster_id": job.payload["cluster_id"]})
    run = uow.cluster_runs.get(job.payload["run_id"])
    if run is None:
        raise ExecutionNotFound(detail={"run_id": job.payload["run_id"]})
    found = {one.collection_id: one for one in uow.collections.get_many(job.namespace_id, cluster.collection_ids)}
    missing = [one for one in cluster.collection_ids if one not in found]
    if missing:
        message = f"There is no collection {', '.join(map(repr, missing))} any more."
        raise CollectionNotFound(message, detail={"collections": missing})
    return cluster, run, [found[one] for one in cluster.collection_ids]


def _asked(parameters: Any) -> list[Any]:
    return [parameters.method, asdict(parameters)]


def _space_key(work: _Work, given: ClusterInput) -> list[Any]:
    spec = work.spec
    steps = [_asked(one) for one in spec.steps]
    return [given.content, spec.normalize, spec.strategy, spec.weights, work.tools.arrays.name, steps]


def _preprocessed(work: _Work, kept: StagedStages, given: ClusterInput, space: Space) -> Space:
    """Apply the steps before the algorithm, or take what an earlier attempt made of the same input."""
    step = work.stage("preprocess", ", ".join(one.method for one in work.spec.steps))
    if not work.spec.steps:
        return space
    key = stage_key("preprocess", *_space_key(work, given))
    known = kept.space(key)
    if known is None:
        known = stages.preprocess(space, work.spec.steps, tools=work.tools, step=step)
        kept.keep_space(key, known)
    return known


def _grouped(work: _Work, kept: StagedStages, given: ClusterInput, worked: Space) -> Grouping:
    """Run the algorithm; what was drawn by a seed of its own is not kept, since the next run draws another."""
    algorithm = work.spec.algorithm
    step = work.stage("cluster", algorithm.method)
    key = stage_key("cluster", *_space_key(work, given), _asked(algorithm))
    is_repeatable = getattr(algorithm, "random_state", 0) is not None
    known = kept.grouping(key) if is_repeatable else None
    if known is None:
        known = stages.cluster(worked, algorithm, tools=work.tools, step=step)
        kept.keep_grouping(key, known)
    return known


def _mapped(work: _Work, kept: StagedStages, given: ClusterInput, space: Space) -> Floats | None:
    """Lay the map of the input space, unless it was put off."""
    dimensions = work.spec.map_dimensions
    step = work.stage("map", "laying the map")
    if dimensions is None:
        return None
    key = stage_key("map", *_space_key(work, given)[:-1], dimensions, _MAP_SEED)
    known = kept.floats(key)
    if known is None:
        known = stages.coordinates(space, dimensions, tools=work.tools, seed=_MAP_SEED, step=step)
        kept.keep_floats(key, known)
    return known


def _with_warnings(found: Grouping, worked: Space) -> Grouping:
    return replace(found, warnings=(*worked.warnings, *found.warnings), notes={**found.notes, "steps": worked.steps})


def _about(work: _Work, result: ClusterResult) -> dict[str, str]:
    """Return what the centroid file says of the run in every row, as the document has it."""
    return {
        "feature_name": ", ".join(feature.name for feature in result.given.features),
        "reduction_method": "none" if work.spec.map_dimensions is None else "umap",
        "algorithm": str(work.spec.algorithm.method),
        "parameters": json.dumps(dict(result.found.effective), sort_keys=True),
        "run_id": work.run.run_id,
        "created_at": work.run.created_at.isoformat(),
    }


def _effective(work: _Work, result: ClusterResult) -> dict[str, Any]:
    """Say what was really done, so that the run can be done again."""
    return {
        "algorithm": str(work.spec.algorithm.method),
        "algorithm_params": dict(result.found.effective),
        "preprocessing_steps": list(result.found.notes.get("steps", ())),
        "notes": {key: value for key, value in result.found.notes.items() if key != "steps"},
        "normalize_features": work.spec.normalize,
        "multi_feature_strategy": work.spec.strategy,
        "feature_weights": dict(work.spec.weights),
        "effective_feature_method": work.spec.centroid_kind,
        "map": {"dimensions": work.spec.map_dimensions, "method": "umap", "seed": _MAP_SEED},
        "input": {**result.given.record, "content_sha256": result.given.content},
        "backend": {"arrays": work.tools.arrays.name, "estimators": work.tools.estimators.name},
        "versions": {
            "shoal": importlib.metadata.version("shoal"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            **work.tools.estimators.versions(),
        },
        "warnings": list(dict.fromkeys((*work.spec.warnings, *result.given.warnings, *result.found.warnings))),
        "llm_labeling_errors": list(result.names.errors),
        "counts": {
            "source_documents": result.given.source_documents,
            "vectors_retrieved": result.given.vectors_retrieved,
            "vectors_clustered": len(result.given.ids),
            "index_gap": max(0, result.given.source_documents - result.given.vectors_retrieved),
        },
    }


def _completed(
    work: _Work,
    result: ClusterResult,
    present: ClusterRun,
    rows: list[dict[str, Any]],
    artifacts: JsonObject,
    clock: Clock,
) -> ClusterRun:
    revisions = {one["collection_id"]: one["revision"] for one in result.given.record["collections"]}
    unread = {one.collection_id: one.revision for one in result.given.collections}
    return replace(
        present,
        status=ExecutionStatus.COMPLETED,
        num_clusters=result.found.count,
        num_points=len(result.given.ids),
        metrics=result.metrics,
        effective=_effective(work, result),
        revisions={**unread, **revisions},
        artifacts=artifacts,
        centroids=tuple(rows),
        completed_at=clock.now(),
    )
