"""Payloads and the paths of attributes go in; groups of documents with equal values, flat or nested, come out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoald.domain.clustering.group_tree import ROOT, GroupTree

MOST_FREQUENT, FIRST, LAST = "most_frequent", "first", "last"
AGGREGATIONS = (MOST_FREQUENT, FIRST, LAST)
LONGEST_ID = 150

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeParameters:
    """Which payload paths make the groups, whether they nest, and how a list of values becomes one."""

    attributes: tuple[str, ...]
    hierarchical: bool = False
    aggregation: str = MOST_FREQUENT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttributeGroups:
    """The tree of groups, and what each of them is called: its value, or its values of all attributes."""

    tree: GroupTree
    labels: tuple[str, ...]


def value_at(payload: Mapping[str, Any], path: str, aggregation: str = MOST_FREQUENT) -> str | None:
    """Return the value at a dotted path as text, None where there is none. Of a list, the one that is asked for.

    >>> value_at({"a": {"b": [2, 1, 1]}}, "a.b"), value_at({"a.b": True}, "a.b"), value_at({"a": 1}, "a.b")
    ('1', 'true', None)
    """
    value = payload[path] if path in payload else _walked(payload, path.split("."))
    if isinstance(value, list):
        value = _one_of([one for one in value if one is not None], aggregation)
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _walked(value: Any, words: Sequence[str]) -> Any:
    for word in words:
        if isinstance(value, Mapping):
            value = value.get(word)
        elif isinstance(value, list) and word.isdecimal():
            value = value[int(word)] if int(word) < len(value) else None
        else:
            return None
    return value


def _one_of(values: Sequence[Any], aggregation: str) -> Any:
    """Choose among several values; among equally frequent ones the first."""
    if not values:
        return None
    if aggregation == FIRST:
        return values[0]
    if aggregation == LAST:
        return values[-1]
    counted = Counter(json.dumps(value, sort_keys=True) for value in values)
    return json.loads(counted.most_common(1)[0][0])


def attribute_groups(payloads: Iterable[Mapping[str, Any]], parameters: AttributeParameters) -> AttributeGroups:
    """Group documents by their values; one without a value of the first attribute (flat: of any) is in no group.

    Nested, a document without a later value stays in the group of the earlier ones. Groups stand in the order of
    size, then of their values; their ids are made from the values, so that they are the same in every run. O(n).
    """
    found = [_values(payload, parameters) for payload in payloads]
    depth = len(parameters.attributes) if parameters.hierarchical else 1
    prefixes = [tuple(values[: level + 1]) for values in found for level in range(min(depth, len(values)))]
    counts = Counter(prefixes)
    ordered = sorted(counts, key=lambda one: (len(one), -counts[one], one))
    number = {prefix: at for at, prefix in enumerate(ordered)}
    parents = np.array([number.get(prefix[:-1], ROOT) for prefix in ordered], dtype=np.int64)
    labels = np.array([number.get(values, ROOT) for values in found], dtype=np.int32)
    tree = GroupTree(ids=tuple(_unique_ids(ordered)), parents=parents, labels=labels)
    return AttributeGroups(tree=tree, labels=tuple(prefix[-1] for prefix in ordered))


def _values(payload: Mapping[str, Any], parameters: AttributeParameters) -> Values:
    read = [value_at(payload, path, parameters.aggregation) for path in parameters.attributes]
    if parameters.hierarchical:
        end = read.index(None) if None in read else len(read)
        return tuple(str(value) for value in read[:end])
    return () if None in read else ("_".join(str(value) for value in read),)


def _unique_ids(ordered: Sequence[Values]) -> list[str]:
    """Return an id for each group, its values in letters, digits and lines; equal ones are told apart by a number."""
    used: Counter[str] = Counter()
    ids = []
    for values in ordered:
        word = "cl_" + "_sub_".join(_plain(value) for value in values)
        used[word] += 1
        ids.append(word if used[word] == 1 else f"{word}~{used[word]}")
    return ids


def _plain(value: str) -> str:
    return re.sub(r"[^\w.~-]+", "-", value).strip("-")[:LONGEST_ID] or "blank"
