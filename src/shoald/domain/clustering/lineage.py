"""The groups of a run and those of the run before go in; ids that stay, and what became of each group, come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from shoald.domain.clustering.group_tree import ROOT, GroupTree
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Doubles, Floats, Integers
from shoald.domain.json_types import JsonObject

MOST_SHARED = 0.5
"""Two groups are linked when they share so much of the smaller one, counted over documents that both runs saw."""
SAME_PLACE = 0.9
"""Groups whose documents were exchanged are linked when their centroids have at least this cosine."""
TOP = ""
"""The parent of groups of the first level, where numbers are given out."""


class Fate(StrEnum):
    """What became of groups from one run to the next."""

    KEPT = "kept"
    SPLIT = "split"
    MERGED = "merged"
    BORN = "born"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEvent:
    """What became of some groups: `before` are their ids in the run before, `after` in this one.

    `shared` counts the documents that were in one of the former and are in one of the latter.
    """

    fate: Fate
    before: tuple[str, ...]
    after: tuple[str, ...]
    shared: int

    def as_json(self) -> JsonObject:
        """Return the event as it is stored."""
        return {"fate": str(self.fate), "before": self.before, "after": self.after, "shared": self.shared}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FormerGroups:
    """The groups of the run before over the rows of this one.

    `tree.labels` is ROOT both for what was noise and for what was not there; `was_there` (n,) tells them apart.
    `sizes` (k,) counts all their members, those that are gone too; `centroids` is (k, d). `next_numbers` says, for
    the id of a parent, the smallest number that no group below it ever had.
    """

    tree: GroupTree
    was_there: npt.NDArray[np.bool_]
    sizes: Integers
    centroids: Floats
    next_numbers: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """The ids of all groups, what became of which (first level first), and the numbers that come next."""

    ids: tuple[str, ...]
    events: tuple[LineageEvent, ...]
    next_numbers: Mapping[str, int]


def first_numbers(tree: GroupTree) -> dict[str, int]:
    """Return the numbers that come next after a run without one before it."""
    found = {TOP: tree.first_level}
    for group, parent in zip(tree.ids, tree.parents.tolist(), strict=True):
        if parent != ROOT:
            found[tree.ids[parent]] = found.get(tree.ids[parent], 0) + 1
        found.setdefault(group, 0)
    return {parent: number for parent, number in found.items() if number}


def continued(tree: GroupTree, centroids: Floats, former: FormerGroups) -> Continued:
    """Give groups the ids of those that they continue, siblings among siblings, and new numbers to the others.

    O(n) for each level, and O(k³) for the matching of k siblings.
    """
    numbers = dict(former.next_numbers)
    ids: list[str] = [""] * len(tree)
    events: list[LineageEvent] = []
    pending: list[tuple[int, int | None]] = [(ROOT, ROOT)]
    while pending:
        parent, old_parent = pending.pop(0)
        children = tree.children(parent)
        old = [] if old_parent is None else former.tree.children(old_parent)
        if not (children or old):
            continue
        links = _Links.between(tree, children, former, old, centroids)
        key = TOP if parent == ROOT else ids[parent]
        matched = links.matched()
        for child, of in zip(children, matched, strict=True):
            number = None if of is None else _number(former.tree.ids[old[of]])
            if number is None:
                number = numbers.get(key, 0)
                numbers[key] = number + 1
            ids[child] = f"cl_{number}" if parent == ROOT else f"{key}_sub_{number}"
            pending.append((child, None if of is None else old[of]))
        events += links.events([ids[child] for child in children], [former.tree.ids[one] for one in old], matched)
    return Continued(ids=tuple(ids), events=tuple(events), next_numbers=numbers)


def _number(group_id: str) -> int | None:
    word = group_id.rpartition("_")[2]
    return int(word) if word.isdecimal() else None


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """How much the new and the old groups of one parent have in common.

    `shared` is (old, new) counts; `old_seen` and `new_seen` count members among the documents that both runs saw;
    `near` is (old, new) cosines where most documents were exchanged, else 0.
    """

    shared: Integers
    old_seen: Integers
    new_seen: Integers
    near: Doubles

    @classmethod
    def between(
        cls, tree: GroupTree, new: Sequence[int], former: FormerGroups, old: Sequence[int], centroids: Floats
    ) -> _Links:
        """Count what the groups share."""
        new_at = _places(tree, new)
        old_at = _places(former.tree, old)
        both = former.was_there
        inside = (new_at >= 0) & (old_at >= 0) & both
        flat = np.bincount(old_at[inside] * max(1, len(new)) + new_at[inside], minlength=len(old) * len(new))
        old_seen = np.bincount(old_at[(old_at >= 0) & both], minlength=len(old))
        new_seen = np.bincount(new_at[(new_at >= 0) & both], minlength=len(new))
        new_sizes = np.bincount(new_at[new_at >= 0], minlength=len(new))
        exchanged = (2 * old_seen < former.sizes[list(old)])[:, None] | (2 * new_seen < new_sizes)[None, :]
        near = unit_rows(former.centroids[list(old)]) @ unit_rows(centroids[list(new)]).T
        return cls(flat.reshape(len(old), len(new)), old_seen, new_seen, np.where(exchanged, near, 0).astype(float))

    def linked(self) -> npt.NDArray[np.bool_]:
        """Say which old group goes on in which new one."""
        smaller = np.minimum(self.old_seen[:, None], self.new_seen[None, :])
        by_members = (self.shared > 0) & (self.shared >= MOST_SHARED * smaller)
        old_free, new_free = np.asarray(~by_members.any(axis=1)), np.asarray(~by_members.any(axis=0))
        free = old_free[:, None] & new_free[None, :]
        return np.asarray(by_members | (free & (self.near >= SAME_PLACE)))

    def matched(self) -> list[int | None]:
        """Return the old group whose id each new one takes: most shared documents in all, then nearest centroids."""
        worth = np.where(self.linked(), self.shared + np.clip(self.near, 0, 1) / 2, 0)
        taken: list[int | None] = [None] * self.shared.shape[1]
        for old, new in zip(*linear_sum_assignment(-worth), strict=True):
            if worth[old, new] > 0:
                taken[new] = int(old)
        return taken

    def events(self, new: Sequence[str], old: Sequence[str], matched: Sequence[int | None]) -> list[LineageEvent]:
        """Say what became of the groups; a split or a merger names all that take part."""
        linked = self.linked()
        for at, of in enumerate(matched):
            if of is not None:
                linked[of, at] = True
        found = [self._of_old(at, linked, new, old) for at in range(len(old))]
        found += [self._of_new(at, linked, new, old) for at in range(len(new))]
        return [event for event in found if event is not None]

    def _of_old(
        self, at: int, linked: npt.NDArray[np.bool_], new: Sequence[str], old: Sequence[str]
    ) -> LineageEvent | None:
        into = np.flatnonzero(linked[at])
        shared = int(self.shared[at, into].sum())
        after = tuple(new[one] for one in into.tolist())
        if not len(into):
            return LineageEvent(fate=Fate.DIED, before=(old[at],), after=(), shared=0)
        if len(into) > 1:
            return LineageEvent(fate=Fate.SPLIT, before=(old[at],), after=after, shared=shared)
        if linked[:, into[0]].sum() == 1:
            return LineageEvent(fate=Fate.KEPT, before=(old[at],), after=after, shared=shared)
        return None  # told as a merger by the group that it went into

    def _of_new(
        self, at: int, linked: npt.NDArray[np.bool_], new: Sequence[str], old: Sequence[str]
    ) -> LineageEvent | None:
        of = np.flatnonzero(linked[:, at])
        if not len(of):
            return LineageEvent(fate=Fate.BORN, before=(), after=(new[at],), shared=0)
        if len(of) == 1:
            return None
        before = tuple(old[one] for one in of.tolist())
        return LineageEvent(fate=Fate.MERGED, before=before, after=(new[at],), shared=int(self.shared[of, at].sum()))


def _places(tree: GroupTree, groups: Sequence[int]) -> Integers:
    """Return, for each row, which of these siblings it is in, -1 for none."""
    if not groups:
        return np.full(len(tree.labels), ROOT, dtype=np.int64)
    level = int(tree.levels[groups[0]])
    number = np.full(len(tree) + 1, ROOT, dtype=np.int64)
    number[list(groups)] = np.arange(len(groups))
    return np.asarray(number[tree.at_level(level)])
