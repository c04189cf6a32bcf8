"""The artifacts of a run go in, batch by batch; the documents of its output collection come out.

A group is one document, `centroid:<group>`, and a member one for each document that was grouped,
`member:<collection>:<document>`; where features are grouped each by itself and written together, a member is
`member:<feature>:<collection>:<document>`, once for each feature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shoald.application.group_labels import labels_of
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.records.collection import DocumentBatch, VectorColumn

CENTROID_VECTOR = "centroid"
_RENAMED = {"num_members": "member_count", "label": "cluster_label"}
_MEMBER_COLUMNS = frozenset(
    {
        "point_id",
        "collection_id",
        "cluster_id",
        "cosine_similarity_to_centroid",
        "raw_cosine_to_centroid",
        "x",
        "y",
        "z",
    }
)
AXES = ("x", "y", "z")

Batches = Iterable[Mapping[str, Any]]


@dataclass(slots=True)
class OutputDocuments:
    """Makes the documents of one run, or of one feature of it; counts the members in no group as they pass."""

    run: ClusterRun
    feature: str | None = None
    noise: int = 0
    _labels: Mapping[str, str | None] = field(init=False)
    _rows: Mapping[str, JsonObject] = field(init=False)
    _paths: Mapping[str, Sequence[str]] = field(init=False)
    _dimensions: int = field(init=False)

    def __post_init__(self) -> None:
        self._labels = labels_of(self.run)
        self._rows = {row["cluster_id"]: row for row in self.run.groups}
        self._paths = _paths(self._rows)
        self._dimensions = (self.run.effective.get("map") or {}).get("dimensions") or 0

    def batches(self, groups: Batches, members: Batches) -> Iterator[DocumentBatch]:
        """Yield the groups with their vectors, then the members, then those in no group as one group."""
        for batch in groups:
            yield from self._groups(batch)
        for batch in members:
            yield self._members(batch)
        if self.noise:
            yield self._noise()

    def _groups(self, batch: Mapping[str, Any]) -> Iterator[DocumentBatch]:
        """Yield a batch for each length of vector; documents that were grouped without vectors have none."""
        by_vector: dict[str | None, list[tuple[JsonObject, Any]]] = {}
        for cluster_id, vector in zip(batch["cluster_id"], batch["centroid_vector"], strict=True):
            if cluster_id != NOISE_CENTROID and self._is_mine(cluster_id):
                name = None if vector is None else vector_name(self.run, cluster_id, self.feature)
                by_vector.setdefault(name, []).append((self._rows[cluster_id], vector))
        for name, found in by_vector.items():
            rows = [row for row, _ in found]
            vectors = [] if name is None else [VectorColumn(name=name, values=np.stack([one for _, one in found]))]
            yield DocumentBatch(ids=list(map(_group_id, rows)), payloads=list(map(self._group, rows)), vectors=vectors)

    def _is_mine(self, cluster_id: str) -> bool:
        return self.feature is None or cluster_id.startswith(f"{self.feature}:")

    def _group(self, row: JsonObject) -> JsonObject:
        described = {_RENAMED.get(key, key): value for key, value in row.items()}
        label = self._labels.get(row["cluster_id"])
        return {**described, "is_centroid": True, "cluster_label": label, "run_id": self.run.run_id}

    def _noise(self) -> DocumentBatch:
        row = self._rows.get(NOISE_CENTROID, {"cluster_id": NOISE_CENTROID})
        payload = {**self._group(row), "member_count": self.noise, "cluster_label": self._labels[NOISE_MEMBER]}
        return DocumentBatch(ids=[_group_id(row)], payloads=[payload], vectors=[])

    def _members(self, batch: Mapping[str, Any]) -> DocumentBatch:
        more = [name for name in batch if name not in _MEMBER_COLUMNS]
        axes = AXES[: self._dimensions]
        features = batch.get("feature") if self.feature is None else None
        ids, payloads = [], []
        for at, (document_id, collection_id, cluster_id, similarity) in enumerate(_columns_of(batch)):
            self.noise += cluster_id == NOISE_MEMBER
            place = "" if features is None else f"{features[at]}:"
            ids.append(f"member:{place}{collection_id}:{document_id}")
            payload: dict[str, Any] = {
                "is_centroid": False,
                "cluster_id": cluster_id,
                "cluster_label": self._labels.get(cluster_id),
                "source_document_id": document_id,
                "source_collection_id": collection_id,
                "distance_to_centroid": None if similarity is None else 1.0 - similarity,
                "run_id": self.run.run_id,
            }
            payload |= {name: batch[name][at] for name in (*axes, *more)}
            if self._paths:
                payload["cluster_path"] = self._paths.get(cluster_id, ())
            payloads.append(payload)
        return DocumentBatch(ids=ids, payloads=payloads, vectors=[])


def vector_name(run: ClusterRun, cluster_id: str, feature: str | None) -> str:
    """Return what the vector of a group is called: `centroid`, with the feature's name where several are together."""
    features = features_apart(run)
    if feature is not None or not features:
        return CENTROID_VECTOR
    mine = next(one for one in features if cluster_id.startswith(f"{one}:"))
    return f"{CENTROID_VECTOR}_{mine.rpartition('/')[2]}"


def features_apart(run: ClusterRun) -> tuple[str, ...]:
    """Return the features that a run grouped each by itself; none where it made one grouping."""
    return tuple(run.effective.get("features", ()))


def _group_id(row: JsonObject) -> str:
    return f"centroid:{row['cluster_id']}"


def _columns_of(batch: Mapping[str, Any]) -> Iterator[tuple[str, str, str, float | None]]:
    columns = ("point_id", "collection_id", "cluster_id", "cosine_similarity_to_centroid")
    return zip(*(batch[name] for name in columns), strict=True)


def _paths(rows: Mapping[str, JsonObject]) -> dict[str, list[str]]:
    """Return each group with those above it, the first level first; nothing where all groups are on one level."""
    if not any(row.get("parent_cluster_id") for row in rows.values()):
        return {}
    return {cluster_id: [*reversed(_upwards(rows, cluster_id))] for cluster_id in rows}


def _upwards(rows: Mapping[str, JsonObject], cluster_id: str | None) -> list[str]:
    found: list[str] = []
    while cluster_id is not None and cluster_id in rows:
        found.append(cluster_id)
        cluster_id = rows[cluster_id].get("parent_cluster_id")
    return found
