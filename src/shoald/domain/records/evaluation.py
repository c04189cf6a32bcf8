"""An evaluation: which questions are asked of which strategies, and how well each found what it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation; its questions are stored beside it.

    `params` has `strategies` (name, target, target_id, strategy), `k`, `confidence`, `resamples` and `seed`. `results`
    has, once it succeeded, `strategies`: for each, in their order, its list of metrics.
    """

    evaluation_id: str
    project_id: str
    status: str
    params: JsonObject
    question_count: int
    results: JsonObject
    artifact_uri: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime


Questions = Sequence[JsonObject]
"""Questions as they are stored: `query`, `question_id`, and `expected` with `item_id` or `text`, and `grade`."""
