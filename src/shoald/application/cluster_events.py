"""What happens to clusters and their runs, as the events that receivers are told."""

from __future__ import annotations

from datetime import datetime

from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import EventType
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.event import Event
from shoald.domain.records.job import Job

_CLUSTER = "cluster"


def cluster_event(event_type: EventType, cluster: Cluster, at: datetime) -> Event:
    """Return that a definition was made, changed or deleted."""
    return Event(
        event_type=event_type,
        namespace_id=cluster.namespace_id,
        subject_type=_CLUSTER,
        subject_id=cluster.cluster_id,
        occurred_at=at,
        metadata={
            "cluster_id": cluster.cluster_id,
            "cluster_name": cluster.cluster_name,
            "cluster_type": cluster.cluster_type,
            "collection_ids": list(cluster.collection_ids),
        },
    )


def run_started(job: Job, at: datetime) -> Event:
    """Return that a worker has begun a run."""
    return _run_event(EventType.CLUSTER_EXECUTION_STARTED, job, {}, at)


def run_failed(job: Job, at: datetime) -> Event:
    """Return that a run was given up, and why."""
    told = {"error_code": job.error_code, "error_message": job.error_message}
    return _run_event(EventType.CLUSTER_EXECUTION_FAILED, job, told, at)


def run_completed(job: Job, run: ClusterRun, at: datetime) -> Event:
    """Return that a run was published: how much it found, and where its artifacts lie in the object store."""
    told: JsonObject = {
        "num_clusters": run.num_clusters,
        "num_points": run.num_points,
        "mode": run.mode,
        "artifacts": {name: one["key"] for name, one in run.artifacts.items()},
    }
    return _run_event(EventType.CLUSTER_EXECUTION_COMPLETED, job, told, at)


def run_executed(job: Job, at: datetime) -> Event:
    """Return that something ran to its end, for receivers that hear of all kinds of things that run."""
    return _run_event(EventType.RESOURCE_EXECUTED, job, {"resource_type": _CLUSTER}, at)


def run_not_executed(job: Job, at: datetime) -> Event:
    """Return that something that ran was given up."""
    told = {"resource_type": _CLUSTER, "error_code": job.error_code, "error_message": job.error_message}
    return _run_event(EventType.RESOURCE_EXECUTION_FAILED, job, told, at)


def _run_event(event_type: EventType, job: Job, told: JsonObject, at: datetime) -> Event:
    cluster_id, run_id = job.payload["cluster_id"], job.payload["run_id"]
    return Event(
        event_type=event_type,
        namespace_id=job.namespace_id,
        subject_type=_CLUSTER,
        subject_id=cluster_id,
        occurred_at=at,
        metadata={"cluster_id": cluster_id, "run_id": run_id, "task_id": job.job_id, **told},
    )
