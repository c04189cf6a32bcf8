"""One fault at a time, each aimed at the moment where it hurts; R numbers are those of the reliability notes."""

from __future__ import annotations

import os
import signal
import statistics
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from shoald.application.access import Caller
from shoald.domain.failures import Failure, IdempotencyConflict
from shoald.domain.vocabulary import JobState
from support.cutting_proxy import cutting
from support.trial.site import SHORT_TIMES, Site

pytestmark = pytest.mark.acceptance

LEASE_SECONDS = float(SHORT_TIMES["SHOAL_LEASE_SECONDS"])
# A job is running again when its lease has ended, a pass has seen it, and a worker has picked it up.
RECOVERY_SECONDS = LEASE_SECONDS + 5.0


@pytest.fixture
def two_workers(place: Site) -> Site:
    """The site with another worker beside the first."""
    place.ensure("worker-2")
    return place


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_was_frozen_cannot_publish_late(two_workers: Site) -> None:
    """R2: parent and child sleep past the lease, another worker does the job, and the sleepers wake up."""
    place = two_workers
    job_id = place.submit("sleep", seconds=1.5)
    place.wait_running(job_id)
    child = place.pid_of(job_id)
    owner = place.processes[place.owner_of(job_id)]
    owner.kill(signal.SIGSTOP)
    os.kill(child, signal.SIGSTOP)
    place.wait_running(job_id, RECOVERY_SECONDS, attempt=2)
    owner.kill(signal.SIGCONT)
    os.kill(child, signal.SIGCONT)
    [job] = place.wait([job_id])
    assert (job.state, job.attempt) == (JobState.COMPLETED, 2)
    assert place.rows("SELECT DISTINCT attempt FROM trial_results WHERE job_id = %s", job_id) == [(2,)]
    place.until(lambda: "fenced" in owner.log.read_text(), 10, "the old attempt to learn that it was overtaken")


def test_a_frozen_child_is_killed_when_its_job_has_gone_on(place: Site) -> None:
    job_id = place.submit("freeze")
    place.wait_running(job_id)
    child = place.pid_of(job_id)
    place.until(lambda: not is_alive(child), RECOVERY_SECONDS + 5, "the frozen child's end")
    [job] = place.wait([job_id])
    assert (job.state, job.attempt) == (JobState.COMPLETED, 2)


def test_a_killed_worker_takes_its_child_along_and_its_job_runs_again(two_workers: Site) -> None:
    """R3: nothing is left of the worker within a second, and the job runs again soon after its lease."""
    place = two_workers
    job_id = place.submit("sleep", seconds=2.0)
    place.wait_running(job_id)
    child = place.pid_of(job_id)
    owner = place.processes[place.owner_of(job_id)]
    owner.kill()
    place.until(lambda: not is_alive(child), 1.0, "the orphan's end")
    place.wait_running(job_id, RECOVERY_SECONDS, attempt=2)
    [job] = place.wait([job_id])
    assert (job.state, job.failures) == (JobState.COMPLETED, 1)


def test_a_wrong_clock_ends_no_lease_early(place: Site) -> None:
    """R8: a worker ten minutes behind, a scheduler ten minutes ahead; the jobs outlast their lease."""
    place.start("worker", "worker-behind", wait=False, TRIAL_CLOCK_SHIFT="-600", SHOAL_WORKER_HEAVY_SLOTS="0")
    place.start("scheduler", "scheduler-ahead", wait=False, TRIAL_CLOCK_SHIFT="600")
    for name in ("worker-behind", "scheduler-ahead"):
        place.wait_ready(name)
    ids = [place.submit("sleep", seconds=1.5 * LEASE_SECONDS) for _ in range(2)]
    assert {(job.state, job.attempt) for job in place.wait(ids, 60)} == {(JobState.COMPLETED, 1)}
    owners = {
        worker.partition("/")[0]
        for (worker,) in place.rows("SELECT worker FROM job_attempts WHERE job_id = ANY(%s)", ids)
    }
    assert len(owners) == 2
    for name in ("worker-behind", "scheduler-ahead"):
        assert place.end(name) == 0


