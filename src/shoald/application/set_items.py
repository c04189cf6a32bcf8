"""The items of a stored set, read in batches of a bounded size, and totals of items on their way in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet, SetItem

_BATCH_CHARACTERS = 1_000_000
_MOST_ITEMS = 2_000
_PROGRESS_ITEMS = 500

ReadItems = Callable[[UnitOfWork, int, int], Sequence[SetItem]]
FindHidden = Callable[[UnitOfWork], frozenset[int]]


def batch_size(stored: SegmentSet | ChunkSet) -> int:
    """Return how many items of a set make about a megabyte of text."""
    average = stored.total_characters // max(stored.total_items, 1) + 1
    return max(1, min(_MOST_ITEMS, _BATCH_CHARACTERS // average))


def item_batches(
    open_unit_of_work: OpenUnitOfWork,
    read: ReadItems,
    stored: SegmentSet | ChunkSet,
    *,
    start: int = 0,
    find_hidden: FindHidden | None = None,
) -> Iterator[Sequence[SetItem]]:
    """Yield the items of a set by position, from `start` on, in batches of about a megabyte.

    No connection is held between two batches, since sets never change. `read` gets the first position and how many;
    `find_hidden` says which positions are left
    out.
    """
    hidden: frozenset[int] = frozenset()
    if find_hidden is not None:
        with open_unit_of_work(reading=True) as uow:
            hidden = find_hidden(uow)
    size = batch_size(stored)
    for first in range(start, stored.total_items, size):
        with open_unit_of_work(reading=True) as uow:
            items = read(uow, first, size)
        shown = [item for item in items if item.position not in hidden] if hidden else items
        if shown:
            yield shown


class Totals:
    """Counts items and their characters while they pass."""

    def __init__(self, *, report: Callable[[int], None] | None = None) -> None:
        self.items = 0
        self.characters = 0
        self._report = report

    def counted(self, items: Iterable[SetItem]) -> Iterator[SetItem]:
        """Yield the items; `report` is called with the number so far, every few hundred items, and may raise."""
        for item in items:
            self.items += 1
            self.characters += len(item.content)
            if self._report is not None and self.items % _PROGRESS_ITEMS == 0:
                self._report(self.items)
            yield item
