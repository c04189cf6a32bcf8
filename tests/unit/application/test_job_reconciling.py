"""Passes over jobs where something is wrong with one of them, and where there is more than one batch."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from shoald.application.job_reconciling import JobSweep, Reconciler
from shoald.domain.failures import Unavailable


def _opens(**jobs: Any) -> Any:
    return lambda: nullcontext(SimpleNamespace(jobs=SimpleNamespace(**jobs), commit=lambda: None))


def _reconciler(move: Any) -> Reconciler:
    opens = _opens(
        with_expired_lease=lambda _: ["bad", "good"],
        past_deadline=lambda _: [],
        to_dispatch_again=lambda *_: [],
        queues_waiting=list,
    )
    dispatch: Any = SimpleNamespace()
    moves: Any = SimpleNamespace(open_unit_of_work=opens, move=move)
    return Reconciler(moves=moves, dispatch=dispatch)


def test_a_job_that_cannot_be_moved_keeps_no_other_waiting() -> None:
    def move(job_id: str, *_: object, skip_locked: bool) -> Any:
        assert skip_locked
        if job_id == "bad":
            raise KeyError("what it was given cannot be read")
        return SimpleNamespace(job=SimpleNamespace(job_id=job_id, state="PENDING"))

    assert _reconciler(move).run_pass() == 1


def test_a_pass_ends_when_the_database_is_away() -> None:
    asked: list[str] = []

    def move(job_id: str, *_: object, skip_locked: bool) -> Any:
        del skip_locked
        asked.append(job_id)
        raise Unavailable

    with pytest.raises(Unavailable):
        _reconciler(move).run_pass()
    assert asked == ["bad"]


def test_a_sweep_goes_on_while_batches_are_full() -> None:
    batches = iter([200, 200, 5])
    opens = _opens(
        remove_ended=lambda *_: next(batches), remove_relayed=lambda _: 1, superseded=lambda _: list[tuple[str, int]]()
    )
    moves: Any = SimpleNamespace(open_unit_of_work=opens)
    dispatch: Any = SimpleNamespace(queue=SimpleNamespace(stale=lambda _: [], forget=lambda *_: None))
    assert JobSweep(moves=moves, dispatch=dispatch, queues=()).run_pass() == 406
