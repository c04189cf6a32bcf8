"""What a caller asks for and what the project's preset adds become one request; so do the params of a stored run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shoald.application.map_requests import MapRequest, read_map
from shoald.domain.cursors import cursor_of, offset_of
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.strategies import Strategy
from shoald.domain.retrieval.strategy_reading import read_strategy
from shoald.domain.vocabulary import RetrievalTarget

DEFAULT_LIMIT = 20
_MOST_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRequest:
    """What to search for, where and how; `limit` is moved into 1 to 200, 0 means 20."""

    query: str
    strategy: Strategy
    target: str = RetrievalTarget.CHUNK_SET
    target_id: str | None = None
    filter: JsonObject = field(default_factory=dict)
    persist: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    map: MapRequest | None = None

    @property
    def page_size(self) -> int:
        """The limit as it is applied."""
        return min(max(self.limit, 1), _MOST_LIMIT) if self.limit else DEFAULT_LIMIT

    def behind(self, offset: int) -> RetrievalRequest:
        """Return what asks for the next page of a stream: only the first is stored, and tells how many are where."""
        asked = None if self.map is None else replace(self.map, facets=False)
        return replace(self, offset=offset, persist=False, map=asked)

    def as_json(self) -> JsonObject:
        """Return the whole request with its defaults, as a stored run shows it."""
        shown: dict[str, Any] = {
            "query": self.query,
            "target": self.target,
            "target_id": self.target_id,
            "strategy": self.strategy.as_json(),
            "persist": self.persist,
            "limit": self.page_size,
            "cursor": cursor_of(self.offset) if self.offset else None,
        }
        if self.filter:
            shown["filter"] = dict(self.filter)
        if self.map is not None:
            shown["map"] = self.map.as_json()
        return shown


def read_request(given: JsonObject, preset: JsonObject | None = None) -> RetrievalRequest:
    """Return the request that these fields say, and a preset where they say nothing; null is as if left out.

    A preset may have `strategy`, `target`, `limit` and `filter`; of its strategy, fields fill those that a strategy of
    the same type leaves out. Raises `InvalidFields`, which names fields of a preset as those of the body, and
    `InvalidEnsembleSources`.
    """
    fields = _filled(given, preset or {})
    chosen: dict[str, Any] = {
        name: fields[name] for name in ("target", "target_id", "persist", "limit") if fields.get(name) is not None
    }
    _check_kinds(chosen)
    return RetrievalRequest(
        query=given["query"],
        strategy=read_strategy(fields.get("strategy"), "body", "strategy", within=given),
        filter=_filter(fields.get("filter")),
        map=read_map(given.get("map")),
        offset=offset_of(given.get("cursor") or ""),
        **chosen,
    )


def _filled(given: JsonObject, preset: JsonObject) -> dict[str, Any]:
    fields = {name: preset[name] for name in ("strategy", "target", "limit", "filter") if name in preset}
    fields |= {name: value for name, value in given.items() if value is not None}
    if given.get("strategy") is not None and isinstance(preset.get("strategy"), Mapping):
        fields["strategy"] = _filled_strategy(given["strategy"], preset["strategy"])
    return fields


def _filled_strategy(given: Any, preset: JsonObject) -> Any:
    if not isinstance(given, Mapping) or given.get("type", preset.get("type")) != preset.get("type"):
        return given
    return {**preset, **{name: value for name, value in given.items() if value is not None}}


def _check_kinds(fields: JsonObject) -> None:
    """Hold what a preset says to the kinds that the contract gives to a call's own fields."""
    kinds = {"target": str, "target_id": str, "persist": bool, "limit": int}
    for name, value in fields.items():
        if not isinstance(value, kinds[name]):
            message = f"Value error, must be of the kind {kinds[name].__name__}"
            raise InvalidFields.field("body", name, message=message, value=value)


def _filter(given: Any) -> JsonObject:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidFields.field("body", "filter", kind="dict_type", message="Input should be an object", value=given)
    return dict(given or {})
