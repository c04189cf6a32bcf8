"""Two pages of hits side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.retrieval.comparison import RankedHit, compare


def page(*items: str, texts: Sequence[str] | None = None) -> list[RankedHit]:
    given_texts = texts or items
    return [
        RankedHit(item_id=item, text=text, rank=rank, score=1 / rank)
        for rank, (item, text) in enumerate(zip(items, given_texts, strict=True), start=1)
    ]


def test_hits_stay_go_and_come() -> None:
    found = compare(page("a", "b", "c"), page("d", "c", "a"))
    assert [(hit.before.rank, hit.after.rank) for hit in found.kept] == [(3, 2), (1, 3)]
    assert [hit.item_id for hit in found.gone] == ["b"]
    assert [hit.item_id for hit in found.added] == ["d"]
    assert found.overlaps == [(1, 0.0), (3, pytest.approx(2 / 3))]
    assert found.kept[0].score_difference == pytest.approx(1 / 2 - 1 / 3)


def test_an_equal_text_under_a_new_id_is_the_same_hit_once() -> None:
    found = compare(page("a", "b", texts=["x", "x"]), page("c", "d", "e", texts=["x", "x", "x"]))
    assert [(hit.before.item_id, hit.after.item_id) for hit in found.kept] == [("a", "c"), ("b", "d")]
    assert [hit.item_id for hit in found.added] == ["e"]


def test_an_id_goes_before_a_text() -> None:
    found = compare(page("a", "b", texts=["x", "y"]), page("b", "c", texts=["x", "x"]))
    assert [(hit.before.item_id, hit.after.item_id) for hit in found.kept] == [("b", "b"), ("a", "c")]


def test_pages_without_hits_are_equal_and_without_scores_have_no_difference() -> None:
    assert compare([], []).overlaps == [(1, 1.0)]
    plain = [RankedHit(item_id="a", text="x", rank=1)]
    assert compare(plain, plain).kept[0].score_difference is None


IDS = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(IDS, IDS)
def test_every_hit_is_told_once_and_the_shared_top_is_counted(before: list[str], after: list[str]) -> None:
    found = compare(page(*before), page(*after))
    assert sorted(hit.after.item_id for hit in found.kept) == sorted(set(before) & set(after))
    assert [hit.item_id for hit in found.gone] == [item for item in before if item not in after]
    assert [hit.item_id for hit in found.added] == [item for item in after if item not in before]
    for depth, share in found.overlaps if before or after else []:
        assert share == pytest.approx(len(set(before[:depth]) & set(after[:depth])) / depth)
