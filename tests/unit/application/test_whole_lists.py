from __future__ import annotations

import pytest

from shoald.application import whole_lists
from shoald.application.whole_lists import ListRange, read_list
from shoald.domain.failures import ListTooLong

ROWS = list(range(10))


def read(offset: int, limit: int) -> list[int]:
    return ROWS[offset : offset + limit]


def test_without_a_limit_the_whole_list_comes() -> None:
    assert read_list(read, ListRange()).rows == ROWS
    assert read_list(read, ListRange(offset=8)).rows == [8, 9]


def test_parts_follow_one_another() -> None:
    seen: list[int] = []
    offset: int | None = 0
    while offset is not None:
        listed = read_list(read, ListRange(limit=4, offset=offset))
        seen += listed.rows
        offset = listed.next_offset
    assert seen == ROWS


def test_a_list_that_is_too_long_says_how_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_lists, "MOST_ROWS", 9)
    with pytest.raises(ListTooLong) as raised:
        read_list(read, ListRange())
    assert "limit" in (raised.value.hint or "")
    assert read_list(read, ListRange(limit=100)).next_offset == 9
