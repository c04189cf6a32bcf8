"""Every way for a job to end, by a real worker: done, failed, retried, canceled, late, out of memory."""

from __future__ import annotations

import time

import pytest

from shoald.application.jobs import JobRequest, failure_of
from shoald.domain.failures import AttemptsExhausted, DeadlineExceeded, InvalidLoaderParams, JobCanceled, StorageFull
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from support.trial.handlers import HEAVY_TRIAL, TRIAL
from support.trial.site import CALLER, Site

pytestmark = pytest.mark.acceptance


def accept(place: Site, estimated_seconds: float | None, **payload: object) -> Job:
    """Accept a job without sending it anywhere."""
    request = JobRequest(job_type=TRIAL, payload=payload, caller=CALLER, estimated_seconds=estimated_seconds)
    with place.adapters.open_unit_of_work() as uow:
        job = place.adapters.jobs.accept(uow, request)
        uow.commit()
    place.accepted.append(job.job_id)
    return job


def test_a_job_runs_once_and_shows_its_progress(place: Site) -> None:
    job_id = place.submit("sleep", seconds=1.0, content="whole")
    seen = [news.job for news in place.adapters.jobs.watch(CALLER, job_id)]
    assert [job.state for job in seen][-1] is JobState.COMPLETED
    fractions = [job.progress.fraction for job in seen if job.progress]
    assert len(set(fractions)) > 1
    assert fractions == sorted(fractions)
    assert place.rows("SELECT content FROM trial_results WHERE job_id = %s ORDER BY 1", job_id) == [
        ("whole first",),
        ("whole second",),
    ]
    assert place.starts(job_id) == 1


def test_a_watch_goes_on_from_its_token(place: Site) -> None:
    job_id = place.submit("sleep", seconds=0.2)
    place.wait([job_id])
    first = list(place.adapters.jobs.watch(CALLER, job_id))
    assert len(first) == 1
    assert list(place.adapters.jobs.watch(CALLER, job_id, token=first[0].token)) == []


def test_both_queues_have_their_children(place: Site) -> None:
    ids = [place.submit("sleep", job_type=job_type) for job_type in (TRIAL, HEAVY_TRIAL)]
    assert [job.queue for job in place.wait(ids)] == ["short", "heavy"]
    pids = {place.pid_of(job_id) for job_id in ids}
    assert len(pids) == 2


def test_a_child_takes_job_after_job(place: Site) -> None:
    ids = [place.submit("sleep", job_type=HEAVY_TRIAL) for _ in range(10)]
    place.wait(ids)
    assert len({place.pid_of(job_id) for job_id in ids}) == 1


def test_a_failure_keeps_its_code_and_is_not_tried_again(place: Site) -> None:
    [job] = place.wait([place.submit("fail")])
    assert (job.state, job.error_code, job.error_message) == (
        JobState.FAILED,
        "invalid_loader_params",
        "No such column.",
    )
    failure = failure_of(job)
    assert isinstance(failure, InvalidLoaderParams)
    assert (failure.detail, failure.hint) == ({"column": "text"}, "look again")
    assert place.starts(job.job_id) == 1


def test_what_may_pass_is_tried_again_until_it_passes(place: Site) -> None:
    [job] = place.wait([place.submit("full", times=1)])
    assert (job.state, job.attempt, job.failures) == (JobState.COMPLETED, 2, 1)


def test_what_does_not_pass_ends_with_its_reason(place: Site) -> None:
    hasty = place.make_adapters(SHOAL_JOB_MAX_FAILURES="1")
    ids = [place.submit(kind, adapters=hasty, bytes=3 << 30) for kind in ("full", "surprise", "hungry", "die")]
    full, surprise, hungry, died = place.wait(ids)
    assert isinstance(failure_of(full), StorageFull)
    assert isinstance(failure_of(surprise), AttemptsExhausted)
    assert "secret" not in str(surprise.error_message)
    assert hungry.error_code == "out_of_memory"
    assert died.error_code == "attempts_exhausted"
    assert "SIGKILL" in str(died.error_message)
    hasty.close()


def test_a_child_that_dies_is_replaced_and_its_job_tried_at_once(place: Site) -> None:
    [job] = place.wait([place.submit("die", times=1)])
    assert (job.state, job.attempt, job.failures) == (JobState.COMPLETED, 2, 1)
    outcomes = place.rows("SELECT outcome FROM job_attempts WHERE job_id = %s ORDER BY attempt", job.job_id)
    assert outcomes == [("INTERRUPTED",), ("COMPLETED",)]


@pytest.mark.parametrize("kind", ["sleep", "swallow", "stubborn", "hog"])
def test_a_cancel_ends_a_running_job_within_two_seconds(place: Site, kind: str) -> None:
    job_id = place.submit(kind, seconds=60)
    place.wait_running(job_id)
    began = time.monotonic()
    place.cancel(job_id)
    [job] = place.wait([job_id], 10)
    assert time.monotonic() - began < 2.0 + 1.5, "two seconds, and some for a busy machine"
    assert (job.state, job.error_code) == (JobState.CANCELED, "canceled")
    assert place.rows("SELECT 1 FROM trial_results WHERE job_id = %s", job_id) == []
    assert place.rows("SELECT state FROM trial_follows WHERE job_id = %s", job_id)[-1] == ("CANCELED",)


def test_a_waiting_job_is_canceled_on_the_spot(place: Site) -> None:
    job_id = place.submit("sleep", send=False)
    place.cancel(job_id)
    job = place.job(job_id)
    assert job.state in {JobState.CANCELED, JobState.COMPLETED}  # the scheduler may have been quicker
    if job.state is JobState.CANCELED:
        with pytest.raises(JobCanceled):
            place.adapters.jobs.finish(job)


@pytest.mark.parametrize("kind", ["sleep", "swallow", "stubborn", "hog"])
def test_a_runaway_ends_soon_after_its_limit(place: Site, kind: str) -> None:
    """R9: code that swallows exceptions, never looks, or holds the interpreter's lock."""
    job_id = place.submit(kind, seconds=60, limit_seconds=0.5)
    place.wait_running(job_id)
    [job] = place.wait([job_id], 6)
    assert isinstance(failure_of(job), DeadlineExceeded)


def test_a_short_job_runs_where_it_was_asked_for(place: Site) -> None:
    job = accept(place, 0.01, kind="sleep")
    ended = place.adapters.jobs.finish(job)
    assert ended.state is JobState.COMPLETED
    workers = place.rows("SELECT worker FROM job_attempts WHERE job_id = %s", ended.job_id)
    assert workers[0][0].startswith("server-")


def test_a_longer_one_is_waited_for(place: Site) -> None:
    job = accept(place, 5.0, kind="sleep", seconds=0.3)
    ended = place.adapters.jobs.finish(job, 20.0)
    assert (ended.state, ended.result) == (JobState.COMPLETED, {"attempt": 1})


def test_a_caller_who_does_not_wait_long_enough_cancels_nothing(place: Site) -> None:
    job = accept(place, 5.0, kind="sleep", seconds=1.0)
    with pytest.raises(DeadlineExceeded):
        place.adapters.jobs.finish(job, 0.2)
    [ended] = place.wait([job.job_id])
    assert ended.state is JobState.COMPLETED


def test_a_sync_call_raises_what_its_job_met(place: Site) -> None:
    for estimate in (0.01, 5.0):
        with pytest.raises(InvalidLoaderParams):
            place.adapters.jobs.finish(accept(place, estimate, kind="fail"), 20.0)
