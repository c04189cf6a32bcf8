"""Members that are new go in; how many each group has, and the newest of them, come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shoald.domain.histories.group_counts import GroupLine, line_of

MOST_LISTED = 10_000
"""New documents that are kept for listing, the newest; all are counted."""


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member that is new: its time in milliseconds since 1970 in UTC, and its deepest group."""

    time: int
    collection_id: str
    document_id: str
    group: GroupLine


@dataclass(slots=True, kw_only=True)
class News:
    """What is new `since` a time; of `group` and those below it alone is listed, None: of all. Memory is bounded."""

    since: int
    group: str | None
    lines: Mapping[str, GroupLine]
    most: int = MOST_LISTED
    total: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    kept: list[NewMember] = field(default_factory=list[NewMember])

    def add(self, word: str, time: int, named: tuple[str, str]) -> None:
        """Count a new member of a group, named by collection and id, and keep it while it may be listed."""
        line = line_of(self.lines, word)
        self.total += 1
        self.counts.update(line.lineage)
        if self.group is None or self.group in line.lineage:
            self.kept.append(NewMember(time, *named, line))
            if len(self.kept) >= 2 * self.most:
                self.kept = self.listed()

    def listed(self) -> list[NewMember]:
        """Return the newest that were kept, newest first, ties by collection and id."""
        order = sorted(self.kept, key=lambda one: (-one.time, one.collection_id, one.document_id))
        return order[: self.most]

    def by_group(self) -> list[tuple[GroupLine, int]]:
        """Return the groups that have any, most first, ties in the order of the groups."""
        found = [(line, self.counts[word]) for word, line in self.lines.items() if self.counts[word]]
        return sorted(found, key=lambda pair: -pair[1])
