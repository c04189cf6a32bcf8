"""A project: what documents, sets and indexes belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project of a namespace; `settings` has the keys default_retrieval_preset, default_chunking_preset, extra."""

    project_id: str
    namespace_id: str
    name: str
    description: str | None
    settings: JsonObject
    created_at: datetime
    updated_at: datetime
