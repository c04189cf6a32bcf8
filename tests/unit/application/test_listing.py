from __future__ import annotations

from dataclasses import replace

import pytest

from shoald.application.listing import ListQuery, PageCursors, SortKey, make_page, select_page

CURSORS = PageCursors(b"secret")
QUERY = ListQuery(limit=2, filters={"a": 1}, sort=(SortKey(field="name"),), search="x")


@pytest.mark.parametrize("position", [0, 4, 20_000, "document é"])
def test_a_cursor_opens_where_it_was_made(position: int | str) -> None:
    cursor = CURSORS.seal("clusters", QUERY, position)
    assert CURSORS.open("clusters", replace(QUERY, cursor=cursor, limit=9)) == position


@pytest.mark.parametrize(
    "changed",
    [
        replace(QUERY, filters={"a": 2}),
        replace(QUERY, sort=(SortKey(field="name", descending=True),)),
        replace(QUERY, search="y"),
    ],
)
def test_a_cursor_of_another_question_starts_at_the_first_page(changed: ListQuery) -> None:
    cursor = CURSORS.seal("clusters", QUERY, 4)
    assert CURSORS.open("clusters", replace(changed, cursor=cursor)) == 0


def test_a_cursor_of_another_list_or_installation_starts_at_the_first_page() -> None:
    cursor = CURSORS.seal("clusters/ns_1", QUERY, 4)
    assert CURSORS.open("clusters/ns_2", replace(QUERY, cursor=cursor)) == 0
    assert PageCursors(b"other").open("clusters/ns_1", replace(QUERY, cursor=cursor)) == 0


@pytest.mark.parametrize("spoil", [lambda c: c + "A", lambda c: c[:-1], lambda c: c[1:], lambda _: "é", lambda _: "A"])
def test_a_cursor_that_was_changed_starts_at_the_first_page(spoil: object) -> None:
    cursor = CURSORS.seal("clusters", QUERY, 4)
    assert CURSORS.open("clusters", replace(QUERY, cursor=spoil(cursor))) == 0  # type: ignore[operator]


def test_pages_by_offset_cover_a_list_once() -> None:
    everything = list(range(7))
    seen: list[int] = []
    query = ListQuery(limit=3)
    while True:
        selection = select_page(query, CURSORS.open("n", query), None)
        rows = everything[selection.offset : selection.offset + selection.limit]
        page = make_page(rows, query, selection, total=7, seal=CURSORS.sealer("n", query))
        seen += page.items
        if page.next_cursor is None:
            break
        query = replace(query, cursor=page.next_cursor)
    assert seen == everything


def test_the_next_page_of_ids_begins_behind_the_last() -> None:
    query = ListQuery(limit=2)
    selection = select_page(query, 0, None)
    page = make_page(["a", "b", "c"], query, selection, total=None, seal=CURSORS.sealer("d", query), id_of=str)
    assert page.items == ["a", "b"]
    assert CURSORS.open("d", replace(query, cursor=page.next_cursor)) == "b"
    assert select_page(query, "b", None).after == "b"
