"""Pages of a stream: each as soon as it is known, none searched for twice, nothing done for a caller that went away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from shoald.adapters.text_search.files import ArrowTextFile
from shoald.application.ports.text_search import Positions
from shoald.application.retrieving import RetrievalPage
from shoald.application.waiting import Patience
from shoald.domain.failures import DeadlineExceeded
from support.rag_path import RagPath

pytestmark = pytest.mark.integration

REGEX = {"type": "regex", "pattern": "a"}


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The parts of the texts that were searched so far: four of one text each."""
    parts: list[int] = []

    def in_turn(_self: ArrowTextFile, _pattern: Any, *, allowed: Positions | None = None) -> Iterator[Positions]:
        del allowed
        for part in range(4):
            parts.append(part)
            yield np.array([part])

    monkeypatch.setattr(ArrowTextFile, "matching_in_turn", in_turn)
    return parts


def pages(path: RagPath, strategy: dict[str, Any], patience: Patience | None = None, **given: Any) -> Any:
    path.chunk(path.texts("a one", "a two", "a three", "a four"))
    asked = {"query": "a", "strategy": strategy, "limit": 1, **given}
    return path.use_cases.retrieving.pages(path.caller, path.project.project_id, asked, patience or Patience())


def shown(page: RetrievalPage) -> tuple[list[str], int, int | None]:
    return [item.page_content for item in page.items], page.total, page.next_offset


def test_a_page_is_sent_before_the_texts_behind_it_are_searched(path: RagPath, searched: list[int]) -> None:
    stream = pages(path, REGEX)
    assert shown(next(stream)) == (["a one"], 2, 1)
    assert searched == [0, 1]
    assert [shown(page) for page in stream] == [(["a two"], 3, 2), (["a three"], 4, 3), (["a four"], 4, None)]
    assert searched == [0, 1, 2, 3]


def test_what_a_stream_found_is_not_searched_for_again(path: RagPath, searched: list[int]) -> None:
    list(pages(path, REGEX))
    again = path.by("a", REGEX)
    assert (len(again.items), again.total, len(searched)) == (4, 4, 4)


def test_a_stored_page_says_how_many_hits_there_are(path: RagPath, searched: list[int]) -> None:
    first = next(pages(path, REGEX, persist=True))
    assert (first.total, first.run_id is not None, len(searched)) == (4, True, 4)


def test_a_caller_that_goes_away_ends_the_search(path: RagPath, searched: list[int]) -> None:
    stays = iter([True] * 3)
    stream = pages(path, REGEX, Patience(is_wanted=lambda: next(stays, False)))
    with pytest.raises(DeadlineExceeded):
        list(stream)
    assert len(searched) < 4


def test_a_stream_that_is_dropped_searches_no_further(path: RagPath, searched: list[int]) -> None:
    stream = pages(path, REGEX)
    next(stream)
    stream.close()
    assert searched == [0, 1]


@pytest.mark.parametrize("strategy", [{"type": "bm25"}, {"type": "fuzzy"}, {"type": "ensemble"}, REGEX])
def test_the_pages_of_a_stream_are_those_of_single_calls(path: RagPath, strategy: dict[str, Any]) -> None:
    streamed = [page.items for page in pages(path, strategy)]
    single = [path.by("a", strategy, limit=1, cursor=None).items]
    whole = path.by("a", strategy)
    assert [items[0].page_content for items in streamed] == [item.page_content for item in whole.items]
    assert streamed[0] == single[0]
