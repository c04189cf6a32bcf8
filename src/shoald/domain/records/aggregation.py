"""What is asked of many documents at once: figures over groups of them, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoald.domain.filters import Condition
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import CollectionDocument

MOST_GROUPS = 10_000
"""Groups and values that one answer has at most."""

MOST_COLLECTED = 1000
"""Values that `push` and `add_to_set` collect at most."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupKey:
    """What groups have in common: the value at a path, or what a time there is cut to, or its part."""

    path: Path
    alias: str
    date_trunc: str | None = None
    date_part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Groups by ranges of a number; `boundaries` ascend, a value on one belongs below it."""

    path: Path
    alias: str
    boundaries: tuple[float, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of each group; `path` is None for a count of documents."""

    function: str
    alias: str
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Having:
    """Which groups are returned: the figure of that alias compared with a value."""

    alias: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """Figures over groups. With `unwind` each element of that list counts as a document of its own."""

    keys: tuple[GroupKey | Ranges, ...]
    figures: tuple[Figure, ...]
    having: tuple[Having, ...] = ()
    unwind: Path | None = None
    sort_by: str | None = None
    descending: bool = True
    limit: int = MOST_GROUPS
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One group: what its documents have in common, and its figures, by alias."""

    key: JsonObject
    figures: JsonObject


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Groups in order, and how many there are before the limit."""

    groups: Sequence[Group]
    total: int


@dataclass(frozen=True, slots=True)
class DistinctValue:
    """One value of a field, and the number of documents that have it."""

    value: Any
    count: int


@dataclass(frozen=True, slots=True)
class DocumentGroup:
    """Documents that have one value of a field: the first of them, and how many there are."""

    key: Any
    documents: Sequence[CollectionDocument]
    count: int
