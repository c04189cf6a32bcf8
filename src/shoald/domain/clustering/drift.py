"""The groups of two runs, and which went on in which, go in; how much each moved, grew and drifted comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.clustering.lineage import Fate
from shoald.domain.clustering.spaces import Floats, Integers
from shoald.domain.histories.group_counts import GroupLine, line_of
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID

Link = tuple[str, str]
"""An earlier group, and one that it went on in."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunGroups:
    """The groups of a run by their ids, their centroids where there are such, and its members.

    `keys` (n,) names each member, each once; `groups` (n,) is the place of its deepest group among `words`, which may
    hold words that are no group's: noise.
    """

    lines: Mapping[str, GroupLine]
    centroids: Mapping[str, Floats]
    keys: npt.NDArray[np.bytes_]
    groups: Integers
    words: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """What became of one group: `before` None for one that was born, `after` None for one that died."""

    fate: Fate
    before: GroupLine | None
    after: GroupLine | None
    shared: int = 0
    share_moved: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How two runs differ: members that both have, those of them in another group, and those that one run has."""

    in_both: int
    moved: int
    new: int
    gone: int
    rows: tuple[DriftRow, ...]

    @property
    def share_moved(self) -> float | None:
        """The share of members of both that are in another group."""
        return self.moved / self.in_both if self.in_both else None

    @property
    def mean_cosine(self) -> float | None:
        """The cosines of the rows on average, by the documents that they share."""
        known = [(row.cosine, row.shared) for row in self.rows if row.cosine is not None]
        weight = sum(shared for _, shared in known)
        return sum(cosine * shared for cosine, shared in known) / weight if weight else None


def links_of(events: Iterable[JsonObject]) -> set[Link]:
    """Return which groups of the run before go on in which, of a stored lineage."""
    return {(one, other) for event in events for one in event["before"] for other in event["after"]}


def linked_through(earlier: set[Link], later: set[Link]) -> set[Link]:
    """Return which groups go on in which over two steps.

    >>> sorted(linked_through({("a", "b"), ("a", "c")}, {("b", "x"), ("c", "x"), ("d", "y")}))
    [('a', 'x')]
    """
    onwards: dict[str, list[str]] = {}
    for one, other in later:
        onwards.setdefault(one, []).append(other)
    return {(one, last) for one, middle in earlier for last in onwards.get(middle, ())}


def drift_between(before: RunGroups, after: RunGroups, links: set[Link]) -> Drift:
    """Compare two runs; O(n log n) for n members, and O(levels²) for each pair of groups that share any."""
    pairs = _pairs(before, after)
    in_both = sum(pairs.values())
    shared = _rolled_up(before, after, pairs)
    rows = [_linked(fate, *link, before, after, shared) for fate, link in _fated(before, after, links)]
    rows += [DriftRow(fate=Fate.BORN, before=None, after=one) for one in _left(after, {link[1] for link in links})]
    rows += [DriftRow(fate=Fate.DIED, before=one, after=None) for one in _left(before, {link[0] for link in links})]
    return Drift(
        in_both=in_both,
        moved=sum(count for (one, other), count in pairs.items() if one != other),
        new=len(after.keys) - in_both,
        gone=len(before.keys) - in_both,
        rows=tuple(rows),
    )


def _pairs(before: RunGroups, after: RunGroups) -> Counter[Link]:
    """Count the members of both runs by the deepest group that each had and has."""
    _, theirs, ours = np.intersect1d(before.keys, after.keys, assume_unique=True, return_indices=True)
    flat = before.groups[theirs].astype(np.int64) * max(1, len(after.words)) + after.groups[ours]
    found, counts = np.unique(flat, return_counts=True)
    pairs: Counter[Link] = Counter()
    for code, count in zip(found.tolist(), counts.tolist(), strict=True):
        one, other = divmod(code, max(1, len(after.words)))
        pairs[
            line_of(before.lines, before.words[one]).cluster_id, line_of(after.lines, after.words[other]).cluster_id
        ] += count
    return pairs


def _rolled_up(before: RunGroups, after: RunGroups, pairs: Mapping[Link, int]) -> Counter[tuple[str, str | None]]:
    """Count what groups of all levels share; with None for how many members of a group both runs have."""
    shared: Counter[tuple[str, str | None]] = Counter()
    for (one, other), count in pairs.items():
        for group in line_of(before.lines, one).lineage:
            shared[group, None] += count
            for later in line_of(after.lines, other).lineage:
                shared[group, later] += count
    return shared


def _fated(before: RunGroups, after: RunGroups, links: set[Link]) -> Iterator[tuple[Fate, Link]]:
    """Yield each link with what it is part of, in the order of the groups: a split, a merger, both, or neither."""
    onwards, backwards = Counter(one for one, _ in links), Counter(other for _, other in links)
    place = {one: at for lines in (after.lines, before.lines) for at, one in enumerate(lines)}
    for one, other in sorted(links, key=lambda link: (place.get(link[0], 0), place.get(link[1], 0), link)):
        if one not in before.lines or other not in after.lines:
            continue
        if onwards[one] > 1:
            yield Fate.SPLIT, (one, other)
        if backwards[other] > 1:
            yield Fate.MERGED, (one, other)
        if onwards[one] == backwards[other] == 1:
            yield Fate.KEPT, (one, other)


def _linked(
    fate: Fate, one: str, other: str, before: RunGroups, after: RunGroups, shared: Counter[tuple[str, str | None]]
) -> DriftRow:
    seen, common = shared[one, None], shared[one, other]
    return DriftRow(
        fate=fate,
        before=before.lines[one],
        after=after.lines[other],
        shared=common,
        share_moved=1 - common / seen if seen else None,
        cosine=_cosine(before.centroids.get(one), after.centroids.get(other)),
    )


def _left(run: RunGroups, linked: set[str]) -> list[GroupLine]:
    """Return the groups without a link; noise is no group."""
    return [line for word, line in run.lines.items() if word not in linked and line.cluster_id != NOISE_CENTROID]


def _cosine(one: Floats | None, other: Floats | None) -> float | None:
    """Return the cosine of two centroids, None where they cannot be compared."""
    if one is None or other is None or len(one) != len(other):
        return None
    left, right = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    length = float(np.linalg.norm(left) * np.linalg.norm(right))
    return None if length == 0 else float(np.clip(left @ right / length, -1.0, 1.0))
