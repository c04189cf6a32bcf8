"""Namespaces, collections and their documents: vectors with a payload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorConfig:
    """One named vector of a namespace or collection: its dimension and the metric it is compared by."""

    name: str
    dimension: int
    metric: str
    feature_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What everything belongs to; the namespace `default` exists from the start."""

    namespace_id: str
    namespace_name: str
    description: str | None
    mode: str
    vector_configs: tuple[VectorConfig, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents of one namespace that are clustered together; `index_id` is set on those that an index made."""

    collection_id: str
    namespace_id: str
    collection_name: str
    description: str | None
    index_id: str | None
    vector_configs: tuple[VectorConfig, ...]
    metadata: JsonObject
    document_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDocument:
    """One document: its payload's keys stand at the root of its JSON, its vectors lie beside it."""

    document_id: str
    collection_id: str
    payload: JsonObject
    created_at: datetime
    updated_at: datetime
