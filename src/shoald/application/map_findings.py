"""What a page of hits tells of a run's map: the groups that it shows, and those that all hits are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shoald.application.group_membership import SearchedMap
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.grouped_hits import runs_on
from shoald.domain.retrieval.hits import Hits
from shoald.domain.retrieval.run_groups import HitGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOnPage:
    """Hits of one group, one after another: from item `first` of the page `count`, of `total` on all pages."""

    group: HitGroup
    first: int
    count: int
    total: int

    def as_json(self) -> JsonObject:
        """Return it as a stored run shows it."""
        return {"group": self.group.as_json(), "first": self.first, "count": self.count, "total": self.total}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacet:
    """A group, and how many hits are in it and in those below it."""

    group: HitGroup
    count: int

    def as_json(self) -> JsonObject:
        """Return it as a stored run shows it."""
        return {"group": self.group.as_json(), "count": self.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFindings:
    """The run whose groups these are, the groups of a page in its order, and the groups of all hits."""

    run_id: str
    cluster_id: str
    groups: Sequence[GroupOnPage] = ()
    facets: Sequence[GroupFacet] = ()

    def as_json(self) -> JsonObject:
        """Return it as a stored run shows it."""
        return {
            "run_id": self.run_id,
            "cluster_id": self.cluster_id,
            "groups": [one.as_json() for one in self.groups],
            "facets": [one.as_json() for one in self.facets],
        }


def groups_on_page(seen: SearchedMap, hits: Hits, offset: int, size: int) -> list[GroupOnPage]:
    """Return the groups of one page of hits that stand together by group. O(hits)."""
    runs = runs_on(seen.numbers[hits.searched], offset, offset + size)
    return [
        GroupOnPage(group=seen.groups.described(run.number), first=run.first, count=run.count, total=run.total)
        for run in runs
    ]


def facets_of(seen: SearchedMap, hits: Hits) -> list[GroupFacet]:
    """Count hits by group, most first. O(hits + groups)."""
    counts = seen.groups.counts(seen.numbers[hits.searched])
    return [GroupFacet(group=seen.groups.described(at), count=counts[at]) for at in seen.groups.ranked(counts)]
