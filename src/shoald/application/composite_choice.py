"""Which runs a composite one is made from: the call or the definition goes in, their ids come out, each of them fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.clustering.parameter_rules import Rule, read_value
from shoald.domain.failures import ArtifactNotFound, ExecutionNotFound, FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, Cluster, ClusterRun
from shoald.domain.vocabulary import ExecutionStatus

SOURCE_RUNS = "source_execution_ids"
"""The runs that a composite run groups the groups of, among what its call changed."""
_LEAST = 2
_COUNTS = ("n_clusters", "n_components")
_COUNT = Rule(kind=int, least=1)


def asked_count(definition: JsonObject, changes: JsonObject) -> int | None:
    """Return how many groups were asked for in so many words; None where the runs themselves decide.

    Raises `InvalidFields` for what is no number of groups: the method of the definition need not know the word.
    """
    vector: Mapping[str, Any] = definition["vector_config"] or {}
    asked = {**(vector.get("algorithm_params") or {}), **(changes.get("algorithm_params") or {})}
    name = next((one for one in _COUNTS if asked.get(one) is not None), None)
    if name is None:
        return None
    found = read_value(_COUNT, asked[name], ("body", "algorithm_params", name))
    if isinstance(found, FieldProblem):
        raise InvalidFields([found])
    return int(found)


def source_runs(uow: UnitOfWork, cluster: Cluster, asked: Sequence[str]) -> list[str]:
    """Return the ids of the runs that were asked for, or of the newest completed run of each source cluster.

    Raises `ExecutionNotFound` and `ArtifactNotFound` for one that is not there or has not completed, and
    `InvalidFields` for fewer than two and for such that do not fit together.
    """
    runs = [_asked(uow, cluster, one) for one in dict.fromkeys(asked)] if asked else _newest(uow, cluster)
    if len(runs) < _LEAST:
        message = f"a composite run takes at least {_LEAST} completed executions; there are {len(runs)}"
        raise InvalidFields.field("body", SOURCE_RUNS, message=message, value=list(asked))
    require_one_space(runs)
    return [one.run_id for one in runs]


def _asked(uow: UnitOfWork, cluster: Cluster, run_id: str) -> ClusterRun:
    run = uow.cluster_runs.get(run_id)
    if run is None or run.namespace_id != cluster.namespace_id:
        raise ExecutionNotFound(f"There is no execution {run_id!r}.", detail={"run_id": run_id})
    if run.status != ExecutionStatus.COMPLETED:
        message = f"The execution {run_id} is {run.status}; its groups can be grouped once it has completed."
        raise ArtifactNotFound(message, detail={"run_id": run_id, "status": run.status})
    return run


def _newest(uow: UnitOfWork, cluster: Cluster) -> list[ClusterRun]:
    """Return the newest completed run of each source cluster."""
    found = []
    for cluster_id in cluster.definition.get("source_cluster_ids") or ():
        run = uow.cluster_runs.latest_completed(cluster_id)
        if run is None:
            message = f"No execution of the source cluster {cluster_id} has completed yet."
            raise ArtifactNotFound(message, detail={"cluster_id": cluster_id})
        found.append(run)
    return found


def require_one_space(runs: Sequence[ClusterRun]) -> None:
    """Raise `InvalidFields` unless the groups of all runs have centroids, of the same features and dimensions."""
    for run in runs:
        reason = _unfit(run, runs[0])
        if reason is not None:
            raise InvalidFields.field("body", SOURCE_RUNS, message=f"{run.run_id} {reason}", value=run.run_id)


def _unfit(run: ClusterRun, first: ClusterRun) -> str | None:
    """Say what keeps a run from being a source beside the first."""
    read, wanted = run.effective.get("input") or {}, first.effective.get("input") or {}
    if not read.get("features"):
        return "grouped by attributes, so that its groups have no centroids"
    if run.effective.get("features"):
        return "grouped several features, each by itself"
    if read["features"] != wanted.get("features") or read.get("reductions") != wanted.get("reductions"):
        return f"grouped by {', '.join(read['features'])}, not by what {first.run_id} did"
    return None if first_level(run) else "has no groups"


def first_level(run: ClusterRun) -> list[JsonObject]:
    """Return the groups of the first level, without noise."""
    return [row for row in run.centroids if row["cluster_id"] != NOISE_CENTROID and not row.get("hierarchy_level")]
