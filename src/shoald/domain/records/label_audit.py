"""What a language model was shown of a group, and what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAudit:
    """How one group of a run got its name.

    `questions` are in their order, each as it was shown, with every attempt to have it answered and what came of it.
    `label` is the name that came of them, None where the group kept the one of its distinctive terms, for the reason
    in `error`.
    """

    namespace_id: str
    run_id: str
    cluster_id: str
    provider: str
    model: str
    label: str | None
    error: str | None
    questions: tuple[JsonObject, ...]
    labelled_at: datetime

    @property
    def tokens(self) -> Mapping[str, int]:
        """Tokens in and out, over all attempts, as the provider counted them."""
        attempts: list[Mapping[str, Any]] = [one for question in self.questions for one in question["attempts"]]
        return {name: sum(one.get(name) or 0 for one in attempts) for name in ("input_tokens", "output_tokens")}
