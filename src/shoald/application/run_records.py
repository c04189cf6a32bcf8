"""A result goes in; what a run keeps of it in its row comes out: what was done, the groups, and how to repeat it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_naming import Names
from shoald.application.cluster_work import Work
from shoald.application.ports.run_tables import Columns
from shoald.domain.clustering.lineage import LineageEvent
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.vocabulary import ExecutionStatus


class RunResult(Protocol):
    """What a run found, in whichever way; `ClusterResult` says what each part of it is."""

    @property
    def given(self) -> ClusterInput:
        """What was read."""
        ...

    @property
    def names(self) -> Names:
        """The names of the groups."""
        ...

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the document."""
        ...

    @property
    def coordinates(self) -> Any:
        """The map, None for none."""
        ...

    @property
    def effective(self) -> JsonObject:
        """What was really done."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the caller should know."""
        ...

    @property
    def lineage(self) -> tuple[LineageEvent, ...]:
        """What became of the groups of the run before."""
        ...

    @property
    def documents(self) -> int:
        """The number of documents."""
        ...

    @property
    def grouped(self) -> int:
        """The number of documents in a group, of the first feature where each is grouped by itself."""
        ...

    @property
    def ungrouped(self) -> int:
        """The number of those that are noise."""
        ...

    @property
    def groups(self) -> int:
        """The number of groups on the first level."""
        ...

    @property
    def depth(self) -> int:
        """The number of levels."""
        ...

    def centroid_rows(self) -> list[dict[str, Any]]:
        """Describe the groups."""
        ...

    def member_columns(self) -> Columns:
        """Return the members as columns."""
        ...

    def centroid_columns(self, rows: Sequence[dict[str, Any]], about: dict[str, str]) -> Columns:
        """Return the groups as columns."""
        ...

    def document_columns(self, members: Columns, rows: Sequence[dict[str, Any]]) -> Columns:
        """Return members and groups in one table."""
        ...


def about(work: Work, result: RunResult) -> dict[str, str]:
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


def effective(work: Work, result: RunResult) -> dict[str, Any]:
    """Say what was really done, so that the run can be done again."""
    return {
        "notes": {},
        "levels": result.depth,
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
        "warnings": list(dict.fromkeys((*work.spec.warnings, *_warnings(result)))),
        "llm_labeling_errors": list(result.names.errors),
        **({"labels": dict(result.names.report)} if result.names.report else {}),
        **reconciled(result),
    }


def _warnings(result: RunResult) -> tuple[str, ...]:
    return (*result.given.warnings, *result.warnings, *result.names.warnings)


def reconciled(result: RunResult) -> dict[str, Any]:
    """Count what became of the documents on the way to a group, and say what went missing that is no noise."""
    source, read = result.given.source_documents, result.given.vectors_retrieved
    gap, drop = max(0, source - read), read - result.grouped
    lost = drop - result.ungrouped
    reasons = [f"{gap} of {source} documents have no vector to be read"] if gap else []
    reasons += [f"{lost} of {read} vectors are neither in a group nor noise"] if lost else []
    return {
        "counts": {
            "source_documents": source,
            "vectors_retrieved": read,
            "vectors_clustered": result.grouped,
            "index_gap": gap,
            "pipeline_drop": drop,
        },
        "reconciliation": {"ok": not reasons, "reasons": reasons, "as_noise": not lost if drop else None},
    }


def completed(
    work: Work,
    result: RunResult,
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
        num_clusters=result.groups,
        num_points=result.documents,
        metrics=result.metrics,
        effective=effective(work, result),
        revisions={**unread, **revisions},
        artifacts=artifacts,
        centroids=tuple(rows),
        lineage=tuple(event.as_json() for event in result.lineage),
        completed_at=at,
    )


def with_measured(run: ClusterRun, peak_bytes: int | None) -> ClusterRun:
    """Return the run with what it took of memory beside what its worker held before."""
    known: JsonObject = run.effective.get("memory") or {}
    return replace(run, effective={**run.effective, "memory": {**known, "measured_peak_bytes": peak_bytes}})
