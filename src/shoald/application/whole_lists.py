"""Lists of the RAG API, which are documented without pages: the whole list, or with our own `limit` a page of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shoald.domain.failures import ListTooLong

MOST_ROWS = 100_000
"""How many rows one answer holds at most."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRange:
    """Which part of a list is wanted; `limit` None means all of it from `offset` on."""

    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """Rows of a list; `next_offset` is where a further page starts, None at the end."""

    rows: Sequence[T]
    next_offset: int | None = None


def read_list(read: Callable[[int, int], Sequence[T]], wanted: ListRange) -> Listed[T]:
    """Return a part of a list that `read(offset, limit)` reads; one row more than the part tells whether it goes on.

    Raises `ListTooLong` when all of it is wanted and too much.
    """
    limit = min(wanted.limit or MOST_ROWS, MOST_ROWS)
    rows = read(wanted.offset, limit + 1)
    if len(rows) <= limit:
        return Listed(rows=rows)
    if wanted.limit is None:
        raise ListTooLong(
            f"The list has more than {MOST_ROWS} rows.",
            detail={"most_rows": MOST_ROWS},
            hint="Ask for parts with `limit` and `cursor`; the header `x-next-cursor` has the next cursor.",
        )
    return Listed(rows=rows[:limit], next_offset=wanted.offset + limit)
