"""Pages of the clusters API: what a caller asks of a list goes in, a page and the cursor of the next come out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shoald.domain.filters import Condition, parse_filter
from shoald.domain.json_types import JsonObject

DEFAULT_LIMIT = 10
_SEAL_BYTES = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """One key to sort by: a field as the resource prints it, and whether the largest comes first."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a caller asks of a list. `filters` are the raw JSON of the filter language, parsed by the use case."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None
    include_total: bool = False
    filters: JsonObject | None = None
    sort: tuple[SortKey, ...] = ()
    search: str | None = None
    partition: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a repository is asked for: rows that meet the condition and hold the text, ordered, `limit` from `offset`.

    `after` is the id behind which to begin, for lists in the order of their ids; then `offset` is 0. `partition` is
    which of how many parts of the list, for lists that are read by several at once.
    """

    limit: int
    offset: int = 0
    after: str | None = None
    condition: Condition | None = None
    sort: tuple[SortKey, ...] = ()
    search: str | None = None
    partition: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page. `total` is the length of the whole list, None where nobody asked and counting costs."""

    items: Sequence[T] = field(default_factory=tuple[T, ...])
    limit: int
    offset: int
    total: int | None
    next_cursor: str | None
    include_total: bool = False


Sealer = Callable[[int | str], str]


class PageCursors:
    """Makes and opens cursors; one that was changed, or made for another list or query, is as good as none."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"shoal page cursors\0" + secret).digest()

    def seal(self, scope: str, query: ListQuery, position: int | str) -> str:
        """Return the cursor of a position: an offset, or the id behind which the next page begins."""
        body = json.dumps(position).encode()
        return base64.urlsafe_b64encode(self._seal(scope, query, body) + body).decode().rstrip("=")

    def open(self, scope: str, query: ListQuery) -> int | str:
        """Return the position of the query's cursor, or 0 when it has none that was made for this list and query."""
        if not query.cursor:
            return 0
        try:
            raw = base64.urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4))
        except (binascii.Error, ValueError):
            return 0
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(scope, query, body)):
            return 0
        position: int | str = json.loads(body)
        return position

    def sealer(self, scope: str, query: ListQuery) -> Sealer:
        """Return `seal` for one list and query."""
        return lambda position: self.seal(scope, query, position)

    def _seal(self, scope: str, query: ListQuery, body: bytes) -> bytes:
        order = [[key.field, key.descending] for key in query.sort]
        asked = [scope, query.filters, order, query.search, query.partition]
        shape = json.dumps(asked, sort_keys=True, default=str).encode()
        return hmac.digest(self._secret, hashlib.sha256(shape).digest() + body, "sha256")[:_SEAL_BYTES]


def condition_of(filters: JsonObject | None) -> Condition | None:
    """Return the condition that filters mean, None for none; raises `InvalidFields` for what they may not say."""
    return parse_filter(filters, "body", "filters")


def select_page(query: ListQuery, position: int | str, condition: Condition | None) -> Selection:
    """Return what to ask a repository for: one row more than the page, which tells whether there is another page."""
    return Selection(
        limit=query.limit + 1,
        offset=(position or query.offset) if isinstance(position, int) else 0,
        after=position if isinstance(position, str) else None,
        condition=condition,
        sort=query.sort,
        search=query.search,
        partition=query.partition,
    )


def make_page(
    rows: Sequence[T],
    query: ListQuery,
    selection: Selection,
    *,
    total: int | None,
    seal: Sealer,
    id_of: Callable[[T], str] | None = None,
) -> Page[T]:
    """Cut the row too many off and, if there was one, seal where the next page begins.

    With `id_of` that is behind the last id (for lists in the order of their ids), else at an offset.
    """
    items = rows[: query.limit]
    has_more = len(rows) > query.limit
    position: int | str = selection.offset + query.limit if id_of is None else id_of(items[-1]) if has_more else 0
    return Page(
        items=items,
        limit=query.limit,
        offset=selection.offset,
        total=total,
        next_cursor=seal(position) if has_more else None,
        include_total=query.include_total,
    )
