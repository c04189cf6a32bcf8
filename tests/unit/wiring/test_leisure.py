from __future__ import annotations

import threading
from functools import partial

from shoald.wiring.leisure import Leisure


def test_what_can_wait_is_done_when_the_job_is_over() -> None:
    leisure = Leisure(quiet_seconds=0.0)
    leisure.begin_work()
    is_working, done = True, threading.Event()
    seen = []

    def act() -> None:
        seen.append(is_working)
        done.set()

    leisure.then(act)
    is_working = False
    leisure.end_work()
    assert done.wait(10)
    assert seen == [False]


def test_what_waits_for_leisure_is_done_when_there_is_none_any_more() -> None:
    leisure, done = Leisure(), threading.Event()
    leisure.begin_work()
    leisure.then(done.set)
    leisure.end()
    assert done.wait(10)


def test_whatever_is_put_off_shares_one_thread() -> None:
    leisure, all_done = Leisure(), threading.Event()
    leisure.begin_work()
    done: list[int] = []
    for number in range(50):
        leisure.then(partial(done.append, number))
    leisure.then(all_done.set)
    assert [one.name for one in threading.enumerate()].count("at leisure") == 1
    leisure.end()
    assert all_done.wait(10)
    assert done == list(range(50))


def test_what_fails_takes_nothing_else_with_it() -> None:
    leisure, done, nothing = Leisure(), threading.Event(), list[int]()
    leisure.begin_work()
    leisure.then(partial(nothing.remove, 1))
    leisure.then(done.set)
    leisure.end()
    assert done.wait(10)
