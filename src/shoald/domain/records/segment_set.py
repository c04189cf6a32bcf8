"""A segment set: a document version (or several, joined) as a sequence of texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, dataclass_transform

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSet:
    """One segmentation; `document_version_id` is None for a set that joins several.

    `total_characters` is the length of all texts together, for estimates.
    """

    segment_set_version_id: str
    project_id: str
    document_version_id: str | None
    parent_segment_set_version_id: str | None
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


_C = TypeVar("_C")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def _made_often(cls: type[_C]) -> type[_C]:
    """Make a record that only the type checker keeps from being changed: freezing an object trebles its making."""
    return dataclass(slots=True, kw_only=True)(cls)


@_made_often
class SetItem:
    """One item of a segment set or of a chunk set; (set id, item id) is its key, since a clone keeps item ids.

    `position` counts from 0. `level` is a heading's depth, `path` the titles above, `parent_id` an item of the
    same set.
    """

    item_id: str
    position: int
    content: str
    metadata: JsonObject
    parent_id: str | None
    level: int
    path: tuple[str, ...]
    type: str
    original_format: str
