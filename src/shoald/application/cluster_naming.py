"""Groups and the payloads of their documents go in; a name and distinctive terms for each group come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shoald.application.cluster_inputs import ClusterInput
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.clustering.spaces import Integers
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.keywords import GroupName, name_groups

SHOWN_TO_NAMING = 200
"""Documents of each group whose texts are looked at, the nearest to the centroid first."""

_TEXT_KEYS = ("content", "text", "title", "name", "headline", "description", "summary")
_READ_AT_ONCE = 1000
_NO_MODEL = "no language model is configured; groups are named after their distinctive terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of the groups in their order, and why they are not a language model's, if one was asked for."""

    names: tuple[GroupName, ...]
    errors: tuple[str, ...] = field(default=())


class ClusterNaming:
    """Names groups after the terms that set them apart."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work

    def name(
        self,
        given: ClusterInput,
        members: Sequence[Integers],
        labeling: JsonObject,
        step: Callable[[float], None],
    ) -> Names:
        """Return the name of each group from the texts of its documents, nearest to the centroid first."""
        names = name_groups(self._groups(given, members, labeling, step), expected=len(members))
        if labeling.get("include_keywords") is False:
            names = [replace(one, keywords=()) for one in names]
        if labeling.get("include_summary") is False:
            names = [replace(one, summary=None) for one in names]
        return Names(names=tuple(names), errors=(_NO_MODEL,) if labeling.get("enabled") else ())

    def _groups(
        self, given: ClusterInput, members: Sequence[Integers], labeling: JsonObject, step: Callable[[float], None]
    ) -> Iterator[list[str]]:
        """Yield the texts of one group after another, so that those of one are held at a time."""
        for at, rows in enumerate(members):
            yield list(self._texts(given, rows[:SHOWN_TO_NAMING], labeling))
            step((at + 1) / len(members))

    def _texts(self, given: ClusterInput, rows: Integers, labeling: JsonObject) -> Iterator[str]:
        for place, collection in enumerate(given.collections):
            mine = [given.ids[row].decode() for row in rows.tolist() if given.places[row] == place]
            for start in range(0, len(mine), _READ_AT_ONCE):
                wanted = mine[start : start + _READ_AT_ONCE]
                with self._open_unit_of_work() as uow:
                    payloads = uow.collections.payloads(collection.collection_id, wanted)
                yield from (text_of(payloads[one], labeling) for one in wanted if one in payloads)


def text_of(payload: JsonObject, labeling: JsonObject) -> str:
    """Return the text that stands for a document: what the labelling inputs say, else its known text keys, else all.

    >>> text_of({"id": 7, "title": "Reading files", "body": "open()"}, {})
    'Reading files'
    """
    mapped = [_mapped(payload, one) for one in (labeling.get("labeling_inputs") or {}).get("input_mappings") or ()]
    found = [text for text in mapped if text]
    if not found:
        found = [payload[key] for key in _TEXT_KEYS if isinstance(payload.get(key), str)]
    if not found:
        found = [value for value in payload.values() if isinstance(value, str)]
    return " ".join(found)


def _mapped(payload: JsonObject, mapping: JsonObject) -> str:
    """Return the text at a dotted path of the payload; other sources hold no text of the document's own."""
    if (mapping.get("source_type") or "payload") != "payload" or not mapping.get("path"):
        return ""
    value: Any = payload
    for word in mapping["path"].split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
