"""What the cache knows results by: everything that they depend on, of a map too."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from shoald.application.asked_searches import Search
from shoald.application.group_membership import SearchedMap
from shoald.application.waiting import Patience
from shoald.domain.retrieval.run_groups import RunGroups
from shoald.domain.retrieval.strategies import KeywordSearch

TARGET: Any = SimpleNamespace(searched=("target", (), None))
RUN: Any = SimpleNamespace(run_id="run_1")
OTHER_RUN: Any = SimpleNamespace(run_id="run_2")
MAP = SearchedMap(
    run=RUN,
    collection_id="col_1",
    groups=RunGroups(ids=("a", "b"), labels=(None, None), parents=(-1, -1)),
    numbers=np.array([0, 1, -1, -2], np.int32),
)
PLAIN = Search(
    scope=("ns", "project"), target=TARGET, strategy=KeywordSearch(), query="q", filter={}, patience=Patience()
)


def test_every_field_of_a_map_makes_another_result() -> None:
    maps = [
        None,
        MAP,
        replace(MAP, run=OTHER_RUN),
        replace(MAP, collection_id="col_2"),
        replace(MAP, wanted=(0,)),
        replace(MAP, wanted=(0, 1)),
        replace(MAP, most=1),
        replace(MAP, most=2),
    ]
    keys = {replace(PLAIN, map=one).key for one in maps}
    assert len(keys) == len(maps)


def test_names_do_not() -> None:
    renamed = replace(MAP, groups=replace(MAP.groups, labels=("A", "B")))
    assert replace(PLAIN, map=renamed).key == replace(PLAIN, map=MAP).key


def test_without_most_is_the_search_that_takes_any_number() -> None:
    spread = replace(PLAIN, map=replace(MAP, most=2))
    assert spread.without_most().key == replace(PLAIN, map=MAP).key
    assert PLAIN.without_most().key == PLAIN.key


def test_positions_are_cut_to_groups() -> None:
    wanted = replace(MAP, wanted=(-1, 1))
    every, some = wanted.within(None), wanted.within(np.array([0, 1, 3]))
    assert every is not None
    assert some is not None
    assert (every.tolist(), some.tolist()) == ([1, 2], [1])
    assert MAP.within(None) is None
