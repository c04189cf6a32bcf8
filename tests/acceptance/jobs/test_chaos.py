"""R1: everything is killed at random moments while jobs run; nothing accepted is lost, nothing is applied twice.

A failing run prints its seed; `SHOAL_SEED=N pytest tests/acceptance/jobs/test_chaos.py` makes the same choices again.
"""

from __future__ import annotations

import collections
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from shoald.domain.failures import Failure
from shoald.domain.job_states import TERMINAL
from shoald.domain.vocabulary import JobState
from support.trial.handlers import HEAVY_TRIAL, TRIAL
from support.trial.site import Process, Site, site

pytestmark = pytest.mark.acceptance

WORKERS = ("worker-a", "worker-b")
SCHEDULERS = ("scheduler-a", "scheduler-b")
LONGEST_BACKLOG = 40  # with more waiting, kills would soon hit nothing but processes that start


class Chaos:
    """Kills, starts again, and submits jobs in between."""

    def __init__(self, place: Site, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        self.kills: collections.Counter[str] = collections.Counter()
        self.others: collections.Counter[str] = collections.Counter()
        self.submitted = 0
        self.adapters = place.make_adapters()

    def run(self, kills: int) -> None:
        place = self.place
        place.ensure(*WORKERS, *SCHEDULERS)
        faults: list[Callable[[], str]] = [
            self._kill_worker,
            self._kill_worker,
            self._kill_child,
            self._kill_child,
            self._kill_child,
            self._kill_redis,
            self._kill_postgres,
            self._kill_scheduler,
        ]
        while self.kills.total() < kills:
            place.wait_while_jobs_end(place.accepted, down_to=LONGEST_BACKLOG)
            self._submit_some()
            time.sleep(self.random.uniform(0.05, 0.6))
            self.kills[self.random.choice(faults)()] += 1
            if self.kills.total() % 10 == 5:  # what kills nothing counts beside
                self.others[self.random.choice([self._freeze_worker, self._flush_redis])()] += 1
            self._start_what_is_gone()

    def _submit_some(self) -> None:
        for _ in range(self.random.randint(2, 5)):
            self.submitted += 1
            kind, seconds = self.random.choice([("sleep", 0.0), ("sleep", 0.3), ("sleep", 1.0), ("stubborn", 0.4)])
            job_type = self.random.choice([TRIAL, TRIAL, HEAVY_TRIAL])  # as there are slots
            self._submit(kind, job_type=job_type, seconds=seconds, key=f"chaos-{self.submitted}")

    def _submit(self, kind: str, *, job_type: str, seconds: float, key: str) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                self.place.submit(kind, job_type=job_type, seconds=seconds, idempotency_key=key, adapters=self.adapters)
            except Failure:
                assert time.monotonic() < until, "PostgreSQL is back, and jobs are still not accepted"
                time.sleep(0.05)
                continue
            return

    def _one_of(self, names: tuple[str, ...]) -> Process:
        return self.place.processes[self.random.choice(names)]

    def _kill_worker(self) -> str:
        self._one_of(WORKERS).kill()
        return "worker"

    def _kill_child(self) -> str:
        """Kill a child, of those one at work if there is one."""
        children = [pid for name in WORKERS for pid in self.place.processes[name].children()]
        busy = {
            pid
            for (pid,) in self.place.rows(
                "SELECT s.pid FROM trial_starts s JOIN jobs USING (job_id) WHERE s.attempt = jobs.attempt"
                " AND finished_at IS NULL"
            )
        }
        chosen = sorted(busy.intersection(children)) or children
        if not chosen:  # all are being started again
            return self._kill_worker()
        _signal(self.random.choice(chosen), signal.SIGKILL)
        return "child"

    def _kill_redis(self) -> str:
        self.place.kill_server("valkey")
        time.sleep(self.random.uniform(0.0, 0.5))
        self.place.start_server("valkey")
        return "redis"

    def _kill_postgres(self) -> str:
        self.place.kill_server("postgres")
        time.sleep(self.random.uniform(0.0, 0.5))
        self.place.start_server("postgres")
        return "postgres"

    def _kill_scheduler(self) -> str:
        self._one_of(SCHEDULERS).kill()
        return "scheduler"

    def _freeze_worker(self) -> str:
        """Stop a worker and its children for longer than a lease, and let them go on as if nothing had been."""
        worker = self._one_of(WORKERS)
        pids = [worker.popen.pid, *worker.children()]
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        time.sleep(4.0)
        for pid in pids:
            _signal(pid, signal.SIGCONT)
        return "freeze"

    def _flush_redis(self) -> str:
        redis.Redis.from_url(self.place.valkey.url).flushall()
        return "flush"

    def _start_what_is_gone(self) -> None:
        """Start again what was killed; nothing may have ended of itself."""
        self.place.check()
        for name in (*WORKERS, *SCHEDULERS):
            if self.place.processes[name].popen.poll() is not None:
                self.place.launch(name)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.nightly)])
def test_nothing_is_lost_or_applied_twice_whatever_is_killed(tmp_path: Path, kills: int) -> None:
    seed = int(os.environ.get("SHOAL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed}")
    with site(tmp_path, SHOAL_JOB_MAX_FAILURES="100") as place:
        chaos = Chaos(place, seed)
        began = time.monotonic()
        chaos.run(kills)
        place.wait_while_jobs_end(place.accepted)
        jobs = [place.job(job_id) for job_id in place.accepted]
        states = collections.Counter(job.state for job in jobs)
        most = max(job.attempt for job in jobs)
        seconds = time.monotonic() - began
        print(f"{chaos.kills.total()} kills {dict(chaos.kills)} in {seconds:.0f} s, other faults {dict(chaos.others)}")
        print(f"{len(jobs)} jobs {dict(states)}, attempts up to {most}")
        assert set(states) <= TERMINAL
        assert set(states) == {JobState.COMPLETED}
        assert len(jobs) == chaos.submitted
        assert place.broken_invariants() == {}
        chaos.adapters.close()
