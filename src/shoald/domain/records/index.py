"""An index and its builds: the searchable form of a chunk set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A named index; `provider` may be any word until something is built or searched."""

    index_id: str
    project_id: str
    name: str
    provider: str
    index_type: str
    config: JsonObject
    params: JsonObject
    status: str
    is_deleted: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexBuild:
    """One build of an index over one chunk set, with storage of its own; `artifact_uri` names its manifest.

    `manifest` is what the provider needs to search it (and the embedder that made it), `{}` before success.
    """

    build_id: str
    index_id: str
    project_id: str
    chunk_set_version_id: str
    params: JsonObject
    input_refs: JsonObject
    artifact_uri: str | None
    manifest: JsonObject
    status: str
    producer_type: str
    producer_version: str
    is_active: bool
    is_deleted: bool
    created_at: datetime
    updated_at: datetime
