"""A chunk set: the texts of one segment set cut to a size that is embedded and found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSet:
    """One chunking of one segment set; its items are `SetItem`s, of `total_characters` together."""

    chunk_set_version_id: str
    project_id: str
    segment_set_version_id: str
    parent_chunk_set_version_id: str | None
    params: JsonObject
    input_refs: JsonObject
    artifact_uri: str | None
    producer_type: str
    producer_version: str
    is_active: bool
    is_deleted: bool
    created_at: datetime
    total_items: int
    total_characters: int