@pytest.mark.parametrize("n", [40, pytest.param(500, marks=pytest.mark.nightly)])
def test_a_flushed_redis_loses_no_job(place: Site, n: int) -> None:
    """R4."""
    ids = [place.submit("sleep", seconds=0.02) for _ in range(n)]
    redis.Redis.from_url(place.valkey.url).flushall()
    began = time.monotonic()
    jobs = place.wait(ids, 35 + n / 5)
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    print(f"{n} jobs done {time.monotonic() - began:.1f} s after FLUSHALL")


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_jobs_are_accepted_without_redis(place: Site, how: str) -> None:
    """R5: no error and no wait for the caller; the work begins when Redis is back."""
    if how == "refuses":
        place.kill_server("valkey")
    else:
        place.freeze_server("valkey")
    seconds = []
    ids = []
    for _ in range(20):
        began = time.monotonic()
        ids.append(place.submit("sleep"))
        seconds.append(time.monotonic() - began)
        time.sleep(0.02)
    if how == "refuses":
        place.start_server("valkey")
    else:
        place.thaw_server("valkey")
    back = time.monotonic()
    place.until(lambda: any(place.starts(job_id) for job_id in ids), 20, "the first start after Redis is back")
    print(f"first start {time.monotonic() - back:.1f} s after Redis is back; submit at most {max(seconds):.3f} s")
    assert {job.state for job in place.wait(ids)} == {JobState.COMPLETED}
    assert statistics.quantiles(seconds, n=20)[-1] <= 0.4  # a quarter of a second for Redis, the rest for PostgreSQL


@pytest.mark.parametrize("n", [60, pytest.param(1000, marks=pytest.mark.nightly)])
def test_an_answer_lost_at_commit_makes_no_second_job(place: Site, n: int) -> None:
    """R6: a fifth of the commits succeed without the client learning of it, and it asks again."""
    with cutting(place.postgres.port, b"COMMIT", cut=0.2, seed=6) as proxy:
        url = place.postgres.url().replace(f":{place.postgres.port}/", f":{proxy.port}/")
        unlucky = place.make_adapters(SHOAL_DATABASE_URL=url)
        for number in range(n):
            _submit_stubbornly(place, adapters=unlucky, idempotency_key=f"r6-{n}-{number}", content=f"r6 {number}")
        unlucky.close()
    assert proxy.cuts > n / 20
    made = place.rows(
        "SELECT payload ->> 'content' FROM jobs JOIN idempotency_keys USING (job_id) WHERE key ~ %s", f"^r6-{n}-"
    )
    assert sorted(made) == sorted((f"r6 {number}",) for number in range(n))


def _submit_stubbornly(place: Site, **payload: Any) -> str:
    while True:
        try:
            return place.submit("sleep", **payload)
        except Failure:
            continue


def test_a_key_used_for_another_request_is_refused(place: Site) -> None:
    first = place.submit("sleep", idempotency_key="k1", content="a")
    assert place.submit("sleep", idempotency_key="k1", content="a") == first
    with pytest.raises(IdempotencyConflict):
        place.submit("sleep", idempotency_key="k1", content="b")


@pytest.mark.parametrize("n", [40, pytest.param(400, marks=pytest.mark.nightly)])
def test_an_answer_lost_at_enqueue_runs_nothing_twice(place: Site, n: int) -> None:
    """R7: a third of the enqueues happen without the server learning of it."""
    with cutting(place.valkey.port, b"EVALSHA", cut=0.33, seed=7) as proxy:
        url = place.valkey.url.replace(f":{place.valkey.port}/", f":{proxy.port}/")
        unlucky = place.make_adapters(SHOAL_REDIS_URL=url)
        ids = []
        for _ in range(n):
            ids.append(place.submit("sleep", adapters=unlucky))
            unlucky.job_dispatch.queue._resting_until = 0.0  # type: ignore[attr-defined] # every one shall have its chance
        unlucky.close()
    assert proxy.cuts > 0
    place.wait_while_jobs_end(ids)
    for job in map(place.job, ids):
        assert (job.state, place.starts(job.job_id)) == (JobState.COMPLETED, job.attempt)
        assert job.attempt == 1


@pytest.mark.parametrize("n", [2, pytest.param(10, marks=pytest.mark.nightly)])
def test_postgres_may_crash_under_load(place: Site, n: int) -> None:
    """R11: nothing accepted is lost, and jobs are accepted again as soon as PostgreSQL is."""
    lenient = place.make_adapters(SHOAL_JOB_MAX_FAILURES="20")
    ids = []
    for _ in range(n):
        ids += [place.submit("sleep", seconds=0.5, adapters=lenient) for _ in range(6)]
        time.sleep(0.3)
        place.kill_server("postgres")
        place.start_server("postgres")
        back = time.monotonic()
        ids.append(_submit_stubbornly(place, adapters=lenient))
        assert time.monotonic() - back < 8.0
    place.wait_while_jobs_end(ids)
    assert {place.job(job_id).state for job_id in ids} == {JobState.COMPLETED}
    lenient.close()


