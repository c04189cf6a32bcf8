"""A run and the fields that are asked for go in; what is written into the document of each member comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoald.application.cluster_settings import WRITTEN, WRITTEN_UNLESS_ASKED
from shoald.application.document_vectors import OWN_KEYS
from shoald.application.group_labels import labels_of
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, Cluster, ClusterRun
from shoald.domain.records.enrichment import FieldMapping

MORE_SOURCES = ("label", "summary", "parent_cluster_id", "hierarchy_level", "probability")
"""What can be written beside what the document lists; `label` is the guide's word for `cluster_label`."""
SOURCES = (*WRITTEN, *MORE_SOURCES)
_METADATA = "metadata."
_LONGEST_TARGET = 200
_OF_GROUPS = {
    "member_count": "num_members",
    "keywords": "keywords",
    "summary": "summary",
    "parent_cluster_id": "parent_cluster_id",
    "hierarchy_level": "hierarchy_level",
}
_OF_MEMBERS = {"x": "x", "y": "y", "z": "z", "probability": "probability"}


def defined_mappings(cluster: Cluster) -> tuple[FieldMapping, ...]:
    """Return the mappings of a definition, by default those of the document: the group's id and label."""
    config = cluster.definition.get("source_enrichment_config") or {}
    given = config.get("field_mappings") or ()
    if not given:
        return tuple(FieldMapping(source=name, target=name) for name in WRITTEN_UNLESS_ASKED)
    return tuple(FieldMapping(source=one["source_field"], target=one["target_field"]) for one in given)


def named_mappings(fields: Sequence[str]) -> tuple[FieldMapping, ...]:
    """Return mappings of fields to keys of the same names; raises `InvalidFields` for one that there is not."""
    return checked_mappings([FieldMapping(source=name, target=name) for name in dict.fromkeys(fields)], "fields")


def checked_mappings(mappings: Sequence[FieldMapping], where: str) -> tuple[FieldMapping, ...]:
    """Return the mappings; raises `InvalidFields` that names each one that cannot be written."""
    problems, targets = [], set[str]()
    for at, one in enumerate(mappings):
        message = _problem(one, targets)
        targets.add(one.target)
        if message is not None:
            problems.append(FieldProblem(("body", where, at), "value_error", message, one.source))
    if problems:
        raise InvalidFields(problems)
    return tuple(mappings)


def _problem(mapping: FieldMapping, before: set[str]) -> str | None:
    if mapping.source not in SOURCES and not mapping.source.startswith(_METADATA):
        return f"is none of {', '.join(SOURCES)}, {_METADATA}*"
    if mapping.target in OWN_KEYS or not 0 < len(mapping.target) <= _LONGEST_TARGET:
        return f"the key must not be one of {', '.join(sorted(OWN_KEYS))}, and has 1 to {_LONGEST_TARGET} characters"
    if "." in mapping.target:
        return "the key must not hold dots, by which filters look within objects"
    return "the key is written twice" if mapping.target in before else None


def partition_of(run: ClusterRun) -> str:
    """Return what stands for the documents that a run's own call chose; empty where it chose none.

    >>> from types import SimpleNamespace
    >>> partition_of(SimpleNamespace(overrides={"filters": {"brand": "acme"}}))
    '329fe48e'
    """
    return partition_of_filters(run.overrides.get("filters"))


def partition_of_filters(filters: JsonObject | None) -> str:
    """Return what stands for the documents that meet some conditions; empty for all.

    >>> partition_of_filters({"brand": "acme"}), partition_of_filters(None)
    ('329fe48e', '')
    """
    if not filters:
        return ""
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"), default=dict)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(slots=True)
class MemberValues:
    """Makes what is written of one run."""

    cluster: Cluster
    run: ClusterRun
    mappings: Sequence[FieldMapping]
    partition: str = ""
    _labels: Mapping[str, str | None] = field(init=False)
    _groups: Mapping[str, JsonObject] = field(init=False)
    _metadata: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._labels = labels_of(self.run)
        rows = {row["cluster_id"]: row for row in self.run.groups}
        noise = rows.get(NOISE_CENTROID)
        self._groups = rows if noise is None else {**rows, NOISE_MEMBER: noise}
        paths = [one.source for one in self.mappings if one.source.startswith(_METADATA)]
        self._metadata = {path: _at(self.cluster.metadata, path.removeprefix(_METADATA)) for path in paths}

    def of(self, batch: Mapping[str, Any]) -> Iterator[tuple[str, str, JsonObject]]:
        """Yield the collection and id of each member, and its values by payload key.

        Members of a feature that was grouped by itself have the feature's name behind each key.
        """
        features = batch.get("feature")
        for at, (document_id, collection_id) in enumerate(zip(batch["point_id"], batch["collection_id"], strict=True)):
            behind = "" if features is None else f"_{features[at].rpartition('/')[2]}"
            values = {f"{one.target}{behind}": self._value(one.source, batch, at) for one in self.mappings}
            yield collection_id, document_id, values

    def _value(self, source: str, batch: Mapping[str, Any], at: int) -> Any:
        word = batch["cluster_id"][at]
        if source in _OF_MEMBERS:
            return batch[_OF_MEMBERS[source]][at] if _OF_MEMBERS[source] in batch else None
        if source in _OF_GROUPS:
            return self._groups.get(word, {}).get(_OF_GROUPS[source])
        if source in self._metadata:
            return self._metadata[source]
        if source == "distance_to_centroid":
            similarity = batch["cosine_similarity_to_centroid"][at]
            return None if similarity is None else 1.0 - similarity
        if source == "cluster_id":
            return f"{self.partition}:{word}" if self.partition else word
        return self._labels.get(word)


def _at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path of an object, None for nothing."""
    for word in path.split("."):
        value = value.get(word) if isinstance(value, Mapping) else None
    return value
