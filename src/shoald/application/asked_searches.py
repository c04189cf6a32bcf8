"""A search as it was asked, and what the cache knows its result by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoald.application.search_targets import SearchTarget
    from shoald.application.waiting import Patience
    from shoald.domain.json_types import JsonObject
    from shoald.domain.retrieval.strategies import Strategy

# other versions of Shoal may have put something else into the same cache
_CACHED_FORM = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; `scope` is whose it is (namespace, project), so that nobody is answered from another's cache.

    It goes on no longer than the caller's `patience`.
    """

    scope: tuple[str, str]
    target: SearchTarget
    strategy: Strategy
    query: str
    filter: JsonObject
    patience: Patience

    @property
    def key(self) -> str:
        """What the cache knows its result by."""
        asked = [
            _CACHED_FORM,
            *self.scope,
            *self.target.searched,
            self.strategy.as_json(),
            self.query,
            dict(self.filter),
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
