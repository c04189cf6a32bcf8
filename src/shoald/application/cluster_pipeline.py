"""Cluster runs: a definition and its collections go in; groups, figures and artifacts come out, by a job.

A run is a pipeline of named stages: snapshot, preprocess (with neighbours), cluster, merge, subdivide, centroids,
match, quality, stability, map, label, publish. What the dear ones made is kept by the hash of their inputs, so that a
run that was killed goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from shoald.application import cluster_stages as stages
from shoald.application.cluster_definitions import read_spec
from shoald.application.cluster_events import run_completed, run_executed
from shoald.application.cluster_stages import ClusterTools
from shoald.application.cluster_work import Work
from shoald.application.independent_runs import is_independent
from shoald.application.later_maps import LaterMap, LaterMaps
from shoald.application.ports.arrays import Arrays
from shoald.application.ports.clock import Clock
from shoald.application.ports.estimators import Estimators
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.memory_meter import MemoryMeter
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import Columns, RunTables
from shoald.application.ports.staged_arrays import StagedArrays
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import CENTROIDS, COMPONENTS, DOCUMENTS, MEMBERS, artifact_key, remove_artifacts
from shoald.application.run_following import PublishedRun, RunFollower
from shoald.application.run_records import RunResult, about, completed, with_measured
from shoald.application.sparse_reduction import component_columns
from shoald.application.staged_stages import StagedGraphs
from shoald.application.sweep_runs import SweepRuns
from shoald.domain.clustering.parameters import HdbscanParameters, LeidenParameters, UmapParameters
from shoald.domain.clustering.spaces import Neighbours
from shoald.domain.failures import ClusterNotFound, CollectionNotFound, ExecutionNotFound
from shoald.domain.records.cluster import REPLAY_OF, Cluster, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import ExecutionMode, ExecutionStatus

_WARM_SEED = 42
_WARM_POINTS = 64


class Way(Protocol):
    """One way in which runs find groups."""

    def result(self, work: Work, collections: Sequence[Collection]) -> RunResult:
        """Find the groups of a run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How runs of each kind find groups."""

    vectors: Way
    attributes: Way
    assign: Way
    replay: Way
    independent: Way
    composite: Way
    sweep: SweepRuns
    maps: LaterMaps

    def of(self, work: Work) -> Way:
        """Return the way of one run."""
        if work.run.mode == ExecutionMode.COMPOSITE:
            return self.composite
        if work.spec.attributes is not None:
            return self.attributes
        if REPLAY_OF in work.run.overrides:
            return self.replay
        if work.run.mode == ExecutionMode.ASSIGN:
            return self.assign
        return self.independent if is_independent(work.spec) else self.vectors


class ClusterPipeline:
    """Does runs, one after another; heavy to import, so that only workers do."""

    def __init__(  # noqa: PLR0913 - a run touches everything
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        ways: Ways,
        tables: RunTables,
        staged: StagedArrays,
        arrays: Arrays,
        estimators: Callable[[Any], Estimators],
        meter: MemoryMeter,
        backend: str = "auto",
        followers: Sequence[RunFollower] = (),
        send: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._ways = ways
        self._tables = tables
        self._staged = staged
        self._arrays = arrays
        self._estimators = estimators
        self._meter = meter
        self._backend = backend
        self._followers = followers
        self._send = send

    def run(self, context: JobContext) -> None:
        """Do the run that the payload names, and publish it in one transaction."""
        with self._open_unit_of_work() as uow:
            cluster, collections = _cluster_of(uow, context.job)
            run = uow.cluster_runs.get(context.job.payload["run_id"])
        if run is None:
            raise ExecutionNotFound(detail={"run_id": context.job.payload["run_id"]})
        work = self._work(context, cluster, run)
        self._meter.start()
        self._publish(work, self._ways.of(work).result(work, collections))
        remove_artifacts(self._objects, run.run_id, but_attempt=context.job.attempt)

    def sweep(self, context: JobContext) -> None:
        """Try the settings that the payload names; what each gives is the job's result."""
        job = context.job
        with self._open_unit_of_work() as uow:
            cluster, collections = _cluster_of(uow, job)
        work = self._work(context, cluster, _no_run(cluster, job))
        self._meter.start()
        found = self._ways.sweep.result(work, collections, job.payload["settings"])
        found["memory"]["measured_peak_bytes"] = self._meter.peak_bytes()
        with self._open_unit_of_work() as uow:
            context.complete(uow, found)
            uow.commit()

    def draw(self, context: JobContext) -> None:
        """Draw the map of a completed run that put it off: new artifacts, and the run, have it in one transaction."""
        job = context.job
        with self._open_unit_of_work() as uow:
            cluster, collections = _cluster_of(uow, job)
            run = uow.cluster_runs.get(job.payload["run_id"])
        if run is None:
            raise ExecutionNotFound(detail={"run_id": job.payload["run_id"]})
        work = self._work(context, cluster, run)
        self._meter.start()
        drawn = self._ways.maps.drawn(work, collections)
        work.stage("publish", "writing artifacts")
        artifacts = {name: self._placed(work, name, drawn) for name in (MEMBERS, CENTROIDS, DOCUMENTS)}
        with self._open_unit_of_work() as uow:
            present = uow.cluster_runs.get(run.run_id)
            if present is None:
                raise ExecutionNotFound(detail={"run_id": run.run_id})
            with_map = replace(
                present,
                artifacts={**present.artifacts, **artifacts},
                effective={**present.effective, "map": drawn.effective},
                centroids=drawn.centroid_rows(present.centroids),
            )
            uow.cluster_runs.publish(with_map)
            published = PublishedRun(cluster=cluster, run=with_map, at=self._clock.now(), check=context.check)
            for one in self._followers:
                one.drawn(uow, published)
            context.complete(uow, {"cluster_id": cluster.cluster_id, "run_id": run.run_id})
            uow.commit()

    def _placed(self, work: Work, name: str, drawn: LaterMap) -> dict[str, Any]:
        """Store an artifact of a completed run again, with places."""
        stored, job = work.run.artifacts[name], work.context.job
        key = f"runs/{work.run.run_id}/{job.job_id}.{job.attempt}/{name}.parquet"
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            columns = drawn.columns(self._described(path, name, stored["rows"]))
            with self._objects.open_writer() as writer:
                rows = self._tables.replaced(path, writer, columns)
                placed = writer.publish(key)
        return {"key": placed.key, "sha256": placed.sha256, "bytes": placed.size, "rows": rows}

    def _described(self, path: str, name: str, rows: int) -> list[str | None]:
        """Return, for each row of an artifact, the group that it describes, None for a member."""
        if name == MEMBERS:
            return [None] * rows
        found: list[str | None] = []
        for batch in self._tables.read(path, columns=["cluster_id", "is_centroid"]):
            is_group = batch.get("is_centroid", [True] * len(batch["cluster_id"]))
            pairs = zip(batch["cluster_id"], is_group, strict=True)
            found.extend(word if one else None for word, one in pairs)
        return found

    def _work(self, context: JobContext, cluster: Cluster, run: ClusterRun) -> Work:
        backend = self._arrays.get(self._backend)
        graphs: MutableMapping[str, Neighbours] = {} if REPLAY_OF in run.overrides else StagedGraphs(self._staged)
        tools = ClusterTools(arrays=backend, estimators=self._estimators(backend), graphs=graphs)
        spec = read_spec(cluster.definition, run.overrides)
        # those of the call that started it; what does not apply to its mode is known there alone
        said = dict.fromkeys((*spec.warnings, *context.job.payload.get("warnings", ())))
        spec = replace(spec, warnings=tuple(said))
        return Work(context=context, cluster=cluster, run=run, spec=spec, tools=tools, settle=self._meter.give_back)

    def warm(self) -> None:
        """Take a few made-up points through the stages, so that the first run does not wait for libraries to load."""
        backend = self._arrays.get(self._backend)
        tools = ClusterTools(arrays=backend, estimators=self._estimators(backend))
        points = np.random.default_rng(_WARM_SEED).normal(size=(_WARM_POINTS, 4)).astype(np.float32)
        space = stages.input_space(points)
        found = stages.cluster(
            stages.preprocess(space, [UmapParameters(n_components=2)], tools=tools), HdbscanParameters(), tools=tools
        )
        stages.quality(space, found.labels, stages.centroids(space, found.labels, tools=tools), tools=tools)
        stages.cluster(space, LeidenParameters(n_neighbors=5), tools=tools)

    def _publish(self, work: Work, result: RunResult) -> None:
        """Write the artifacts, then make them and the run true in the transaction that ends the job."""
        work.stage("publish", "writing artifacts")
        rows = result.centroid_rows()
        artifacts = self._artifacts(work, result, rows)
        with self._open_unit_of_work() as uow:
            present = uow.cluster_runs.hold(work.run.run_id)
            if present is None:
                raise ExecutionNotFound
            done = completed(work, result, present, rows, artifacts, self._clock.now())
            accepted = self._followed(uow, work, done)
            # behind what may take minutes: whoever names the run, or fails its job, waits for this row
            uow.cluster_runs.publish(with_measured(done, self._meter.peak_bytes()))
            outcome: dict[str, Any] = {
                "cluster_id": work.cluster.cluster_id,
                "run_id": work.run.run_id,
                "num_clusters": result.groups,
                "num_points": result.documents,
            }
            if "replay" in result.effective:
                outcome["replay"] = result.effective["replay"]
            uow.events.add(run_completed(work.context.job, done, self._clock.now()))
            uow.events.add(run_executed(work.context.job, self._clock.now()))
            work.context.complete(uow, outcome, with_errors=bool(result.names.errors))
            uow.commit()
        for job in accepted:
            self._send(job)

    def _followed(self, uow: UnitOfWork, work: Work, done: ClusterRun) -> list[Job]:
        """Let everything that hangs on a completed run be written, and return the jobs that came of it."""
        check = work.context.check
        published = PublishedRun(cluster=work.cluster, run=done, at=self._clock.now(), check=check)
        jobs = [one.follow(uow, published) for one in self._followers]
        return [job for job in jobs if job is not None]

    def _artifacts(self, work: Work, result: RunResult, rows: list[dict[str, Any]]) -> dict[str, Any]:
        members = result.member_columns()
        artifacts = {
            MEMBERS: self._written(work, MEMBERS, members),
            CENTROIDS: self._written(work, CENTROIDS, result.centroid_columns(rows, about(work, result))),
            DOCUMENTS: self._written(work, DOCUMENTS, result.document_columns(members, rows)),
        }
        if result.given.components:
            artifacts[COMPONENTS] = self._written(work, COMPONENTS, component_columns(result.given.components))
        return artifacts

    def _written(self, work: Work, name: str, columns: Columns) -> dict[str, Any]:
        """Store one artifact; nothing of it is visible before it is whole."""
        work.context.check()
        key = artifact_key(work.run.run_id, work.context.job.attempt, name)
        metadata = {"shoal.run_id": work.run.run_id, "shoal.cluster_id": work.cluster.cluster_id}
        with self._objects.open_writer() as writer:
            rows = self._tables.write(writer, columns, metadata=metadata)
            stored = writer.publish(key)
        return {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size, "rows": rows}


