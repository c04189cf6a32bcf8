"""Hits by the groups that they are in: spread over the groups, put together by them, and laid out on pages.

Each hit has the number of its group; below 0 it is in none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.domain.retrieval.hits import Hits, Positions
from shoald.domain.retrieval.run_groups import OUTSIDE, Numbers

Rows = npt.NDArray[np.int64]
Find = Callable[[int, Positions | None], Hits]
"""Searches for so many hits among the allowed positions, best first."""

# more are asked for at once than are wanted: another search costs more than a longer one
_MORE, _MOST_AT_ONCE = 4, 1000


@dataclass(frozen=True, slots=True)
class GroupRun:
    """The hits of one group that stand one after another on a page."""

    number: int
    first: int
    count: int
    total: int


def within_room(numbers: Numbers, room: Rows) -> Rows:
    """Return the rows of hits that have room in their groups, the best first; those in no group always have.

    `room[g]` is how many more hits group g takes. O(h log h).

    >>> within_room(np.array([1, 0, 1, -1, 1, -1], np.int32), np.array([1, 2])).tolist()
    [0, 1, 2, 3, 5]
    """
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    ranks = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    fits = ordered < 0
    fits[~fits] = ranks[~fits] < room[ordered[~fits]]
    return np.sort(order[fits])


def spread(hits: Hits, numbers: Numbers, *, most: int) -> Hits:
    """Keep the best `most` hits of each group; `numbers` (n,) says the group of each item that is searched."""
    mine = numbers[hits.searched]
    return hits.rows(within_room(mine, np.full(_groups_in(mine), most, np.int64)))


def spread_to(find: Find, numbers: Numbers, allowed: Positions | None, *, most: int, k: int) -> tuple[Hits, Hits]:
    """Return the k best hits of which no group has more than `most`, as if all were found and then spread.

    The second are the k best of any number in a group, which the first search finds.

    Each further search leaves out what was found and the groups that are full; there are k of them at most, and few
    where groups are not much larger than what is asked for at once.
    """
    room = np.full(_groups_in(numbers), most, np.int64)
    at_once = max(k, min(k * _MORE, _MOST_AT_ONCE))
    parts: list[Hits] = []
    every, missing = Hits.joined([]), k
    while missing > 0 and (allowed is None or len(allowed)):
        hits = find(at_once, allowed)
        every = every if parts else hits.part(0, k)
        mine = numbers[hits.searched]
        rows = within_room(mine, room)[:missing]
        parts.append(hits.rows(rows))
        missing -= len(rows)
        if len(hits) < at_once:
            break
        room -= np.bincount(mine[rows][mine[rows] >= 0], minlength=len(room))
        allowed = _left(numbers, allowed, hits.searched, room)
    return Hits.joined(parts), every


def together(numbers: Numbers) -> Rows:
    """Return the rows of hits with those of a group together, groups in the order of their first rows.

    >>> together(np.array([4, -1, 4, 2, -1], np.int32)).tolist()
    [0, 2, 1, 4, 3]
    """
    _, first, group = np.unique(numbers, return_index=True, return_inverse=True)
    return np.argsort(first[group], kind="stable")


def runs_on(numbers: Numbers, start: int, end: int) -> list[GroupRun]:
    """Return the groups of a page of hits that stand `together`, in its order."""
    page = numbers[start:end]
    found, first, counts = np.unique(page, return_index=True, return_counts=True)
    totals = np.bincount(numbers + OUTSIDE, minlength=1)
    runs = [
        GroupRun(number, row, count, int(totals[number + OUTSIDE]))
        for number, row, count in zip(found.tolist(), first.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(runs, key=lambda run: run.first)


def _groups_in(numbers: Numbers) -> int:
    return int(numbers.max(initial=-1)) + 1


def _left(numbers: Numbers, allowed: Positions | None, found: Positions, room: Rows) -> Positions:
    """Return the positions that may still be found: not found yet, and in no group that is full."""
    has_room = np.append(room > 0, [True] * OUTSIDE)  # read from the end by the numbers of no group
    may = has_room[numbers]
    may[found] = False
    return np.flatnonzero(may) if allowed is None else allowed[may[allowed]]
