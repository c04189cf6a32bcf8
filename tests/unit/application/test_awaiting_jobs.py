"""Who waits for a job looks again as soon as its end is told, and goes on looking where nobody tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shoald.application import job_ends
from shoald.application.job_ends import Unheard
from shoald.application.jobs import Jobs
from shoald.application.ports.job_queue import JobEnds
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState


class _Store:
    """One job, whose state each look takes from a list; the last one stays."""

    def __init__(self, *states: JobState) -> None:
        self.states = list(states)

    def get(self, job_id: str) -> Job:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return cast("Job", SimpleNamespace(job_id=job_id, state=state, estimated_seconds=None))


class _Ends:
    """Tells of an end at the first wait."""

    def __init__(self, store: _Store) -> None:
        self.store, self.waits = store, 0

    def tell(self, job_id: str) -> None:
        raise NotImplementedError

    @contextmanager
    def awaited(self, job_id: str) -> Iterator[Callable[[float], bool]]:
        assert job_id == "mine"

        def wait(_seconds: float) -> bool:
            self.waits += 1
            self.store.states = [JobState.COMPLETED]
            return True

        yield wait


def _jobs(store: _Store, ends: JobEnds) -> Jobs:
    moves: Any = SimpleNamespace(open_unit_of_work=lambda: nullcontext(SimpleNamespace(jobs=store)))
    nothing: Any = SimpleNamespace(offer=lambda _job: None)
    return Jobs(moves=moves, dispatcher=nothing, runner=nothing, tracing=nothing, ends=ends)


def test_one_look_follows_the_word_of_the_end() -> None:
    store = _Store(JobState.IN_PROGRESS)
    ends = _Ends(store)
    assert _jobs(store, ends).finish(store.get("mine")).state is JobState.COMPLETED
    assert ends.waits == 1


def test_nobody_listens_for_the_end_of_a_job_that_has_ended() -> None:
    store = _Store(JobState.COMPLETED)
    ends = _Ends(store)
    _jobs(store, ends).finish(store.get("mine"))
    assert ends.waits == 0


def test_without_a_word_one_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(job_ends, "time", SimpleNamespace(sleep=slept.append))
    store = _Store(*[JobState.IN_PROGRESS] * 4, JobState.COMPLETED)
    assert _jobs(store, Unheard()).finish(store.get("mine")).state is JobState.COMPLETED
    assert len(slept) == 2
