"""Two real schedulers are killed while triggers fire; one of them has a wrong clock. Every slot has one firing."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from shoald.application.triggers import TriggerRequest
from shoald.wiring import build_application
from support.cluster_world import ClusterWorld, groups_of
from support.trial.site import Site, site

pytestmark = [pytest.mark.acceptance, pytest.mark.nightly, pytest.mark.timeout(480)]

ROUNDS = 10
TRIGGERS = 5
_CLOCKS = {"scheduler-a": "0", "scheduler-b": "3600"}
"""By how many seconds the clock of each is ahead."""


def test_every_slot_has_one_firing_whoever_is_killed(tmp_path: Path) -> None:
    with site(tmp_path, SHOAL_RECONCILE_SECONDS="0.1") as made:
        adapters = made.make_adapters()
        use_cases = build_application(adapters)
        world = ClusterWorld(adapters=adapters, use_cases=use_cases, caller=use_cases.access.caller())
        world.store(groups_of(5, 5))
        for _ in range(TRIGGERS):
            cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
            request = TriggerRequest(
                cluster=cluster, trigger_type="interval", schedule_config={"interval_seconds": 86_400}
            )
            use_cases.triggers.create(world.caller, request)
        luck = random.Random(7)
        for _ in range(ROUNDS):
            _round(made, luck)
        firings = made.rows("SELECT trigger_id, count(*), count(DISTINCT run_id) FROM trigger_firings GROUP BY 1")
        assert [tuple(row)[1:] for row in firings] == [(ROUNDS, ROUNDS)] * TRIGGERS
        (runs,) = made.rows("SELECT count(*), count(DISTINCT job_id) FROM cluster_runs")
        assert tuple(runs) == (ROUNDS * TRIGGERS, ROUNDS * TRIGGERS)
        (jobs,) = made.rows("SELECT count(*) FROM jobs")
        assert jobs[0] == ROUNDS * TRIGGERS
        adapters.close()


def _round(made: Site, luck: random.Random) -> None:
    """Let a slot of every trigger come, and kill a scheduler at any moment of its firing."""
    _start(made)
    made.execute("UPDATE cluster_runs SET status = 'completed', completed_at = now() WHERE completed_at IS NULL")
    # time passes: a second more than the interval, so that no slot has the name of another
    made.execute("UPDATE triggers SET due_at = clock_timestamp(), anchor_at = anchor_at - interval '86401 s'")
    time.sleep(luck.uniform(0, 0.15))
    made.processes[luck.choice(list(_CLOCKS))].kill()
    _start(made)
    made.until(lambda: not made.rows("SELECT 1 FROM triggers WHERE due_at <= clock_timestamp()"), 60, "all are fired")


def _start(made: Site) -> None:
    """Start those that do not run."""
    for name, ahead in _CLOCKS.items():
        process = made.processes.get(name)
        if process is None or process.popen.poll() is not None:
            made.start("scheduler", name, TRIAL_CLOCK_SHIFT=ahead)
