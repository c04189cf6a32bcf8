"""Brief calls that rerank leave threads to others: a place each, and none waits for one."""

from __future__ import annotations

import pytest

from shoald.application.reranking import BriefPlaces
from shoald.application.waiting import Patience
from shoald.domain.failures import Busy

BRIEF, LONG = Patience(is_brief=True), Patience()


def test_a_brief_call_is_refused_while_the_others_rerank() -> None:
    places = BriefPlaces(2)
    with places.one(BRIEF), places.one(BRIEF), pytest.raises(Busy), places.one(BRIEF):
        pass
    with places.one(BRIEF):
        pass


def test_a_call_that_has_a_thread_of_its_own_needs_no_place() -> None:
    places = BriefPlaces(1)
    with places.one(BRIEF), places.one(LONG), places.one(LONG):
        pass


def test_a_place_is_given_back_when_the_model_fails() -> None:
    places = BriefPlaces(1)
    for _ in range(3):
        with pytest.raises(RuntimeError), places.one(BRIEF):
            raise RuntimeError
