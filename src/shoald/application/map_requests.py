"""What a caller asks of a map in a retrieval: the fields of the body, or of a stored run, become one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject

_PLACE = ("body", "map")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """Whose groups are regarded, `run_id` or `cluster_id`, and what is done with them.

    `group_ids`, `labels` and `paths` name groups, none for all; `max_per_group` is from 1, None for any number.
    """

    run_id: str | None = None
    cluster_id: str | None = None
    group_ids: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()
    max_per_group: int | None = None
    grouped: bool = False
    facets: bool = False

    @property
    def needs_all_hits(self) -> bool:
        """Whether a page cannot be made before all hits are known."""
        return self.grouped or self.facets or self.max_per_group is not None

    def as_json(self) -> JsonObject:
        """Return it with its defaults, as a stored run shows it."""
        return {
            "run_id": self.run_id,
            "cluster_id": self.cluster_id,
            "group_ids": list(self.group_ids),
            "labels": list(self.labels),
            "paths": [list(path) for path in self.paths],
            "max_per_group": self.max_per_group,
            "grouped": self.grouped,
            "facets": self.facets,
        }


def read_map(given: Any) -> MapRequest | None:
    """Return the request that these fields say, None for none; null is as if left out. Raises `InvalidFields`."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidFields.field(*_PLACE, kind="dict_type", message="Input should be an object", value=given)
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if ("run_id" in fields) == ("cluster_id" in fields):
        message = "Value error, a map is named by either run_id or cluster_id"
        raise InvalidFields.field(*_PLACE, message=message, value=dict(given))
    _check_kinds(fields)
    return MapRequest(
        run_id=fields.get("run_id"),
        cluster_id=fields.get("cluster_id"),
        group_ids=_texts(fields.get("group_ids", ()), "group_ids"),
        labels=_texts(fields.get("labels", ()), "labels"),
        paths=tuple(_texts(one, "paths", at) for at, one in enumerate(_list(fields.get("paths", ()), "paths"))),
        max_per_group=fields.get("max_per_group"),
        grouped=fields.get("grouped", False),
        facets=fields.get("facets", False),
    )


def _check_kinds(fields: JsonObject) -> None:
    kinds = {"run_id": str, "cluster_id": str, "grouped": bool, "facets": bool, "max_per_group": int}
    for name, kind in kinds.items():
        value = fields.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise wrong_field(name, message=f"must be of the kind {kind.__name__}", value=value)
    if fields.get("max_per_group", 1) < 1:
        raise wrong_field("max_per_group", message="must be 1 or more", value=fields["max_per_group"])


def wrong_field(*where: str | int, message: str, value: Any = None) -> InvalidFields:
    """Return the failure for one field of a map."""
    return InvalidFields.field(*_PLACE, *where, message=f"Value error, {message}", value=value)


def _texts(given: Any, *where: str | int) -> tuple[str, ...]:
    found = _list(given, *where)
    for at, one in enumerate(found):
        if not isinstance(one, str):
            raise wrong_field(*where, at, message="should be a text", value=one)
    return tuple(found)


def _list(given: Any, *where: str | int) -> Sequence[Any]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise wrong_field(*where, message="should be a list", value=given)
    return given
