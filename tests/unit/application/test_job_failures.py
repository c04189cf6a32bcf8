"""A failure that a job stored comes back as the failure that a direct call would have raised."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shoald.application.job_attempts import Attempt, Terms, _after_failure
from shoald.application.job_moves import JobMoves
from shoald.application.jobs import failure_of
from shoald.domain.failures import Busy, Failure, InvalidFields, JobFailed, Unavailable
from shoald.domain.job_states import FailedForGood, Interrupted
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState


def every_failure(kind: type[Failure] = Failure) -> list[type[Failure]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in every_failure(child))]


def failed(code: str | None) -> Job:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Job(
        job_id="j",
        namespace_id="ns",
        project_id=None,
        job_type="chunk",
        state=JobState.FAILED,
        payload={},
        result={},
        error_code=code,
        error_message="what happened",
        attempt=1,
        failures=1,
        cancel_requested=False,
        listed=False,
        progress=None,
        created_at=now,
        updated_at=now,
        finished_at=now,
        error_detail={"detail": {"field": "k"}, "hint": "try another"},
    )


@pytest.mark.parametrize("kind", every_failure(), ids=lambda kind: kind.__name__)
def test_each_code_gives_its_class(kind: type[Failure]) -> None:
    failure = failure_of(failed(kind.code))
    assert type(failure) is kind
    if kind is InvalidFields:
        assert "what happened" in failure.message
    else:
        assert (failure.message, failure.detail, failure.hint) == ("what happened", {"field": "k"}, "try another")
    if isinstance(failure, Unavailable):
        assert failure.retry_after_seconds > 0


def test_an_unknown_code_is_still_a_failed_job() -> None:
    assert type(failure_of(failed("out_of_memory"))) is JobFailed
    assert type(failure_of(failed(None))) is JobFailed


def test_what_may_pass_is_tried_again_and_nothing_else() -> None:
    job = failed(None)
    attempt = Attempt(JobMoves(open_unit_of_work=None, handlers={}), job, Terms())  # type: ignore[arg-type]
    kinds = [type(_after_failure(failure("full"), job, attempt)) for failure in (Busy, Unavailable, JobFailed)]
    assert kinds == [Interrupted, Interrupted, FailedForGood]
