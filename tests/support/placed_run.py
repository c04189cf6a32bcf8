"""A completed run whose groups a test chooses: which document is in which group, and what lies below what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shoald.application.run_artifacts import MEMBERS
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from support.rag_path import RagPath

NO_GROUP = None


def placed_run(
    path: RagPath,
    collection_ids: Sequence[str],
    members: Mapping[str, str | None],
    parents: Mapping[str, str | None] | None = None,
    labels: Mapping[str, str] | None = None,
) -> ClusterRun:
    """Publish a run that put document `d` of each collection into the group `members[d]`.

    `parents` has all groups, flat by default.
    """
    adapters, use_cases, caller = path.adapters, path.use_cases, path.caller
    above = parents if parents is not None else dict.fromkeys(sorted({one for one in members.values() if one}))
    by_text = {"cluster_type": "attribute", "attribute_config": {"attributes": ["content"]}}
    cluster = use_cases.clusters.create(caller, {"collection_ids": list(collection_ids), **by_text})
    job = use_cases.executions.start(caller, cluster.cluster.cluster_id, {})
    words = [NOISE_MEMBER if group is NO_GROUP else group for group in members.values()] * len(collection_ids)
    columns = {
        "point_id": list(members) * len(collection_ids),
        "collection_id": [one for one in collection_ids for _ in members],
        "cluster_id": words,
        "cluster_label": words,
    }
    with adapters.objects.open_writer() as writer:
        rows = adapters.run_tables.write(writer, columns, metadata={})
        stored = writer.publish(f"runs/{job.payload['run_id']}/1/members.parquet")
    with adapters.open_unit_of_work() as uow:
        run = uow.cluster_runs.get(job.payload["run_id"])
        assert run is not None
        run = replace(
            run,
            status="completed",
            num_clusters=len(above),
            num_points=len(members),
            artifacts={MEMBERS: {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size, "rows": rows}},
            revisions=dict.fromkeys(collection_ids, 1),
            centroids=tuple(_described(above, labels or {}, is_noisy=NOISE_MEMBER in words)),
            completed_at=adapters.clock.now(),
        )
        uow.cluster_runs.publish(run)
        uow.commit()
    return run


def _described(
    parents: Mapping[str, str | None], labels: Mapping[str, str], *, is_noisy: bool
) -> Sequence[dict[str, Any]]:
    rows = [
        {"cluster_id": one, "label": labels.get(one, f"about {one}"), "parent_cluster_id": parent}
        for one, parent in parents.items()
    ]
    noise = {"cluster_id": NOISE_CENTROID, "label": "noise", "parent_cluster_id": None}
    return [*rows, noise] if is_noisy else rows
