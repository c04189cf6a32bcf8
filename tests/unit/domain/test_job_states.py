"""Each edge of a job's life, and each way of coming too late for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shoald.domain.failures import JobCanceled, JobFenced
from shoald.domain.job_states import (
    CancelFinished,
    CancelRequested,
    Claimed,
    Completed,
    DeadlinePassed,
    Dispatched,
    DispatchFailed,
    FailedForGood,
    Interrupted,
    JobEvent,
    JobRow,
    LeaseExpired,
    Progressed,
    Renewed,
    Skipped,
    Step,
    StillCarried,
    backoff,
    execution_status,
    first_row,
    problems,
    run_status,
    shown_state,
    step,
)
from shoald.domain.vocabulary import JobState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
LATER = NOW + timedelta(minutes=5)


def take(row: JobRow, event: JobEvent, now: datetime = NOW) -> JobRow:
    taken = step(row, event, now)
    assert taken is not None
    assert not problems(taken.row)
    return taken.row


def edge(row: JobRow, event: JobEvent, now: datetime = NOW) -> str:
    taken = step(row, event, now)
    assert taken is not None
    return taken.edge


@pytest.fixture
def pending() -> JobRow:
    return first_row(NOW)


@pytest.fixture
def queued(pending: JobRow) -> JobRow:
    return take(pending, Dispatched())


@pytest.fixture
def running(queued: JobRow) -> JobRow:
    return take(queued, Claimed("w1", LEASE))


def test_a_job_is_dispatched_claimed_and_completed(pending: JobRow) -> None:
    row = take(pending, Dispatched())
    assert (row.state, row.dispatch_no, row.dispatched_at) == (JobState.QUEUED, 1, NOW)
    row = take(row, Claimed("w1", LEASE))
    assert (row.state, row.attempt, row.worker, row.lease_until) == (JobState.IN_PROGRESS, 1, "w1", NOW + LEASE)
    row = take(row, Progressed(1))
    assert row.state is JobState.PROCESSING
    assert take(row, Renewed(1, LEASE), LATER).lease_until == LATER + LEASE
    row = take(row, Completed(1), LATER)
    assert (row.state, row.finished_at, row.lease_until, row.worker) == (JobState.COMPLETED, LATER, None, None)


def test_a_job_that_completes_with_errors_says_so(running: JobRow) -> None:
    assert take(running, Completed(1, with_errors=True)).state is JobState.COMPLETED_WITH_ERRORS


def test_a_duplicate_delivery_claims_nothing(running: JobRow) -> None:
    assert step(running, Claimed("w2", LEASE), NOW) is None


def test_a_job_is_not_dispatched_before_its_time(pending: JobRow) -> None:
    assert step(replace(pending, run_after=LATER), Dispatched(), NOW) is None


def test_a_dispatch_again_has_a_new_number(queued: JobRow) -> None:
    assert edge(queued, Dispatched(), LATER) == "T1'"
    assert take(queued, Dispatched(), LATER).dispatch_no == 2


def test_a_dispatch_that_failed_is_known_to_have_failed(queued: JobRow) -> None:
    assert take(queued, DispatchFailed(1)).dispatched_at is None
    assert step(queued, DispatchFailed(0), NOW) is None


def test_a_dispatch_that_still_waits_is_left_in_peace(queued: JobRow) -> None:
    assert take(queued, StillCarried(1), LATER).dispatched_at == LATER
    assert step(queued, StillCarried(0), LATER) is None


ATTEMPT_EVENTS: list[JobEvent] = [
    Renewed(1, LEASE),
    Progressed(1),
    Completed(1),
    FailedForGood(1, "code", "message"),
    Interrupted(1, "ERROR", "message"),
    DeadlinePassed(1),
    CancelFinished(1),
]


@pytest.mark.parametrize("event", ATTEMPT_EVENTS, ids=lambda event: type(event).__name__)
def test_an_overtaken_attempt_can_write_nothing(running: JobRow, event: JobEvent) -> None:
    back = take(running, LeaseExpired(), LATER)
    second = take(take(back, Dispatched(), LATER), Claimed("w2", LEASE), LATER)
    for row in (back, second, take(second, Completed(2))):
        with pytest.raises(JobFenced):
            step(row, event, LATER)


@pytest.mark.parametrize(
    "end", [Completed(1), FailedForGood(1, "code", "message")], ids=lambda event: type(event).__name__
)
def test_nothing_leaves_an_end(running: JobRow, end: JobEvent) -> None:
    ended = take(running, end)
    for event in (Dispatched(), Claimed("w2", LEASE), LeaseExpired(), DeadlinePassed(), CancelRequested(), Skipped("")):
        assert step(ended, event, LATER) is None


def test_a_lease_counts_until_it_has_run_out(running: JobRow) -> None:
    assert step(running, LeaseExpired(), NOW + LEASE - timedelta(microseconds=1)) is None
    row = take(running, LeaseExpired(), NOW + LEASE)
    assert (row.state, row.failures, row.run_after) == (JobState.PENDING, 1, NOW + LEASE)


def test_a_second_lost_lease_waits_before_the_next_try(running: JobRow) -> None:
    row = take(replace(running, failures=1), LeaseExpired(), LATER)
    assert row.run_after == LATER + backoff(1, 0.0)


def test_the_last_failure_ends_the_job(running: JobRow) -> None:
    row = take(replace(running, failures=2), Interrupted(1, "ERROR", "no answer", final_code="unavailable"))
    assert (row.state, row.failures, row.error_code) == (JobState.FAILED, 3, "unavailable")
    assert "no answer" in (row.error_message or "")


def test_a_drain_counts_no_failure(running: JobRow) -> None:
    row = take(replace(running, failures=2), Interrupted(1, "INTERRUPTED", "drained", counts=False))
    assert (row.state, row.failures) == (JobState.PENDING, 2)


def test_a_waiting_job_is_canceled_at_once(pending: JobRow, queued: JobRow) -> None:
    for row in (pending, queued):
        assert take(row, CancelRequested()).state is JobState.CANCELED


def test_a_running_job_is_canceled_by_whoever_runs_it(running: JobRow) -> None:
    asked = take(running, CancelRequested())
    assert asked.state is JobState.IN_PROGRESS
    assert step(asked, CancelRequested(), NOW) is None
    with pytest.raises(JobCanceled):
        step(asked, Completed(1), NOW)
    ways_to_end: tuple[tuple[JobEvent, datetime], ...] = (
        (CancelFinished(1), NOW),
        (Interrupted(1, "ERROR", "killed"), NOW),
        (FailedForGood(1, "code", "message"), NOW),
        (LeaseExpired(), LATER),
    )
    for event, now in ways_to_end:
        row = take(asked, event, now)
        assert (row.state, row.error_code) == (JobState.CANCELED, "canceled")


def test_a_limit_counts_from_the_first_start_over_all_attempts() -> None:
    row = take(take(first_row(NOW, limit_seconds=60), Dispatched()), Claimed("w1", LEASE))
    assert row.deadline_at == NOW + timedelta(seconds=60)
    again = take(take(row, Interrupted(1, "ERROR", "x")), Dispatched())
    assert take(again, Claimed("w2", LEASE)).deadline_at == row.deadline_at


def test_a_passed_deadline_ends_a_job_that_nobody_holds() -> None:
    row = take(take(first_row(NOW, limit_seconds=60), Dispatched()), Claimed("w1", LEASE))
    soon = NOW + timedelta(seconds=61)
    held = replace(row, lease_until=soon + LEASE)
    assert step(held, DeadlinePassed(), soon) is None
    ended: list[Step | None] = [step(held, DeadlinePassed(1), soon), step(row, DeadlinePassed(), soon)]
    ended.append(step(take(row, Interrupted(1, "ERROR", "x", delay=LEASE)), DeadlinePassed(), soon))
    for taken in ended:
        assert taken is not None
        assert (taken.row.state, taken.row.error_code) == (JobState.FAILED, "deadline_exceeded")


def test_only_a_job_that_never_started_is_skipped(pending: JobRow, queued: JobRow) -> None:
    assert take(pending, Skipped("too few documents")).state is JobState.SKIPPED
    assert step(queued, Skipped("too late"), NOW) is None


def test_nobody_sees_a_job_go_back_while_it_waits_for_a_retry() -> None:
    assert shown_state(JobState.PENDING, 1) is JobState.IN_PROGRESS
    assert run_status(JobState.QUEUED, 2) == "running"
    assert execution_status(JobState.PENDING, 2) == "processing"


@pytest.mark.parametrize(
    ("state", "run", "execution"),
    [
        (JobState.PENDING, "queued", "pending"),
        (JobState.QUEUED, "queued", "pending"),
        (JobState.IN_PROGRESS, "running", "processing"),
        (JobState.PROCESSING, "running", "processing"),
        (JobState.COMPLETED, "succeeded", "completed"),
        (JobState.COMPLETED_WITH_ERRORS, "succeeded", "completed"),
        (JobState.SKIPPED, "succeeded", "completed"),
        (JobState.FAILED, "failed", "failed"),
        (JobState.CANCELED, "failed", "canceled"),
    ],
)
def test_each_state_has_a_word_in_both_apis(state: JobState, run: str, execution: str) -> None:
    assert (run_status(state, 0), execution_status(state, 0)) == (run, execution)
