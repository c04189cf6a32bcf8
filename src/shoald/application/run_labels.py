"""Names of a completed run's groups: made again without grouping again, and how each came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application.access import Caller
from shoald.application.cluster_definitions import check_labeling, labeling_of
from shoald.application.executions import find_run
from shoald.application.former_runs import FormerRuns, RunMembers
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.labelling import unnamed_by_reason
from shoald.application.labelling_inputs import chosen_samples
from shoald.application.model_labels import GroupToName, LabelRun, ModelLabels, ModelNames, NamedGroup
from shoald.application.ports.clock import Clock
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import CENTROIDS, DOCUMENTS, fields_as_text
from shoald.application.run_following import PublishedRun, RunFollower
from shoald.domain.clustering.spaces import Integers
from shoald.domain.failures import ArtifactNotFound, ClusterNotFound, ExecutionNotFound, FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.records.cluster import NOISE_CENTROID, ClusterRun
from shoald.domain.records.job import Job
from shoald.domain.records.label_audit import LabelAudit
from shoald.domain.vocabulary import ExecutionStatus, JobType

_MOST_MEMBERS = 200
_NAMED_AT = 0.9
_DESCRIBED = ("label", "summary", "keywords", "confidence")


class RunLabels:
    """The names of the groups of the caller's runs."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs

    def start(
        self,
        caller: Caller,
        cluster: str,
        run_id: str,
        *,
        groups: Sequence[str] = (),
        labeling: JsonObject | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Accept that groups of a completed run are named again (none: all), and return the job.

        Raises `ClusterNotFound`, `ExecutionNotFound`, `ArtifactNotFound` while the run has not completed, and
        `InvalidFields` for a group that it does not have, and where nobody asks for names by a model.
        """
        with self._open_unit_of_work() as uow:
            run = find_run(uow, caller, cluster, run_id)
            _require_completed(run)
            _require_groups(run, groups)
            asked = labeling_of(labeling) or _labeling_of(run)
            require_model(asked)
            request = JobRequest(
                job_type=JobType.CLUSTER_LABELS,
                payload={
                    "cluster_id": run.cluster_id,
                    "run_id": run_id,
                    "labeling": asked,
                    "group_ids": list(dict.fromkeys(groups)),
                },
                caller=caller,
                idempotency_key=idempotency_key,
                fingerprint={"run_id": run_id, "groups": sorted(groups), "labeling": asked},
            )
            before = self._jobs.accepted_before(uow, request)
            job = before or self._jobs.accept(uow, request)
            uow.commit()
        if before is None:
            self._jobs.dispatch(job)
        return job

    def audit(self, caller: Caller, cluster: str, run_id: str, group: str) -> tuple[ClusterRun, LabelAudit]:
        """Return how a group got its name in the last labelling.

        Raises `ClusterNotFound`, `ExecutionNotFound`, and `ArtifactNotFound` where no model was asked about it.
        """
        with self._open_unit_of_work() as uow:
            run = find_run(uow, caller, cluster, run_id)
            found = uow.label_audits.get(run_id, group)
        if found is None:
            message = f"No language model was asked about a group {group!r} of this execution."
            raise ArtifactNotFound(message, detail={"run_id": run_id, "group_id": group})
        return run, found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabelsHandler:
    """`JobHandler` that names groups of a completed run again."""

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    objects: ObjectStore
    tables: RunTables
    former_runs: FormerRuns
    models: ModelLabels
    followers: Sequence[RunFollower]
    jobs: Jobs

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing follows the job: the run stays as it is until it has its names."""

    def run(self, context: JobContext) -> None:
        """Ask for the names, then make them true with their artifacts in the transaction that ends the job.

        A group that the model does not name keeps the name that it has.
        """
        job = context.job
        run = self._run(job.payload["run_id"])
        groups = list(groups_to_name(self.former_runs, run, job.payload["labeling"], job.payload["group_ids"]))
        asked = LabelRun(namespace_id=run.namespace_id, run_id=run.run_id, labeling=job.payload["labeling"])

        def step(done: float) -> None:
            context.progress("label", done * _NAMED_AT, f"naming {len(groups)} groups")

        step(0.0)
        named = self.models.named(asked, groups, step)
        rows = {one.cluster_id: _row(name) for one, name in zip(groups, named.names, strict=True) if name.is_model}
        context.progress("publish", _NAMED_AT, "writing artifacts")
        for one in self._made_true(context, run, rows, named):
            self.jobs.dispatch(one)

    def _run(self, run_id: str) -> ClusterRun:
        with self.open_unit_of_work() as uow:
            run = uow.cluster_runs.get(run_id)
        if run is None:
            raise ExecutionNotFound(detail={"run_id": run_id})
        return run

    def _made_true(
        self, context: JobContext, run: ClusterRun, rows: Mapping[str, JsonObject], named: ModelNames
    ) -> list[Job]:
        """Write the artifacts and publish them; again, where another labelling has published others meanwhile."""
        while True:
            artifacts = {name: self._written(context, run, name, rows) for name in (CENTROIDS, DOCUMENTS)}
            accepted = self._published(context, run, rows, named, artifacts)
            if accepted is not None:
                return accepted
            run = self._run(run.run_id)

    def _written(
        self, context: JobContext, run: ClusterRun, name: str, rows: Mapping[str, JsonObject]
    ) -> dict[str, Any]:
        """Store an artifact again with the new names."""
        words = {name: {one: row.get(name) for one, row in rows.items()} for name in _DESCRIBED}
        words["cluster_label"] = words["label"]
        words["metadata"] = {one: fields_as_text(row.get("metadata")) for one, row in rows.items()}
        stored, job = run.artifacts[name], context.job
        context.check()
        with self.objects.local_copy(stored["key"], stored["sha256"]) as path, self.objects.open_writer() as writer:
            count = self.tables.described(path, writer, words)
            placed = writer.publish(f"runs/{run.run_id}/{job.job_id}.{job.attempt}/{name}.parquet")
        return {"key": placed.key, "sha256": placed.sha256, "bytes": placed.size, "rows": count}

    def _published(
        self,
        context: JobContext,
        run: ClusterRun,
        rows: Mapping[str, JsonObject],
        named: ModelNames,
        artifacts: JsonObject,
    ) -> list[Job] | None:
        """Publish the names in one transaction; None where the artifacts were made from others than those of now."""
        with self.open_unit_of_work() as uow:
            present = uow.cluster_runs.hold(run.run_id)
            cluster = uow.clusters.find(run.namespace_id, run.cluster_id)
            if present is None:
                raise ExecutionNotFound(detail={"run_id": run.run_id})
            if cluster is None:
                raise ClusterNotFound(detail={"cluster_id": run.cluster_id})
            if any(present.artifacts[name] != run.artifacts[name] for name in artifacts):
                return None
            relabelled = _relabelled(present, rows, named, artifacts)
            published = PublishedRun(cluster=cluster, run=relabelled, at=self.clock.now(), check=context.check)
            accepted = [one.follow(uow, published) for one in self.followers]
            uow.cluster_runs.publish(relabelled)
            outcome = {"cluster_id": run.cluster_id, "run_id": run.run_id, "named": len(rows)}
            outcome["llm_labeling_errors"] = list(unnamed_by_reason(named.unnamed))
            context.complete(uow, outcome, with_errors=bool(named.unnamed))
            uow.commit()
        return [one for one in accepted if one is not None]


def groups_to_name(
    former_runs: FormerRuns, run: ClusterRun, labeling: JsonObject, group_ids: Sequence[str] = ()
) -> Iterator[GroupToName]:
    """Yield groups of a completed run (none named: all) with the documents that are shown; reads all members."""
    plan, wanted = label_plan(labeling), set(group_ids) or {row["cluster_id"] for row in run.centroids}
    members = former_runs.members(run)
    by_group, below = _rows_by_group(members), _descendants(run)
    for row in run.centroids:
        cluster_id = row["cluster_id"]
        if cluster_id == NOISE_CENTROID or cluster_id not in wanted:
            continue
        nearest = _nearest(members, [by_group[one] for one in below[cluster_id] if one in by_group])
        similarity, size = row.get("mean_cosine_similarity"), row["num_members"]
        places = chosen_samples(plan, len(nearest), size=size, similarity=similarity)
        shown = [int(nearest[place]) for place in places]
        documents = tuple((str(members.collection_ids[at]), members.ids[at].decode()) for at in shown)
        yield GroupToName(cluster_id=cluster_id, size=size, documents=documents, fallback=_present(row))


def _rows_by_group(members: RunMembers) -> dict[str, Integers]:
    """Return the rows of each group's own members, nearest to its centroid first."""
    words, numbers = np.unique(members.groups.astype(str), return_inverse=True)
    order = np.lexsort((-np.nan_to_num(members.similarities), numbers))
    bounds = np.searchsorted(numbers[order], np.arange(len(words) + 1))
    return {str(word): order[bounds[at] : bounds[at + 1]] for at, word in enumerate(words)}


def _nearest(members: RunMembers, rows: Sequence[Integers]) -> Integers:
    """Return the rows of a group and of those within it that are looked at, nearest first."""
    some = np.concatenate([one[:_MOST_MEMBERS] for one in rows]) if rows else np.empty(0, dtype=np.int64)
    if len(rows) > 1:
        some = some[np.argsort(-np.nan_to_num(members.similarities[some]), kind="stable")]
    return some[:_MOST_MEMBERS]


def _require_completed(run: ClusterRun) -> None:
    if run.status != ExecutionStatus.COMPLETED:
        message = f"The execution is {run.status}; its groups can be named once it has completed."
        raise ArtifactNotFound(message, detail={"run_id": run.run_id, "status": run.status})


def _require_groups(run: ClusterRun, groups: Sequence[str]) -> None:
    known = {row["cluster_id"] for row in run.centroids} - {NOISE_CENTROID}
    problems = [
        FieldProblem(("body", "group_ids", at), "value_error", f"this run has no group {one!r} to be named", one)
        for at, one in enumerate(groups)
        if one not in known
    ]
    if problems:
        raise InvalidFields(problems)


def require_model(labeling: JsonObject) -> None:
    """Refuse a labelling that asks no language model, or asks it what cannot be done; raises `InvalidFields`."""
    if not labeling.get("enabled"):
        message = "a language model is asked neither here nor by the run's definition: give llm_labeling with enabled"
        raise InvalidFields.field("body", "llm_labeling", message=message)
    check_labeling(labeling)


def _labeling_of(run: ClusterRun) -> JsonObject:
    """Return what the run's definition, or the call that started it, said of names."""
    request = run.effective.get("request") or {"definition": {}, "overrides": {}}
    found: JsonObject = request["overrides"].get("llm_labeling") or request["definition"].get("llm_labeling") or {}
    return found


def _descendants(run: ClusterRun) -> dict[str, list[str]]:
    """Return each group with those within it, whose members are its members too."""
    children = {row["cluster_id"]: row.get("child_cluster_ids") or () for row in run.centroids}
    found: dict[str, list[str]] = {}
    for cluster_id in children:
        all_of, at = [cluster_id], 0
        while at < len(all_of):
            all_of.extend(children.get(all_of[at], ()))
            at += 1
        found[cluster_id] = all_of
    return found


def _present(row: JsonObject) -> NamedGroup:
    return NamedGroup(label=row["label"] or "", keywords=tuple(row["keywords"]), summary=row.get("summary"))


def _row(name: NamedGroup) -> JsonObject:
    """Return what a name changes of a group's description."""
    said: dict[str, Any] = {"label": name.label, "summary": name.summary, "keywords": list(name.keywords)}
    if name.confidence is not None:
        said["confidence"] = name.confidence
    return {**said, "metadata": dict(name.fields)} if name.fields else said


def _relabelled(
    run: ClusterRun, rows: Mapping[str, JsonObject], named: ModelNames, artifacts: JsonObject
) -> ClusterRun:
    """Return the run with new names, and with what is still to be said of those that no model made."""
    known = run.effective.get("labels") or {}
    before = {one: reason for one, reason in (known.get("unnamed") or {}).items() if one not in rows}
    unnamed = {**before, **named.unnamed}
    effective = {
        **run.effective,
        "labels": {**known, **named.report, "unnamed": unnamed},  # who could ask nobody has nothing to report
        "llm_labeling_errors": list(unnamed_by_reason(unnamed)),
        "warnings": list(dict.fromkeys((*run.effective.get("warnings", ()), *named.warnings))),
    }
    described = tuple(_described(row, rows.get(row["cluster_id"])) for row in run.centroids)
    return replace(run, centroids=described, effective=effective, artifacts={**run.artifacts, **artifacts})


def _described(row: JsonObject, new: JsonObject | None) -> JsonObject:
    """Return a group's description with its new name; what an older model said of it goes with the old one."""
    if new is None:
        return row
    return {**{key: value for key, value in row.items() if key not in {"confidence", "metadata"}}, **new}
