"""The documented filter language: `parse_filter` reads it, `matches` applies it to one document."""

from __future__ import annotations

from shoald.domain.filters.conditions import Condition, roots_of
from shoald.domain.filters.evaluation import matches
from shoald.domain.filters.parsing import parse_filter

__all__ = ["Condition", "matches", "parse_filter", "roots_of"]
