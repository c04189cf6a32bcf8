"""Members and their times go in; how many documents each group has in each stretch of time comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shoald.domain.histories.buckets import Buckets
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID

MOST_ROWS = 200_000
"""Rows of one history at most: what is counted must fit into memory, and an answer into a page."""


@dataclass(frozen=True, slots=True)
class GroupLine:
    """A group, and those above it: `lineage` begins with itself and ends on the first level."""

    cluster_id: str
    label: str | None
    level: int
    members: int
    lineage: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One group in one stretch of time; `starts_at` and `ends_at` in milliseconds since 1970 in UTC."""

    group: GroupLine
    bucket: str
    starts_at: int
    ends_at: int
    documents: int
    change: int
    total: int
    share: float


def group_lines(rows: Sequence[JsonObject]) -> dict[str, GroupLine]:
    """Return the described groups of a run by their ids, in their order; noise among them when the run has any."""
    parents = {str(row["cluster_id"]): row.get("parent_cluster_id") for row in rows}
    found = {}
    for row in rows:
        lineage, above = [str(row["cluster_id"])], row.get("parent_cluster_id")
        while above in parents:
            lineage.append(str(above))
            above = parents[str(above)]
        line = GroupLine(
            lineage[0], row.get("label"), int(row["hierarchy_level"]), int(row["num_members"]), tuple(lineage)
        )
        found[line.cluster_id] = line
    return found


def line_of(groups: Mapping[str, GroupLine], word: str) -> GroupLine:
    """Return the group that a member carries; that of noise for a word that is no group's."""
    found = groups.get(word) or groups.get(NOISE_CENTROID)
    return found or GroupLine(NOISE_CENTROID, "noise", 0, 0, (NOISE_CENTROID,))


@dataclass(slots=True)
class GroupCounts:
    """Counts members by their deepest group and the stretch that their time falls in; memory by what differs."""

    buckets: Buckets
    most: int = MOST_ROWS
    counts: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])

    def add(self, group: str, time: int) -> None:
        """Count a member of a group (by its id) at a time."""
        self.counts[group, self.buckets.start(time)] += 1

    @property
    def is_too_fine(self) -> bool:
        """Whether there are more rows already than a history may have."""
        return len(self.counts) > self.most

    def rows(self, groups: Mapping[str, GroupLine]) -> list[HistoryRow] | None:
        """Return the rows of each group in turn, by time, None for too many; a group counts what those below it count.

        A stretch without documents has a row only right after one with some, and not behind the latest of all.
        """
        if self.is_too_fine:
            return None
        of_all, by_group = self._by_group(groups)
        latest = max(of_all, default=0)
        found: list[HistoryRow] = []
        for line in groups.values():
            found.extend(self._rows_of(line, by_group.get(line.cluster_id, {}), of_all, latest))
            if len(found) > self.most:
                return None
        return found

    def _by_group(self, groups: Mapping[str, GroupLine]) -> tuple[Counter[int], dict[str, Counter[int]]]:
        of_all: Counter[int] = Counter()
        by_group: dict[str, Counter[int]] = {}
        for (word, start), count in self.counts.items():
            of_all[start] += count
            for one in line_of(groups, word).lineage:
                by_group.setdefault(one, Counter())[start] += count
        return of_all, by_group

    def _rows_of(
        self, line: GroupLine, mine: Mapping[int, int], of_all: Mapping[int, int], latest: int
    ) -> Iterator[HistoryRow]:
        total = 0
        for start in sorted(mine):
            total += mine[start]
            change = mine[start] - mine.get(self.buckets.before(start), 0)
            yield self._row(line, start, (mine[start], change, total), of_all)
            following = self.buckets.end(start)
            if following not in mine and following <= latest:
                yield self._row(line, following, (0, -mine[start], total), of_all)

    def _row(self, line: GroupLine, start: int, figures: tuple[int, int, int], of_all: Mapping[int, int]) -> HistoryRow:
        documents, change, total = figures
        return HistoryRow(
            group=line,
            bucket=self.buckets.name(start),
            starts_at=start,
            ends_at=self.buckets.end(start),
            documents=documents,
            change=change,
            total=total,
            share=documents / of_all[start] if documents else 0.0,
        )
