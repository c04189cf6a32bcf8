"""A taxonomy and what documents were assigned to go in; what is written into their payloads comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.document_vectors import OWN_KEYS
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomy_nodes import node_collection, read_nodes
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import PARENT, Assignment, NodeTree, described
from shoald.domain.records.enrichment import FieldMapping
from shoald.domain.records.taxonomy import Taxonomy, TaxonomyNode

_LABEL_ENDING = "_label"
_WHOLE = "*"
_HIDDEN = frozenset({PARENT, "metadata"})


class Classifier:
    """One taxonomy as it is at one moment: finds the nodes of vectors, and says what is written."""

    def __init__(self, taxonomy: Taxonomy, tree: NodeTree) -> None:
        self.taxonomy = taxonomy
        self.tree = tree
        self._top_k = int(taxonomy.config.get("top_k") or 1)
        self._stem = stem_of(taxonomy)
        self._fields = enriched_fields(taxonomy)

    @property
    def dimension(self) -> int:
        """The length of the vectors that can be matched."""
        return int(self.tree.vectors.shape[1])

    def assigned(self, vectors: npt.NDArray[np.float32]) -> list[list[Assignment]]:
        """Return the nodes of each row of (n, d), the best first; none for a row that is near enough to none."""
        return self.tree.assigned(vectors, top_k=self._top_k, min_score=self.taxonomy.min_score)

    def values(self, assignments: Sequence[Assignment]) -> JsonObject:
        """Return what is written into a document. Nulls say that it was looked at, and is in no node."""
        best = assignments[0] if assignments else None
        said: dict[str, Any] = {
            f"{self._stem}_node_id": None if best is None else best.node.node_id,
            f"{self._stem}_score": None if best is None else best.score,
        }
        if self.tree.depth > 1:
            said |= self._places(() if best is None else best.node.path)
        if self._top_k > 1:
            said[f"{self._stem}_assignments"] = described(assignments)
        return {**said, **self._copied(None if best is None else best.node)}

    def _places(self, path: Sequence[str]) -> JsonObject:
        """Return the way to a node, whole and level by level: null below it."""
        padded = [*path, *([None] * self.tree.depth)]
        tiers = {f"{self._stem}_tier{at + 1}": padded[at] for at in range(self.tree.depth)}
        return {f"{self._stem}_path": list(path), **tiers}

    def _copied(self, node: TaxonomyNode | None) -> JsonObject:
        payload: JsonObject = {} if node is None else node.payload
        if self._fields is None:
            return {key: value for key, value in payload.items() if key not in OWN_KEYS | _HIDDEN}
        return {target: _at(payload, path) for path, target in self._fields}


def classifier_of(uow: UnitOfWork, taxonomy: Taxonomy) -> Classifier:
    """Read what a taxonomy classifies by; raises `Conflict` when its node collection is gone."""
    return Classifier(taxonomy, read_nodes(uow, taxonomy, node_collection(uow, taxonomy)))


def stem_of(taxonomy: Taxonomy) -> str:
    """Return what stands before the keys that are written beside the label."""
    return taxonomy.target_field.removesuffix(_LABEL_ENDING) or taxonomy.target_field


def enriched_fields(taxonomy: Taxonomy) -> list[tuple[str, str]] | None:
    """Return which fields of a node's document are copied to which keys; None for the whole payload."""
    source: Mapping[str, Any] = taxonomy.config.get("source_collection") or {}
    fields = taxonomy.config.get("enrichment_fields") or source.get("enrichment_fields")
    if not fields:
        return None
    return [(one["field_path"], one.get("target_field") or one["field_path"]) for one in fields]


def written_mappings(taxonomy: Taxonomy) -> tuple[FieldMapping, ...]:
    """Return what is written as an enrichment names it; `*` stands for the whole payload of a node."""
    stem = stem_of(taxonomy)
    beside = [FieldMapping(source=word, target=f"{stem}_{word}") for word in ("node_id", "score", "path")]
    fields = enriched_fields(taxonomy) or [(_WHOLE, _WHOLE)]
    return (*(FieldMapping(source=path, target=target) for path, target in fields), *beside)


def _at(value: Any, path: str) -> Any:
    for word in path.split("."):
        value = value.get(word) if isinstance(value, Mapping) else None
    return value
