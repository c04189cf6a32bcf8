"""Filters of retrievals: what a filter says goes in, the positions of the items that fulfil it come out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shoald.application.hidden_passages import naming
from shoald.application.kept_arrays import KeptArrays
from shoald.application.keyword_indexing import repository_of, set_id
from shoald.application.search_targets import SearchTarget
from shoald.domain.filters import Condition, parse_filter, roots_of
from shoald.domain.filters.conditions import AllOf, Not
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.hits import Positions

if TYPE_CHECKING:
    from shoald.application.ports.repositories.enrichments import EnrichedFields
    from shoald.application.ports.unit_of_work import OpenUnitOfWork


class AllowedPositions:
    """Asks PostgreSQL once for each filter of a set, which never changes; keeps the last answers.

    What runs wrote into the documents of an index does change, so answers about it are kept by its version.
    """

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._kept = KeptArrays()

    def of(self, target: SearchTarget, given: JsonObject) -> Positions | None:
        """Return the ascending positions of the items searched that a filter allows, None when all are allowed.

        Passages of deleted documents are never allowed.
        Raises `InvalidFields` for a filter that is none.
        """
        condition = _without(target.hidden_versions, parse_filter(given, "body", "filter"))
        if condition is None:
            return None
        enriched = target.enriched
        if enriched is not None and not enriched.fields & roots_of(condition):
            enriched = None
        key = json.dumps([*target.searched, dict(given)], sort_keys=True)
        return self._kept.get(key, lambda: self._found(target, condition, enriched))

    def _found(self, target: SearchTarget, condition: Condition, enriched: EnrichedFields | None) -> Positions:
        with self._open_unit_of_work(reading=True) as uow:
            items = repository_of(uow, target.items)
            return items.positions_where(set_id(target.items), condition, laid_over=target.ids, enriched=enriched)


def _without(version_ids: Sequence[str], condition: Condition | None) -> Condition | None:
    if not version_ids:
        return condition
    shown = Not(naming(version_ids))
    return shown if condition is None else AllOf((condition, shown))
