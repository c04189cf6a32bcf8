"""A namespace that has too many jobs waiting gets no more in; what follows from a job that was let in is let in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shoald.application.access import Caller
from shoald.application.jobs import JobRequest, Jobs
from shoald.domain.failures import Busy
from shoald.domain.vocabulary import JobType

A, B = Caller(namespace_id="ns_a"), Caller(namespace_id="ns_b")


class Accepted(Exception):  # noqa: N818 - it says what is the case
    """The job was stored."""


def _add(_new: object) -> None:
    raise Accepted


def _jobs(most: int) -> Jobs:
    nothing: Any = SimpleNamespace(current=lambda: SimpleNamespace(request_id=None, trace_parent=None))
    return Jobs(moves=nothing, dispatcher=nothing, runner=nothing, tracing=nothing, most_queued=most)


def _uow(**waiting: int) -> Any:
    def count_waiting(queue: str, namespace_id: str, *, at_most: int) -> int:
        return min(waiting.get(f"{queue}_{namespace_id}", 0), at_most)

    return SimpleNamespace(jobs=SimpleNamespace(count_waiting=count_waiting, add=_add))


def _request(caller: Caller, job_type: str = JobType.CHUNK) -> JobRequest:
    return JobRequest(job_type=job_type, payload={}, caller=caller)


def test_one_job_too_many_is_refused_with_the_time_to_come_again() -> None:
    with pytest.raises(Busy) as met:
        _jobs(3).accept(_uow(short_ns_a=3), _request(A))
    assert met.value.retry_after_seconds >= 1
    assert met.value.detail == {"limit": 3}


@pytest.mark.parametrize(
    ("request_", "waiting"),
    [
        (_request(A), {"short_ns_a": 2}),
        (_request(B), {"short_ns_a": 3}),
        (_request(A, JobType.INDEX_BUILD), {"short_ns_a": 3}),
        (_request(A, JobType.KEYWORD_INDEX), {"short_ns_a": 3}),
    ],
    ids=["room", "another namespace", "another queue", "what follows"],
)
def test_everything_else_is_let_in(request_: JobRequest, waiting: dict[str, int]) -> None:
    with pytest.raises(Accepted):
        _jobs(3).accept(_uow(**waiting), request_)
