"""Brief calls that wait for a model leave threads to others: a place each, and none waits for one."""

from __future__ import annotations

import pytest

from shoald.application.waiting import BriefPlaces, Patience
from shoald.domain.failures import Busy

BRIEF, LONG = Patience(is_brief=True), Patience()


def test_a_brief_call_is_refused_while_the_others_rerank() -> None:
    places = BriefPlaces(2)
    with (
        places.one(BRIEF, "reranking"),
        places.one(BRIEF, "reranking"),
        pytest.raises(Busy),
        places.one(BRIEF, "reranking"),
    ):
        pass
    with places.one(BRIEF, "reranking"):
        pass


def test_a_call_that_has_a_thread_of_its_own_needs_no_place() -> None:
    places = BriefPlaces(1)
    with places.one(BRIEF, "reranking"), places.one(LONG, "reranking"), places.one(LONG, "reranking"):
        pass


def test_a_place_is_given_back_when_the_model_fails() -> None:
    places = BriefPlaces(1)
    for _ in range(3):
        with pytest.raises(RuntimeError), places.one(BRIEF, "reranking"):
            raise RuntimeError