def test_a_worker_that_is_told_to_stop_finishes_what_is_nearly_done(place: Site) -> None:
    """R13: a job with a second to go is finished."""
    job_id = place.submit("sleep", seconds=1.5)
    place.wait_running(job_id)
    time.sleep(0.4)
    assert place.end("worker") == 0
    job = place.job(job_id)
    assert (job.state, job.attempt) == (JobState.COMPLETED, 1)


def test_a_worker_that_is_told_to_stop_gives_back_what_takes_long(two_workers: Site) -> None:
    """R13: the job runs elsewhere within five seconds, and the drain counts as no failure."""
    place = two_workers
    job_id = place.submit("sleep", seconds=40)
    place.wait_running(job_id)
    time.sleep(0.5)
    owner = place.processes[place.owner_of(job_id)]
    began = time.monotonic()
    owner.kill(signal.SIGTERM)
    place.wait_running(job_id, 5.0, attempt=2)
    print(f"runs elsewhere {time.monotonic() - began:.1f} s after SIGTERM")
    assert place.job(job_id).failures == 0
    place.cancel(job_id)
    place.wait([job_id])
    assert owner.popen.wait(10) == 0


def test_two_schedulers_do_nothing_twice(place: Site) -> None:
    place.ensure("scheduler-2")
    ids = [place.submit("sleep", seconds=0.01, send=False) for _ in range(30)]
    jobs = place.wait(ids, 40)
    assert {(job.state, job.attempt) for job in jobs} == {(JobState.COMPLETED, 1)}
    assert place.end("scheduler-2") == 0


def test_one_namespace_does_not_keep_another_waiting(place: Site) -> None:
    """R27's ground: of the backlog, the namespace with least at work goes first."""
    crowd = [place.submit("sleep", seconds=0.3, send=False) for _ in range(30)]
    single = place.submit("sleep", send=False, caller=Caller(namespace_id="ns_other00000"))
    place.wait([single], 15)
    waiting = place.rows("SELECT count(*) FROM jobs WHERE job_id = ANY(%s) AND attempt = 0", crowd)[0][0]
    assert waiting > 10
    for job_id in crowd:
        place.cancel(job_id)


@pytest.mark.parametrize("n", [40, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_first_job_waits_for_a_slot_and_not_for_a_crowd(place: Site, n: int) -> None:
    """R27: what another namespace has in the queue already is passed over, too.

    Counted from the moment at which the queue has it: how long this process takes until then says nothing of the queue.
    """
    crowd = [place.submit("sleep", seconds=0.05) for _ in range(n)]
    single = place.submit("sleep", caller=Caller(namespace_id="ns_other00000"))
    [(sent,)] = place.rows("SELECT clock_timestamp()")
    place.wait([single], 30)
    between = place.rows(
        "SELECT count(*) FROM trial_starts AS own, trial_starts AS others"
        " WHERE own.job_id = %s AND others.job_id = ANY(%s) AND others.at BETWEEN %s AND own.at",
        single,
        crowd,
        sent,
    )[0][0]
    assert between <= 2  # one that was being taken at that moment, and one after it
    for job_id in crowd:
        place.cancel(job_id)


def test_the_database_refuses_to_leave_an_end(place: Site) -> None:
    [job] = place.wait([place.submit("sleep")])
    for statement in (
        "UPDATE jobs SET state = 'PENDING', finished_at = NULL WHERE job_id = %s",
        "UPDATE jobs SET attempt = attempt + 1 WHERE job_id = %s",
        "UPDATE jobs SET result = '{}' WHERE job_id = %s",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            place.execute(statement, job.job_id)


def test_a_wait_for_what_has_died_ends_at_once(place: Site) -> None:
    """The trials themselves: nobody waits three minutes for a worker that could not start."""
    began = time.monotonic()
    with pytest.raises(AssertionError, match="worker-broken ended"):
        place.start("worker", "worker-broken", SHOAL_LEASE_SECONDS="no number")
    assert time.monotonic() - began < 20
    with pytest.raises(AssertionError, match="worker-broken ended"):
        place.check()
    del place.processes["worker-broken"]
