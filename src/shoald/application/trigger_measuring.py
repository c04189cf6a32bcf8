"""A conditional trigger goes in; what its condition is measured by, and whether a run is wanted, comes out.

Drift compares documents that were added since the last completed run with that run's groups: `cosine_drift` is how much
lower their cosine to the nearest centroid is on average than that of the run's own members to theirs (0 when it is not
lower), `unassigned_ratio` the share of them that is nearer to no centroid than a cosine of 0.5. A thousand of them are
looked at. Volume counts documents, quality is what the last run measured of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from shoald.application.cluster_definitions import resolve_features
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import Failure, InvalidFields, Unavailable
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import Cluster, ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.trigger import Trigger
from shoald.domain.triggers.schedules import DRIFT_METRICS, ConditionalSchedule
from shoald.domain.vocabulary import VectorKind

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

_SAMPLE = 1_000
_NEAR = 0.5
_LONGEST_WRITE = timedelta(days=1)
"""No build that is told of when it begins is seen later than that."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a look at a condition found; `record` goes into the trigger's `measured`."""

    is_met: bool
    record: JsonObject


class TriggerMeasuring:
    """Measures what conditions ask for. `centroids` returns the vectors of a run's groups by id."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, centroids: Callable[[ClusterRun], Mapping[str, Any]]
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._centroids = centroids

    def measure(self, trigger: Trigger, schedule: ConditionalSchedule) -> Measurement:
        """Look at a condition now. A value that cannot be measured, and one without new documents, meets nothing."""
        with self._open_unit_of_work(reading=True) as uow:
            now = uow.triggers.now()
            cluster = uow.clusters.find(trigger.namespace_id, trigger.cluster_id)
            run = None if cluster is None else uow.cluster_runs.latest_completed(cluster.cluster_id)
            found = () if cluster is None else uow.collections.get_many(trigger.namespace_id, cluster.collection_ids)
            added = _added(uow, found, run)
            value, why_not = self._tried(uow, schedule.metric, cluster, run, found, added)
        is_met = added > 0 and schedule.is_met(value)
        record = {
            "metric": schedule.metric,
            "value": value,
            "threshold": schedule.threshold,
            "documents": added,
            "is_met": is_met,
            "measured_at": now.isoformat(),
            **({} if why_not is None else {"error": why_not}),
        }
        kind = "drift" if schedule.metric in DRIFT_METRICS else "volume"
        return Measurement(
            is_met=is_met, record={kind: record, "baseline": _baseline(run), "checked_at": now.isoformat()}
        )

    def _tried(
        self,
        uow: UnitOfWork,
        metric: str,
        cluster: Cluster | None,
        run: ClusterRun | None,
        collections: Sequence[Collection],
        added: int,
    ) -> tuple[float | None, str | None]:
        """Return the value, or None and why it cannot be measured."""
        try:
            if cluster is not None and run is not None and metric in DRIFT_METRICS:
                sample = _new_vectors(uow, cluster, collections, run)
                return _drift(metric, run, self._centroids(run), sample), None
            return _value(metric, run, collections, added), None
        except Unavailable:
            raise
        except Failure as failure:
            return None, failure.message


def _value(metric: str, run: ClusterRun | None, collections: Sequence[Collection], added: int) -> float | None:
    if metric == "document_count":
        return float(sum(one.document_count for one in collections))
    if metric == "new_documents":
        return float(added)
    if run is None:
        return None
    if metric == "growth_ratio":
        return added / max(1, run.num_points)
    measured = run.metrics.get(metric)
    return None if measured is None else float(measured)


def _added(uow: UnitOfWork, collections: Sequence[Collection], run: ClusterRun | None) -> int:
    if run is None:
        return sum(one.document_count for one in collections)
    return uow.triggers.documents_since(_since(uow, collections, run))


def _since(uow: UnitOfWork, collections: Sequence[Collection], run: ClusterRun) -> dict[str, datetime]:
    """Return, by collection, a moment before which a run has seen every document.

    That is when it began; an import that began before, and was seen later than the revision that the run read, is
    counted from its own beginning.
    """
    began = run.started_at or run.created_at
    unseen = uow.triggers.first_unseen(run.namespace_id, run.revisions, told_after=began - _LONGEST_WRITE)
    return {one.collection_id: min(began, unseen.get(one.collection_id, began)) for one in collections}


def _new_vectors(uow: UnitOfWork, cluster: Cluster, collections: Sequence[Collection], run: ClusterRun) -> list[bytes]:
    found: list[bytes] = []
    since = _since(uow, collections, run)
    for collection_id, name in drifting_vectors(cluster, collections).items():
        found.extend(uow.triggers.vectors_since(collection_id, name, since[collection_id], _SAMPLE))
    return found


def drifting_vectors(cluster: Cluster, collections: Sequence[Collection]) -> Mapping[str, str]:
    """Return the name of the vector that drift is measured by in each collection that has any.

    Raises `InvalidFields` for a cluster that is not over one dense vector.
    """
    vector = cluster.definition["vector_config"]
    features = () if vector is None else resolve_features(vector["feature_uris"], collections)
    names = features[0].vector_names if len(features) == 1 else {}
    kinds = {config.kind for one in collections if (config := one.vector(names.get(one.collection_id, "")))}
    if vector is None or len(features) > 1 or kinds - {VectorKind.DENSE}:
        message = "drift is measured for clusters over one dense vector"
        raise InvalidFields.field("body", "schedule_config", "metric", message=message)
    return names


def _drift(metric: str, run: ClusterRun, centroids: Mapping[str, Any], sample: Sequence[bytes]) -> float | None:
    if not centroids:
        return None
    groups = _unit(np.stack([np.asarray(one, dtype=np.float32) for one in centroids.values()]))
    # a vector of another kind or length is none of the space that the groups are in
    rows = [np.frombuffer(one, dtype="<f4") for one in sample if len(one) == 4 * groups.shape[1]]
    before = run.metrics.get("mean_cosine_to_centroid")
    if not rows or before is None:
        return None
    nearest = (_unit(np.stack(rows)) @ groups.T).max(axis=1)
    if metric == "unassigned_ratio":
        return float((nearest < _NEAR).mean())
    return max(0.0, float(before) - float(nearest.mean()))


def _unit(vectors: Vectors) -> Vectors:
    """Return rows of length one; (n, d) float32."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _TINY), dtype=np.float32)


def _baseline(run: ClusterRun | None) -> JsonObject | None:
    if run is None or run.completed_at is None:
        return None
    return {
        "run_id": run.run_id,
        "captured_at": run.completed_at.isoformat(),
        "document_count": run.num_points,
        "num_clusters": run.num_clusters,
        "mean_cosine_to_centroid": run.metrics.get("mean_cosine_to_centroid"),
    }
