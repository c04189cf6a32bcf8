"""Groups that are kept as a classification, and what documents are classified by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shoald.domain.json_types import JsonObject

FLAT = "flat"
HIERARCHICAL = "hierarchical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """Nodes, which are the documents of a collection with one named vector, and how documents are matched with them.

    `config` is in the shape of the document. `owns_nodes` says whether the node collection was made for it, and goes
    with it. `target_field` is the payload key of the best node's label; `min_score` the least cosine that counts.
    """

    taxonomy_id: str
    namespace_id: str
    taxonomy_name: str
    description: str | None
    version: int
    config: JsonObject
    metadata: JsonObject
    node_collection_id: str
    vector_name: str
    owns_nodes: bool
    target_field: str
    min_score: float
    created_at: datetime
    updated_at: datetime

    @property
    def is_hierarchical(self) -> bool:
        """Whether nodes lie under others by its configuration."""
        return self.config.get("taxonomy_type") == HIERARCHICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyNode:
    """One node: its document's id, its label, those above it (the topmost first), and its document's payload."""

    node_id: str
    label: str
    path: tuple[str, ...]
    ancestor_ids: tuple[str, ...] = ()
    payload: JsonObject = field(default_factory=dict[str, Any])

    @property
    def parent_id(self) -> str | None:
        """The node above it, None at the top."""
        return self.ancestor_ids[-1] if self.ancestor_ids else None

    @property
    def level(self) -> int:
        """How many nodes are above it."""
        return len(self.ancestor_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyListStats:
    """Figures of a whole list of taxonomies."""

    total: int = 0
    hierarchical: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyApplication:
    """That what is stored into a collection is classified by a taxonomy; `config` is in the shape of the document."""

    collection_id: str
    taxonomy_id: str
    namespace_id: str
    place: int
    config: JsonObject
