"""Names of groups go in; which of them mean the same, and how they are told apart in the end, come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from shoald.domain.labelling.keywords import GroupName

_ROWS = 1_024
_FEW = 2
_WORDS = re.compile(r"\w+")


class HasFallback(Protocol):
    """A group with the name of its distinctive terms."""

    @property
    def fallback(self) -> GroupName:
        """That name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """From which cosine on names mean the same; `embed` returns (n, d) unit vectors, None where nothing can embed."""

    threshold: float
    embed: Callable[[Sequence[str]], npt.NDArray[Any] | None] = lambda _: None


def alike_pairs(labels: Sequence[str], likeness: Likeness) -> list[tuple[int, int]]:
    """Return (earlier, later) for each label that means the same as an earlier one that means no earlier one's.

    Cost O(n²) products of vectors in blocks, O(n) memory beside them.

    >>> alike_pairs(["Cars", "Boats", "cars"], Likeness(threshold=0.8))
    [(0, 2)]
    """
    near = _near(labels, likeness)
    first: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    later: set[int] = set()
    for at, label in enumerate(labels):
        same = first.setdefault(label.casefold(), at)
        earlier = same if same != at else next((one for one in next(near) if one < at and one not in later), None)
        if same != at:
            next(near)
        if earlier is not None:
            found.append((earlier, at))
            later.add(at)
    return found


def _near(labels: Sequence[str], likeness: Likeness) -> Iterator[list[int]]:
    """Yield, for each label, the places of those that are as near as the threshold."""
    vectors = likeness.embed(list(labels)) if len(labels) >= _FEW else None
    if vectors is None:
        yield from ([] for _ in labels)
        return
    for start in range(0, len(labels), _ROWS):
        cosines = vectors[start : start + _ROWS] @ vectors.T
        for row in cosines:
            yield np.flatnonzero(row >= likeness.threshold).tolist()


def numbered(names: Mapping[str, GroupName], groups: Mapping[str, HasFallback]) -> dict[str, str]:
    """Return new labels for those that still are another's letter for letter, in the order given: the first keeps it.

    The others have the first of their own terms that is not in the label behind it, else a number.
    """
    taken: set[str] = set()
    found: dict[str, str] = {}
    for cluster_id, name in names.items():
        label = name.label
        if label.casefold() in taken:
            label = _with_term(label, groups[cluster_id].fallback.keywords, taken)
            found[cluster_id] = label
        taken.add(label.casefold())
    return found


def _with_term(label: str, terms: Sequence[str], taken: set[str]) -> str:
    tried = (f"{label} ({term})" for term in terms if term.casefold() not in label.casefold())
    free = next((one for one in tried if one.casefold() not in taken), None)
    number = 2
    while free is None:
        one = f"{label} ({number})"
        free, number = (None if one.casefold() in taken else one), number + 1
    return free


def repeats_fields(name: GroupName, fields: frozenset[str]) -> bool:
    """Say whether a name speaks of the fields of documents: its keywords are mostly such, or all of its words are.

    >>> repeats_fields(
    ...     GroupName(label="Video events", keywords=("start_time", "end_time")),
    ...     frozenset({"start_time", "end_time", "title"}),
    ... )
    True
    """
    known = {one.casefold() for one in fields}
    parts = {part for one in known for part in one.split("_")} | known
    keywords = [one.casefold().replace(" ", "_") for one in name.keywords]
    mostly = len(keywords) >= _FEW and 2 * sum(one in known for one in keywords) > len(keywords)
    words = [one.casefold() for one in _WORDS.findall(name.label)]
    return mostly or (len(words) >= _FEW and all(one in parts for one in words))
