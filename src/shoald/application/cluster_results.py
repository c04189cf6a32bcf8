"""What the stages found goes in; the documented descriptions of groups and the columns of the artifacts come out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_naming import Names
from shoald.application.model_labels import NamedGroup
from shoald.application.ports.run_tables import Columns
from shoald.application.run_artifacts import fields_as_text
from shoald.domain.clustering.centroids import Centroids
from shoald.domain.clustering.group_tree import ROOT, GroupTree
from shoald.domain.clustering.lineage import LineageEvent
from shoald.domain.clustering.spaces import Doubles, Floats, Integers
from shoald.domain.clustering.stability import COMES_BACK
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER

_AXES = ("x", "y", "z")
_SHOWN_MEMBERS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterResult:
    """All that a run found.

    `tree` holds the groups of all levels by their final ids, over every row of the input. `centres` and `variances`
    are None where documents were grouped without vectors, `coordinates` where no map was asked for, `stability` (k,)
    where it was not measured; NaN in it means that it cannot be. `effective` says what was really done.
    """

    given: ClusterInput
    tree: GroupTree
    probabilities: Floats
    centres: Centroids | None
    variances: Doubles | None
    metrics: dict[str, Any]
    coordinates: Floats | None
    names: Names
    nearest: Sequence[Integers]
    effective: JsonObject
    warnings: tuple[str, ...] = ()
    stability: Floats | None = None
    lineage: tuple[LineageEvent, ...] = ()

    @property
    def documents(self) -> int:
        """The number of documents."""
        return len(self.given.ids)

    @property
    def groups(self) -> int:
        """The number of groups on the first level."""
        return self.tree.first_level

    @property
    def depth(self) -> int:
        """The number of levels."""
        return self.tree.depth

    @property
    def grouped(self) -> int:
        """The number of documents in a group."""
        return int(np.count_nonzero(self.tree.labels != ROOT))

    @property
    def ungrouped(self) -> int:
        """The number of documents in no group."""
        return len(self.noise)

    @property
    def noise(self) -> npt.NDArray[np.int64]:
        """The rows in no group."""
        return np.flatnonzero(self.tree.labels == ROOT)

    def centroid_rows(self) -> list[dict[str, Any]]:
        """Describe each group as the document does, level by level; noise last, when there is any."""
        rows = [self._group(group, members) for group, members in enumerate(self.tree.members())]
        if len(self.noise):
            rows.append(self._noise_row())
        return rows

    def _group(self, group: int, members: Integers) -> dict[str, Any]:
        name, tree, parent = self.names.names[group], self.tree, int(self.tree.parents[group])
        return {
            "cluster_id": tree.ids[group],
            "num_members": len(members),
            "label": name.label,
            "summary": name.summary,
            "keywords": list(name.keywords),
            "mean_cosine_similarity": None if self.centres is None else _figure(self.centres.mean_similarity[group]),
            "min_cosine_similarity": None if self.centres is None else _figure(self.centres.min_similarity[group]),
            "representative_ids": [self._representative(row) for row in self.nearest[group][:_SHOWN_MEMBERS].tolist()],
            "parent_cluster_id": None if parent == ROOT else tree.ids[parent],
            "child_cluster_ids": [tree.ids[child] for child in tree.children(group)],
            "hierarchy_level": int(tree.levels[group]),
            "variance": None if self.variances is None else _figure(self.variances[group]),
            **self._stability(group),
            **_of_model(name),
            **self._middle(members),
        }

    def _stability(self, group: int) -> dict[str, Any]:
        score = None if self.stability is None else _figure(self.stability[group])
        return {"stability": score, "is_stable": None if score is None else score >= COMES_BACK}

    def _noise_row(self) -> dict[str, Any]:
        return {
            "cluster_id": NOISE_CENTROID,
            "num_members": len(self.noise),
            "label": "noise",
            "summary": None,
            "keywords": [],
            "mean_cosine_similarity": None,
            "min_cosine_similarity": None,
            "representative_ids": [],
            "parent_cluster_id": None,
            "child_cluster_ids": [],
            "hierarchy_level": 0,
            "variance": None,
            "stability": None,
            "is_stable": None,
            **self._middle(self.noise),
        }

    def _representative(self, row: int) -> dict[str, str]:
        collection = self.given.collections[int(self.given.places[row])]
        return {"document_id": self.given.ids[row].decode(), "collection_id": collection.collection_id}

    def _middle(self, members: npt.NDArray[np.int64]) -> dict[str, float | None]:
        """Return the place of a group on the map: the middle of its members."""
        if self.coordinates is None:
            return dict.fromkeys(_AXES)
        middle = self.coordinates[members].mean(axis=0, dtype=np.float64)
        places = [_figure(value) for value in middle]
        return dict(zip(_AXES, [*places, None][: len(_AXES)], strict=True))

    def member_columns(self) -> Columns:
        """Return the members as columns, sorted by group (noise last) and id, so that one group can be read alone."""
        labels, order = self.tree.labels, self.member_order()
        words = [*self.tree.ids, NOISE_MEMBER]
        collection_ids = np.array([one.collection_id for one in self.given.collections], dtype=object)
        return {
            "point_id": self.given.ids[order],
            "collection_id": collection_ids[self.given.places[order]].tolist(),
            "cluster_id": np.array(words, dtype=object)[labels[order]].tolist(),
            **self._axes(order),
            "cosine_similarity_to_centroid": self._similarities(raw=False)[order],
            "raw_cosine_to_centroid": self._similarities(raw=True)[order],
            "probability": self.probabilities[order].astype(np.float32),
        }

    def member_order(self) -> npt.NDArray[np.int64]:
        """Return the rows in the order in which they are written: by group, noise last, and id."""
        labels = self.tree.labels
        return np.lexsort((self.given.ids, np.where(labels < 0, np.iinfo(np.int32).max, labels)))

    def _similarities(self, *, raw: bool) -> Floats:
        """Return the cosine of each row to its own centroid, NaN where there is none."""
        if self.centres is None:
            return np.full(len(self.tree.labels), np.nan, dtype=np.float32)
        values = self.centres.cosines if raw else self.centres.similarities
        return np.where(self.tree.labels < 0, np.float32(np.nan), values).astype(np.float32)

    def _axes(self, order: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float32]]:
        nothing = np.full(len(order), np.nan, dtype=np.float32)
        placed = self.coordinates
        width = 0 if placed is None else placed.shape[1]
        return {
            axis: nothing if placed is None or at >= width else np.ascontiguousarray(placed[order, at])
            for at, axis in enumerate(_AXES)
        }

    def centroid_columns(self, rows: Sequence[dict[str, Any]], about: dict[str, str]) -> Columns:
        """Return the groups as columns, with their vectors and what the run was."""
        return {
            **{name: [row[name] for row in rows] for name in ("cluster_id", "num_members", "label", "summary")},
            "keywords": [row["keywords"] for row in rows],
            **{name: _numbers(rows, name) for name in ("mean_cosine_similarity", "min_cosine_similarity", "variance")},
            **{axis: _numbers(rows, axis) for axis in _AXES},
            "parent_cluster_id": [row["parent_cluster_id"] for row in rows],
            "hierarchy_level": [row["hierarchy_level"] for row in rows],
            "stability": _numbers(rows, "stability"),
            **_said_by_model(rows),
            "feature_dimensions": [self.given.vectors.shape[1]] * len(rows),
            **{name: [value] * len(rows) for name, value in about.items()},
            "centroid_vector": self._vectors(len(rows)),
        }

    def _vectors(self, rows: int) -> list[Any]:
        """Return the centroid of each described group; noise has none."""
        if self.centres is None:
            return [None] * rows
        return [*self.centres.vectors, None][:rows]

    def document_columns(self, members: Columns, rows: Sequence[dict[str, Any]]) -> Columns:
        """Return members and groups in one table, as it is exported: a row for each, told apart by `is_centroid`."""
        labels = {NOISE_MEMBER: "noise", **{row["cluster_id"]: row["label"] for row in rows}}
        n, k = len(members["point_id"]), len(rows)
        vectors = self._vectors(k)
        nothing = [None] * n
        return {
            "document_id": [*(one.decode() for one in members["point_id"]), *(row["cluster_id"] for row in rows)],
            "collection_id": [*members["collection_id"], *([None] * k)],
            "is_centroid": [*([False] * n), *([True] * k)],
            "cluster_id": [*members["cluster_id"], *(row["cluster_id"] for row in rows)],
            "cluster_label": [*(labels[one] for one in members["cluster_id"]), *(row["label"] for row in rows)],
            **{axis: np.concatenate([members[axis], _numbers(rows, axis)]).astype(np.float32) for axis in _AXES},
            "cosine_similarity_to_centroid": np.concatenate(
                [np.asarray(members["cosine_similarity_to_centroid"]), np.full(k, np.nan, dtype=np.float32)]
            ),
            "member_count": np.concatenate([np.full(n, np.nan), [float(row["num_members"]) for row in rows]]),
            "mean_cosine_similarity": np.concatenate([np.full(n, np.nan), _numbers(rows, "mean_cosine_similarity")]),
            "min_cosine_similarity": np.concatenate([np.full(n, np.nan), _numbers(rows, "min_cosine_similarity")]),
            "keywords": [*nothing, *(row["keywords"] for row in rows)],
            "confidence": np.concatenate([np.full(n, np.nan), _numbers(rows, "confidence")]),
            "metadata": [*nothing, *_said_by_model(rows)["metadata"]],
            "centroid_vector": [*nothing, *vectors],
        }


def _of_model(name: NamedGroup) -> dict[str, Any]:
    """Return what a language model said beside the name, where one did."""
    confidence = {} if name.confidence is None else {"confidence": name.confidence}
    return {**confidence, "metadata": dict(name.fields)} if name.fields else confidence


def _said_by_model(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a language model said beside the names as columns; the same ones where none was asked."""
    further = [fields_as_text(row.get("metadata")) for row in rows]
    return {"confidence": _numbers(rows, "confidence"), "metadata": further}


def _figure(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _numbers(rows: Sequence[dict[str, Any]], name: str) -> npt.NDArray[np.float64]:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)
