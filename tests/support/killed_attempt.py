"""An attempt of a job in a process of its own that is killed (SIGKILL) in the middle of its work."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from shoald.domain.job_states import LeaseExpired
from shoald.domain.records.job import Job
from support.cluster_world import ClusterWorld, cluster_world


def kill_attempt(world: ClusterWorld, job: Job, owner: Any, method: str, *, at_call: int) -> None:
    """Do an attempt in a forked process that kills itself at the `at_call`-th call of a method, from 1.

    Its lease is let run out, so that the next attempt can begin at once.
    """
    settings = world.adapters.settings
    pid = os.fork()
    if pid == 0:
        _die_at(owner, method, at_call)
        # connections of its own: those of the parent are shared with it
        with cluster_world(str(settings.database_url), Path(settings.data_dir)) as own:
            own.use_cases.jobs.runner.run(job.job_id, dispatch=True)
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the attempt ended before it was killed"
    assert os.WTERMSIG(status) == signal.SIGKILL
    _let_lease_end(world, job)


def _die_at(owner: Any, method: str, at_call: int) -> None:
    real: Callable[..., Any] = getattr(owner, method)
    calls = 0

    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(owner, method, deadly)


def _let_lease_end(world: ClusterWorld, job: Job) -> None:
    with psycopg.connect(str(world.adapters.settings.database_url)) as connection:
        held = "UPDATE jobs SET lease_until = now() WHERE job_id = %s AND lease_until IS NOT NULL"
        is_claimed = connection.execute(held, [job.job_id]).rowcount == 1
        connection.commit()
        if is_claimed:  # else it was killed before it could
            assert world.adapters.job_moves.move(job.job_id, LeaseExpired()) is not None
        connection.execute("UPDATE jobs SET run_after = now() WHERE job_id = %s", [job.job_id])
