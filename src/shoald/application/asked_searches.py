"""A search as it was asked, and what the cache knows its result by."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoald.application.group_membership import SearchedMap
    from shoald.application.search_targets import SearchTarget
    from shoald.application.waiting import Patience
    from shoald.domain.json_types import JsonObject
    from shoald.domain.retrieval.strategies import Strategy

# other versions of Shoal may have put something else into the same cache
_CACHED_FORM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; `scope` is whose it is (namespace, project), so that nobody is answered from another's cache.

    It goes on no longer than the caller's `patience`. `map` says which groups of a run may be found, and how often.
    """

    scope: tuple[str, str]
    target: SearchTarget
    strategy: Strategy
    query: str
    filter: JsonObject
    patience: Patience
    map: SearchedMap | None = None

    def without_most(self) -> Search:
        """Return the search that takes any number of hits from a group."""
        return self if self.map is None else replace(self, map=replace(self.map, most=None))

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
            None if self.map is None else self.map.key,
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
