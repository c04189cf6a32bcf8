"""A stored retrieval: what was asked, and the page that was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRun:
    """One retrieval that its caller asked to keep.

    `params` is the request with its defaults, `results` holds items, total and next_cursor.
    """

    run_id: str
    project_id: str
    strategy: str
    query: str
    target_type: str
    target_id: str | None
    params: JsonObject
    results: JsonObject
    artifact_uri: str | None
    is_deleted: bool
    created_at: datetime
