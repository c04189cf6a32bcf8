"""The results of several features, each grouped by itself, go in; one result for all of them comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_naming import Names
from shoald.application.cluster_results import ClusterResult
from shoald.application.ports.run_tables import Column, Columns
from shoald.domain.clustering.lineage import LineageEvent
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER

_AVERAGED = (
    "silhouette_score",
    "davies_bouldin_index",
    "calinski_harabasz_score",
    "mean_cosine_to_centroid",
    "noise_ratio",
    "avg_cluster_size",
    "cluster_size_entropy",
    "mean_stability",
)
_WORDS = ("cluster_id", "parent_cluster_id")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeveralResults:
    """The results of several features as one: every document is a member once for each feature that it has.

    The id of a group is the feature's name, a colon and the id that the feature alone would give it. `more` is said of
    all of them beside what is said of each.
    """

    parts: dict[str, ClusterResult]
    more: JsonObject = field(default_factory=dict[str, Any])
    stability: None = None
    coordinates: Any = field(default=True)

    @property
    def given(self) -> ClusterInput:
        """The input of the first feature, with the figures of all of them."""
        inputs = [part.given for part in self.parts.values()]
        snapshots = [one.record["collections"] for one in inputs]
        collections = [
            {**same[0], "snapshots": {name: sha for one in same for name, sha in one["snapshots"].items()}}
            for same in zip(*snapshots, strict=True)
        ]
        record = {**inputs[0].record, "collections": collections, "features": list(self.parts)}
        reductions = {name: note for one in inputs for name, note in one.record.get("reductions", {}).items()}
        return replace(
            inputs[0],
            record={**record, "reductions": reductions} if reductions else record,
            features=tuple(feature for one in inputs for feature in one.features),
            components={name: found for one in inputs for name, found in one.components.items()},
            warnings=tuple(dict.fromkeys(warning for one in inputs for warning in one.warnings)),
        )

    @property
    def documents(self) -> int:
        """The number of documents that have any of the features."""
        return len(
            {
                pair
                for part in self.parts.values()
                for pair in zip(part.given.places.tolist(), part.given.ids.tolist(), strict=True)
            }
        )

    @property
    def grouped(self) -> int:
        """The number of documents in a group of the first feature."""
        return next(iter(self.parts.values())).grouped

    @property
    def ungrouped(self) -> int:
        """The number of documents in no group of the first feature."""
        return next(iter(self.parts.values())).ungrouped

    @property
    def groups(self) -> int:
        """The number of groups on the first level."""
        return sum(part.tree.first_level for part in self.parts.values())

    @property
    def depth(self) -> int:
        """The number of levels."""
        return max(part.tree.depth for part in self.parts.values())

    @property
    def names(self) -> Names:
        """Why names are not a language model's, and what they cost by feature."""
        errors = dict.fromkeys(error for part in self.parts.values() for error in part.names.errors)
        warnings = dict.fromkeys(warning for part in self.parts.values() for warning in part.names.warnings)
        reports = {one: part.names.report for one, part in self.parts.items() if part.names.report}
        return Names(names=(), errors=tuple(errors), warnings=tuple(warnings), report=reports)

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the features on average; those of each are in `effective`."""
        figures = [part.metrics for part in self.parts.values()]
        found: dict[str, Any] = {name: _mean([one.get(name) for one in figures]) for name in _AVERAGED}
        least = [one["min_cosine_to_centroid"] for one in figures if one["min_cosine_to_centroid"] is not None]
        bad = next((one for one in figures if one["degenerate"]), None)
        return {
            **found,
            "num_clusters": self.groups,
            "min_cosine_to_centroid": min(least) if least else None,
            "degenerate": False if bad is None else bad["degenerate"],
            "degenerate_detail": None if bad is None else bad["degenerate_detail"],
            "should_recluster": max(one["should_recluster"] for one in figures),
            "unstable_clusters": sum(one.get("unstable_clusters") or 0 for one in figures),
        }

    @property
    def effective(self) -> JsonObject:
        """What was done with each feature; the rest is what was done with the first."""
        first = next(iter(self.parts.values())).effective
        features = {
            name: {
                "algorithm_params": part.effective["algorithm_params"],
                "preprocessing_steps": part.effective["preprocessing_steps"],
                "notes": part.effective["notes"],
                "metrics": part.metrics,
            }
            for name, part in self.parts.items()
        }
        numbers = {
            f"{feature}:{parent}" if parent else f"{feature}:": number
            for feature, part in self.parts.items()
            for parent, number in part.effective["identity"]["next_numbers"].items()
        }
        identity = {"matched_to": first["identity"]["matched_to"], "next_numbers": numbers}
        return {**first, "features": features, "identity": identity, "notes": {}, **self.more}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is said of each feature."""
        return tuple(f"{name}: {one}" for name, part in self.parts.items() for one in part.warnings)

    @property
    def lineage(self) -> tuple[LineageEvent, ...]:
        """What became of which groups."""
        return tuple(
            replace(
                event,
                before=tuple(f"{name}:{one}" for one in event.before),
                after=tuple(f"{name}:{one}" for one in event.after),
            )
            for name, part in self.parts.items()
            for event in part.lineage
        )

    def centroid_rows(self) -> list[dict[str, Any]]:
        """Describe the groups of each feature, level by level; the noise of all features last."""
        rows: list[dict[str, Any]] = []
        noise: list[dict[str, Any]] = []
        for name, part in self.parts.items():
            for row in part.centroid_rows():
                (noise if row["cluster_id"] == NOISE_CENTROID else rows).append(_under(name, row))
        rows.sort(key=lambda row: int(row["hierarchy_level"]))
        if noise:
            members = sum(row["num_members"] for row in noise)
            rows.append({**noise[0], "cluster_id": NOISE_CENTROID, "num_members": members})
        return rows

    def member_columns(self) -> Columns:
        """Return the members of all features, one after another, with the feature of each."""
        found = []
        for name, part in self.parts.items():
            columns = dict(part.member_columns())
            words = [one if one == NOISE_MEMBER else f"{name}:{one}" for one in columns["cluster_id"]]
            found.append({**columns, "cluster_id": words, "feature": [name] * len(words)})
        return {key: _joined([columns[key] for columns in found]) for key in found[0]}

    def centroid_columns(self, rows: Sequence[dict[str, Any]], about: dict[str, str]) -> Columns:  # noqa: ARG002 - each feature describes its own
        """Return the groups of all features as columns."""
        found = []
        for name, part in self.parts.items():
            own = part.centroid_rows()
            columns = part.centroid_columns(own, {**about, "feature_name": name})
            found.append(
                {
                    **columns,
                    "cluster_id": [_under(name, row)["cluster_id"] for row in own],
                    "parent_cluster_id": [_under(name, row)["parent_cluster_id"] for row in own],
                }
            )
        return {key: _joined([columns[key] for columns in found]) for key in found[0]}

    def document_columns(self, members: Columns, rows: Sequence[dict[str, Any]]) -> Columns:  # noqa: ARG002 - likewise
        """Return members and groups of all features in one table."""
        found = []
        for name, part in self.parts.items():
            columns = dict(part.document_columns(part.member_columns(), part.centroid_rows()))
            words = [one if one in {NOISE_MEMBER, NOISE_CENTROID} else f"{name}:{one}" for one in columns["cluster_id"]]
            ids = [
                word if is_centroid else one
                for one, word, is_centroid in zip(columns["document_id"], words, columns["is_centroid"], strict=True)
            ]
            found.append({**columns, "cluster_id": words, "document_id": ids, "feature": [name] * len(words)})
        return {key: _joined([columns[key] for columns in found]) for key in found[0]}


def _under(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """Put the ids of a group under the name of its feature."""
    words = {word: None if row[word] is None else f"{name}:{row[word]}" for word in _WORDS}
    if row["cluster_id"] == NOISE_CENTROID:
        words = {"cluster_id": NOISE_CENTROID, "parent_cluster_id": None}
    return {**row, **words, "child_cluster_ids": [f"{name}:{one}" for one in row["child_cluster_ids"]]}


def _mean(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _joined(columns: Sequence[Column]) -> Column:
    if all(isinstance(column, np.ndarray) for column in columns):
        return np.concatenate([np.asarray(column) for column in columns])
    return [value for column in columns for value in column]
