"""A result goes in; what a run keeps of it in its row comes out: what was done, the groups, and how to repeat it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import ExecutionStatus


def about(work: Work, result: ClusterResult) -> dict[str, str]:
    """Return what the centroid file says of the run in every row, as the document has it."""
    effective = result.effective
    return {
        "feature_name": ", ".join(feature.name for feature in result.given.features),
        "reduction_method": str(effective["map"]["method"]) if result.coordinates is not None else "none",
        "algorithm": str(effective["algorithm"]),
        "parameters": json.dumps(dict(effective["algorithm_params"]), sort_keys=True),
        "run_id": work.run.run_id,
        "created_at": work.run.created_at.isoformat(),
    }


def effective(work: Work, result: ClusterResult) -> dict[str, Any]:
    """Say what was really done, so that the run can be done again."""
    return {
        "notes": {},
        "levels": result.tree.depth,
        **result.effective,
        "request": {"definition": dict(work.cluster.definition), "overrides": dict(work.run.overrides)},
        "input": {**result.given.record, "content_sha256": result.given.content},
        "backend": {"arrays": work.tools.arrays.name, "estimators": work.tools.estimators.name},
        "versions": {
            "shoal": importlib.metadata.version("shoal"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            **work.tools.estimators.versions(),
        },
        "warnings": list(dict.fromkeys((*work.spec.warnings, *result.given.warnings, *result.warnings))),
        "llm_labeling_errors": list(result.names.errors),
        "counts": {
            "source_documents": result.given.source_documents,
            "vectors_retrieved": result.given.vectors_retrieved,
            "vectors_clustered": len(result.given.sampled),
            "index_gap": max(0, result.given.source_documents - result.given.vectors_retrieved),
        },
    }


def completed(
    work: Work,
    result: ClusterResult,
    present: ClusterRun,
    rows: list[dict[str, Any]],
    artifacts: JsonObject,
    at: datetime,
) -> ClusterRun:
    """Return the run as it is stored when it has completed."""
    revisions = {one["collection_id"]: one["revision"] for one in result.given.record["collections"]}
    unread = {one.collection_id: one.revision for one in result.given.collections}
    return replace(
        present,
        status=ExecutionStatus.COMPLETED,
        num_clusters=result.tree.first_level,
        num_points=len(result.given.ids),
        metrics=result.metrics,
        effective=effective(work, result),
        revisions={**unread, **revisions},
        artifacts=artifacts,
        centroids=tuple(rows),
        lineage=tuple(event.as_json() for event in result.lineage),
        completed_at=at,
    )
