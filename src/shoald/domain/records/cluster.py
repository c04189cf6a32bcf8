"""A cluster definition and its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shoald.domain.json_types import JsonObject

REPLAY_OF = "replay_of"
"""The run that a run repeats, among what its call changed."""
NOISE_MEMBER = "-1"
"""The group that a document in no group carries."""

NOISE_CENTROID = "cl_cluster_noise"
"""The group of all those documents, where groups are listed."""


def member_word(group: str) -> str:
    """Return the id that the members of a group carry.

    >>> member_word("cl_0"), member_word(NOISE_CENTROID)
    ('cl_0', '-1')
    """
    return NOISE_MEMBER if group == NOISE_CENTROID else group


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What to cluster and how. `definition` is the validated request with defaults, in the create shape of the
    document.
    """

    cluster_id: str
    namespace_id: str
    cluster_name: str
    description: str | None
    cluster_type: str
    collection_ids: tuple[str, ...]
    definition: JsonObject
    metadata: JsonObject
    last_run_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRun:
    """One execution of a cluster definition, and where its artifacts lie.

    `effective` records what was really done: parameters, versions, seeds, the snapshot's hash, the index builds
    read, warnings.
    `metrics` are the documented quality metrics; `artifacts` maps an artifact's name to {key, sha256, bytes, rows}.
    `centroids` describe the groups without their vectors, in the shape of the document; lists of runs leave them out.
    `overrides` are what the call that started it changed of the definition. `revisions` maps each collection to its
    revision when the run read it. `lineage` says what became of the groups of the run before; lists leave it out.
    `run_name` is what people call the run, `label_overrides` what they call its groups, by the groups' ids.
    """

    run_id: str
    cluster_id: str
    namespace_id: str
    job_id: str
    status: str
    mode: str
    num_clusters: int
    num_points: int
    metrics: JsonObject
    effective: JsonObject
    artifacts: JsonObject
    error_message: str | None
    created_at: datetime
    completed_at: datetime | None
    started_at: datetime | None = None
    error_code: str | None = None
    centroids: tuple[JsonObject, ...] = ()
    overrides: JsonObject = field(default_factory=dict)
    revisions: JsonObject = field(default_factory=dict)
    lineage: tuple[JsonObject, ...] = ()
    run_name: str | None = None
    label_overrides: JsonObject = field(default_factory=dict)

    @property
    def previous_run_id(self) -> str | None:
        """The run whose groups this one took up; of one that only assigned documents, the run that made the groups."""
        assigned = (self.effective.get("notes") or {}).get("assignment") or {}
        found = assigned.get("base_run_id") or (self.effective.get("identity") or {}).get("matched_to")
        return None if found is None else str(found)

    @property
    def groups(self) -> tuple[JsonObject, ...]:
        """`centroids` as they are shown: under the names that people gave them, of which no model is sure."""
        given = self.label_overrides
        if not given:
            return self.centroids
        return tuple(
            _named(row, given[row["cluster_id"]]) if row["cluster_id"] in given else row for row in self.centroids
        )

    @property
    def has_hierarchy(self) -> bool:
        """Whether groups were divided into others."""
        return bool(self.effective.get("levels", 0) > 1)

    @property
    def renamed_members(self) -> dict[str, str]:
        """The names that people gave, by the ids that members carry: noise goes by `-1` there."""
        return {member_word(word): str(name) for word, name in self.label_overrides.items()}


def _named(row: JsonObject, label: str) -> JsonObject:
    return {**{key: value for key, value in row.items() if key != "confidence"}, "label": label}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterListStats:
    """Figures of a whole list of clusters; `by_status` counts the states of the last runs, `NEVER_RUN` included."""

    total_clusters: int = 0
    total_documents: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What the runs that were accepted since some time took, by state; seconds and documents are those of completed
    runs.
    """

    by_status: Mapping[str, int] = field(default_factory=dict[str, int])
    avg_seconds: float | None = None
    documents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunListStats:
    """Figures of a whole list of runs; averages and documents are those of completed runs."""

    total_executions: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict[str, int])
    avg_execution_time_ms: float = 0.0
    total_documents_clustered: int = 0
    avg_num_clusters: float = 0.0
