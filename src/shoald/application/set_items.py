"""The items of a stored set, read in batches of a bounded size, and totals of items on their way in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from shoald.application.hidden_passages import hidden_positions
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet, SetItem

_T = TypeVar("_T")
_BATCH_CHARACTERS = 1_000_000
_MOST_ITEMS = 2_000
_PROGRESS_ITEMS = 500

_Read = Callable[[UnitOfWork, int, int, frozenset[int]], _T]


def batch_size(stored: SegmentSet | ChunkSet) -> int:
    """Return how many items of a set make about a megabyte of text."""
    average = stored.total_characters // max(stored.total_items, 1) + 1
    return max(1, min(_MOST_ITEMS, _BATCH_CHARACTERS // average))


def item_batches(
    open_unit_of_work: OpenUnitOfWork, stored: SegmentSet | ChunkSet, *, start: int = 0
) -> Iterator[Sequence[SetItem]]:
    """Yield the items of a set by position, from `start` on, in batches of about a megabyte.

    Passages of deleted documents are left out of joined sets and of what was cut from them.
    """

    def read(uow: UnitOfWork, first: int, limit: int, hidden: frozenset[int]) -> Sequence[SetItem]:
        items = _items_of(uow, stored, first, limit)
        return [item for item in items if item.position not in hidden] if hidden else items

    return filter(None, _batches(open_unit_of_work, stored, start, read))


def json_batches(open_unit_of_work: OpenUnitOfWork, stored: SegmentSet | ChunkSet) -> Iterator[str]:
    """Yield what `item_batches` does as JSON objects, joined by commas, and read the next batch meanwhile."""

    def read(uow: UnitOfWork, first: int, limit: int, hidden: frozenset[int]) -> str:
        if isinstance(stored, ChunkSet):
            set_id = stored.chunk_set_version_id
            return uow.chunk_sets.items_as_json(set_id, start=first, limit=limit, hidden=hidden)
        set_id = stored.segment_set_version_id
        return uow.segment_sets.items_as_json(set_id, start=first, limit=limit, hidden=hidden)

    batches = _batches(open_unit_of_work, stored, 0, read)
    return filter(None, _read_ahead(batches) if stored.total_items > batch_size(stored) else batches)


def _items_of(uow: UnitOfWork, stored: SegmentSet | ChunkSet, first: int, limit: int) -> Sequence[SetItem]:
    if isinstance(stored, ChunkSet):
        return uow.chunk_sets.items(stored.chunk_set_version_id, start=first, limit=limit)
    return uow.segment_sets.items(stored.segment_set_version_id, start=first, limit=limit)


def _batches(
    open_unit_of_work: OpenUnitOfWork, stored: SegmentSet | ChunkSet, start: int, read: _Read[_T]
) -> Iterator[_T]:
    """Yield what `read` makes of each range of positions; no connection is held in between, since sets never change."""
    with open_unit_of_work(reading=True) as uow:
        hidden = hidden_positions(uow, stored)
    size = batch_size(stored)
    for first in range(start, stored.total_items, size):
        with open_unit_of_work(reading=True) as uow:
            batch = read(uow, first, size, hidden)
        yield batch


def _read_ahead(batches: Iterator[str]) -> Generator[str]:
    """Yield the batches; a thread fetches the next one while the caller is busy with one."""
    caller = copy_context()  # the thread reads on behalf of the same caller

    def following() -> str | None:
        return caller.run(lambda: next(batches, None))

    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        coming = thread.submit(following)
        while (batch := coming.result()) is not None:
            coming = thread.submit(following)
            yield batch


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