def _cluster_of(uow: UnitOfWork, job: Job) -> tuple[Cluster, list[Collection]]:
    """Return the cluster as it was when the job was accepted, and its collections as they are."""
    found_now = uow.clusters.find(job.namespace_id, job.payload["cluster_id"])
    if found_now is None:
        raise ClusterNotFound(detail={"cluster_id": job.payload["cluster_id"]})
    then = job.payload.get("definition", found_now.definition)
    cluster = replace(found_now, definition=then, collection_ids=tuple(then["collection_ids"]))
    found = {one.collection_id: one for one in uow.collections.get_many(job.namespace_id, cluster.collection_ids)}
    missing = [one for one in cluster.collection_ids if one not in found]
    if missing:
        message = f"There is no collection {', '.join(map(repr, missing))} any more."
        raise CollectionNotFound(message, detail={"collections": missing})
    return cluster, [found[one] for one in cluster.collection_ids]


def _no_run(cluster: Cluster, job: Job) -> ClusterRun:
    """Return what stages look for in a run, for a sweep, which publishes none."""
    return ClusterRun(
        run_id=job.job_id,
        cluster_id=cluster.cluster_id,
        namespace_id=cluster.namespace_id,
        job_id=job.job_id,
        status=ExecutionStatus.PROCESSING,
        mode=ExecutionMode.FULL,
        num_clusters=0,
        num_points=0,
        metrics={},
        effective={},
        artifacts={},
        error_message=None,
        created_at=job.created_at,
        completed_at=None,
        overrides=job.payload["changes"],
    )
